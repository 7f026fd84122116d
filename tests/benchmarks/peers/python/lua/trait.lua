-- ARGV[7], ARGV[8]: the value that the event sets, and "1" if the rule wants it.
if is_event then
	local found = redis.call("HMGET", KEYS[1], "time", "name")
	local before = tonumber(found[1] or "0")
	if before < time or (before == time and found[2] < name) then
		redis.call("HSET", KEYS[1], "time", time, "name", name)
		first, last = 0, ARGV[8] == "1" and 9e15 or 0
	end
end
return finish()
