-- The smallest time of a subject's events: KEYS[1], the event's time ARGV[1]. Returns 1 if one that was known moved back.
local known = tonumber(redis.call("GET", KEYS[1]))
if known and known <= tonumber(ARGV[1]) then
	return 0
end
redis.call("SET", KEYS[1], ARGV[1])
return known and 1 or 0
