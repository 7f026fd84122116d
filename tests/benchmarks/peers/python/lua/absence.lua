-- KEYS[3]: the subject's first time. ARGV[7], ARGV[8]: the window's length and how long nothing came.
-- ARGV[9], ARGV[10]: "1" if the event matches, and if it is of the type that is to be absent.
if is_event then
	local found = redis.call("HMGET", KEYS[1], "match", "absent")
	local match, absent = tonumber(found[1] or "0"), tonumber(found[2] or "0")
	if ARGV[9] == "1" then match = math.max(match, time) end
	if ARGV[10] == "1" then absent = math.max(absent, time) end
	redis.call("HSET", KEYS[1], "match", match, "absent", absent)
	if match > 0 then
		first = math.max(absent, tonumber(redis.call("GET", KEYS[3]))) + tonumber(ARGV[8])
		last = match + tonumber(ARGV[7])
	end
end
return finish()
