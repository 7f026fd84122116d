#!lua name=@NAME@
-- One call an event: the whole profile in one string (MessagePack), all segments, an index in the library.
--
-- profile  {k: first time, l: {type: latest time}, t: {trait: [time, name, value]}, n: next boundary, q: changes so far,
--           s: {segment's place: {m: member, b: next boundary or 0, f: greatest time that counts (absence, sequence),
--               l: the latest entries (count, sequence), w: first events that wait for a second (sequence)}}}
-- outbox   a list of changes that are not published yet: the caller publishes them, then trims the list
--
-- @NAME@ and @PLAN@ are put in by lua_profile.py. The same rules as in segments.py and evaluator.py beside this folder.

local NEVER = 9e15
local segments, wanted, absent, by_value, absences

local function list(map, key)
	map[key] = map[key] or {}
	return map[key]
end

local function index_filters(one)
	for role, filter in pairs({match = one.match, ["then"] = one["then"]}) do
		if type(filter) == "table" then
			for _, topic in ipairs(filter.topics) do
				local found = list(wanted, filter.type .. "|" .. topic)
				found[#found + 1] = {one, filter.score_at_least, role}
			end
		end
	end
end

-- Reads the plan once, at the first call: while a library loads there is no cjson.
local function prepare()
	if segments then
		return
	end
	segments, wanted, absent, by_value, absences = {}, {}, {}, {}, {}
	local plan = cjson.decode([==[@PLAN@]==])
	table.sort(plan.segments, function(one, other) return one.id < other.id end)
	for place, one in ipairs(plan.segments) do
		one.place = tostring(place)
		segments[place] = one
		index_filters(one)
		if one.kind == "absence" then
			absences[#absences + 1] = one
			local found = list(absent, one.absent)
			found[#found + 1] = one
		elseif one.kind == "trait" then
			list(by_value, one.trait)
			for _, value in ipairs(one.values) do
				local found = list(by_value, one.trait .. "|" .. value)
				found[#found + 1] = one
			end
		end
	end
end

-- Adds an entry [time, name, …] in order unless it is there, and keeps the latest ones.
local function remember(entries, entry, kept)
	local place = #entries + 1
	for n, each in ipairs(entries) do
		if each[1] == entry[1] and each[2] == entry[2] then
			return
		end
		if place > #entries and (each[1] > entry[1]) then
			place = n
		end
	end
	table.insert(entries, place, entry)
	if #entries > kept then
		table.remove(entries, 1)
	end
end

local function fold_sequence(slot, time, name, first, second)
	if second then
		remember(slot.l, {time, name}, 2)
	end
	if first and time > slot.f then
		remember(slot.w, {time, name, second}, 1e9)
	end
	local last = slot.l
	local latest, other = #last > 0 and last[#last][1] or 0, #last == 2 and last[1][1] or 0
	local best = slot.f
	for _, each in ipairs(slot.w) do
		if each[1] <= (each[3] and other or latest) then
			best = math.max(best, each[1])
		end
	end
	if best > slot.f then
		local left = {}
		for _, each in ipairs(slot.w) do
			if each[1] > best then
				left[#left + 1] = each
			end
		end
		slot.f, slot.w = best, left
	end
end

local function fold(one, slot, time, name, first, second)
	if one.kind == "sequence" then
		fold_sequence(slot, time, name, first, second)
	elseif one.kind == "absence" then
		slot.f = math.max(slot.f, time)
	else
		remember(slot.l, {time, name}, one.at_least)
	end
end

local function span(one, slot, profile)
	if one.kind == "trait" then
		local setting = profile.t[one.trait]
		for _, value in ipairs(setting and one.values or {}) do
			if value == setting[3] then
				return 0, NEVER
			end
		end
	elseif one.kind == "sequence" then
		if slot and slot.f > 0 then
			return 0, slot.f + one.within_ms
		end
	elseif one.kind == "absence" then
		if slot and slot.f > 0 then
			return math.max(profile.k, profile.l[one.absent] or 0) + one.absent_ms, slot.f + one.within_ms
		end
	elseif slot and #slot.l == one.at_least then
		return 0, slot.l[1][1] + one.within_ms
	end
	return NEVER, NEVER
end

local function new_slot(one)
	if one.kind == "trait" then
		return {m = false, b = 0}
	elseif one.kind == "absence" then
		return {m = false, b = 0, f = 0}
	elseif one.kind == "sequence" then
		return {m = false, b = 0, f = 0, l = {}, w = {}}
	end
	return {m = false, b = 0, l = {}}
end

local function settle(profile, subject, touched, at, event, outbox)
	table.sort(touched)
	local lost, next = false, profile.n
	for n, place in ipairs(touched) do
		if place ~= touched[n - 1] then
			local one, key = segments[place], tostring(place)
			local slot = profile.s[key]
			local first, last = span(one, slot, profile)
			local holds = first <= at and at < last
			if holds and not slot then
				slot = new_slot(one)
				profile.s[key] = slot
			end
			if slot then
				if holds ~= slot.m then
					slot.m = holds
					profile.q = profile.q + 1
					outbox[#outbox + 1] = cjson.encode({subject, one.id, holds, string.format("%.0f", at), profile.q, event})
				end
				local before = slot.b
				slot.b = holds and last or (first < last and first > at and first or 0)
				if slot.b == NEVER then
					slot.b = 0
				end
				lost = lost or (before > 0 and before == next and slot.b ~= next)
				if slot.b > 0 and (next == 0 or slot.b < next) then
					next = slot.b
				end
				if one.kind == "trait" and not holds then
					profile.s[key] = nil
				end
			end
		end
	end
	profile.n = next
	if not lost then
		return
	end
	-- the smallest boundary is no longer there: ask all
	profile.n = 0
	for _, slot in pairs(profile.s) do
		if slot.b > 0 and (profile.n == 0 or slot.b < profile.n) then
			profile.n = slot.b
		end
	end
end

local function due(profile, at, touched)
	for key, slot in pairs(profile.s) do
		if slot.b > 0 and slot.b <= at then
			touched[#touched + 1] = tonumber(key)
		end
	end
	return touched
end

local function pass_time(profile, subject, until_ms, outbox)
	while profile.n > 0 and profile.n <= until_ms do
		settle(profile, subject, due(profile, profile.n, {}), profile.n, "", outbox)
	end
end

local function touch(touched, found, profile)
	for _, one in ipairs(found or {}) do
		if profile.s[one.place] then
			touched[#touched + 1] = tonumber(one.place)
		end
	end
end

local function fold_traits(profile, time, name, data, touched)
	for trait, value in pairs(data) do
		local before = profile.t[trait]
		if by_value[trait] and (not before or before[1] < time or (before[1] == time and before[2] < name)) then
			profile.t[trait] = {time, name, value}
			for _, each in ipairs({value, before and before[3] or nil}) do
				for _, one in ipairs(by_value[trait .. "|" .. each] or {}) do
					touched[#touched + 1] = tonumber(one.place)
				end
			end
		end
	end
end

local function load(key)
	prepare()
	local found = redis.call("GET", key)
	return found and cmsgpack.unpack(found) or {k = NEVER, l = {}, t = {}, n = 0, q = 0, s = {}}
end

local function store(keys, subject, profile, before, outbox)
	redis.call("SET", keys[1], cmsgpack.pack(profile))
	if profile.n ~= before then
		if profile.n > 0 then
			redis.call("ZADD", keys[2], profile.n, subject)
		else
			redis.call("ZREM", keys[2], subject)
		end
	end
	if #outbox > 0 then
		redis.call("RPUSH", keys[3], unpack(outbox))
	end
	return #outbox
end

-- KEYS: profile, wakes, outbox. ARGV: subject, R, time, name, type, topic, score, traits as JSON or "".
redis.register_function("@NAME@_event", function(keys, args)
	local subject, r, time, name, kind = args[1], tonumber(args[2]), tonumber(args[3]), args[4], args[5]
	local profile, outbox, touched = load(keys[1]), {}, {}
	local before = profile.n
	pass_time(profile, subject, r - 1, outbox)
	if time < profile.k then
		profile.k = time
		touch(touched, absences, profile)
	end
	if absent[kind] and time > (profile.l[kind] or 0) then
		profile.l[kind] = time
		touch(touched, absent[kind], profile)
	end
	if args[8] ~= "" then
		fold_traits(profile, time, name, cjson.decode(args[8]), touched)
	end
	local score = tonumber(args[7])
	for _, each in ipairs(wanted[kind .. "|" .. args[6]] or {}) do
		if score >= each[2] then
			local one = each[1]
			local slot = profile.s[one.place]
			if not slot then
				slot = new_slot(one)
				profile.s[one.place] = slot
			end
			local first, second = each[3] == "match", each[3] == "then"
			local other = one["then"]
			if first and type(other) == "table" and other.type == kind and score >= other.score_at_least then
				for _, topic in ipairs(other.topics) do
					second = second or topic == args[6]
				end
			elseif second and one.match.type == kind and score >= one.match.score_at_least then
				for _, topic in ipairs(one.match.topics) do
					first = first or topic == args[6]
				end
			end
			fold(one, slot, time, name, first, second)
			touched[#touched + 1] = tonumber(one.place)
		end
	end
	if profile.n > 0 and profile.n <= r then
		due(profile, r, touched)
	end
	if #touched > 0 then
		settle(profile, subject, touched, r, name, outbox)
	end
	return store(keys, subject, profile, before, outbox)
end)

-- KEYS: profile, wakes, outbox. ARGV: subject, instant.
redis.register_function("@NAME@_wake", function(keys, args)
	local profile, outbox = load(keys[1]), {}
	local before = profile.n
	pass_time(profile, args[1], tonumber(args[2]), outbox)
	return store(keys, args[1], profile, before, outbox)
end)
