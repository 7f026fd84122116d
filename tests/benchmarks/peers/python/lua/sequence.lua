-- KEYS[3]: sorted set of first events without a second, by time. KEYS[4]: of the latest two second events.
-- ARGV[7]: the window's length. ARGV[8], ARGV[9]: "1" if the event does as the first, and as the second.
-- The hash keeps `best`: the greatest time of a first event that has its second.
if is_event then
	local best = tonumber(redis.call("HGET", KEYS[1], "best") or "0")
	if ARGV[9] == "1" then
		add(KEYS[4], 2)
	end
	if ARGV[8] == "1" and time > best then
		-- "!" marks one that would itself do as a second: it needs another one beside it
		redis.call("ZADD", KEYS[3], time, (ARGV[9] == "1" and "!" or " ") .. name)
	end
	local seconds = redis.call("ZRANGE", KEYS[4], 0, -1, "WITHSCORES")
	local latest, other = tonumber(seconds[#seconds] or "0"), tonumber(seconds[3] and seconds[2] or "0")
	local waiting = redis.call("ZRANGE", KEYS[3], 0, -1, "WITHSCORES")
	for n = 1, #waiting, 2 do
		local at = tonumber(waiting[n + 1])
		if at <= (string.sub(waiting[n], 1, 1) == "!" and other or latest) then
			best = math.max(best, at)
		end
	end
	if best > 0 then
		redis.call("HSET", KEYS[1], "best", best)
		redis.call("ZREMRANGEBYSCORE", KEYS[3], "-inf", best)
		first, last = 0, best + tonumber(ARGV[7])
	end
end
return finish()
