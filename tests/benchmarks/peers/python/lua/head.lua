-- Stands before each of the rule scripts: one rule of one subject, in a hash and (for counts and sequences) sorted sets.
--
-- KEYS[1]  hash: member 0/1, begin and end of the span in which the rule holds, and what the kind of rule keeps
-- KEYS[2]  sorted set of wakes of the partition: "subject|rule" by the next instant at which time changes the rule
-- KEYS[3…] what the kind of rule keeps besides
-- ARGV     subject, rule, instant R, "event" or "wake", the event's time, its name; then what the kind of rule needs
-- returns  changes, each "entered" or "exited" and its instant

local subject, rule, r, is_event = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == "event"
local time, name = tonumber(ARGV[5]), ARGV[6]
local kept = redis.call("HMGET", KEYS[1], "member", "begin", "end")
local member, first, last = kept[1] == "1", tonumber(kept[2] or "0"), tonumber(kept[3] or "0")
local changes = {}

local function settle(at)
	local holds = first <= at and at < last
	if holds ~= member then
		member = holds
		changes[#changes + 1] = (holds and "entered" or "exited") .. " " .. string.format("%.0f", at)
	end
end

-- what time did since this rule was last looked at: before R for an event, up to R for a wake
local function pass_time(before)
	if not member and first < last and first < before then
		settle(first)
	end
	if member and last < before then
		settle(last)
	end
end

local function finish()
	settle(r)
	if not member and first <= r then
		-- over, or never was: nothing that time could change
		first, last = 0, 0
	end
	redis.call("HSET", KEYS[1], "member", member and "1" or "0", "begin", first, "end", last)
	local wake = member and last or (first < last and first or nil)
	if wake and wake < 4e15 then
		redis.call("ZADD", KEYS[2], wake, subject .. "|" .. rule)
	else
		redis.call("ZREM", KEYS[2], subject .. "|" .. rule)
	end
	return changes
end

-- the latest entries only
local function add(key, count)
	redis.call("ZADD", key, time, name)
	redis.call("ZREMRANGEBYRANK", key, 0, -count - 1)
	return redis.call("ZRANGE", key, 0, -1, "WITHSCORES")
end

pass_time(is_event and r or r + 1)
