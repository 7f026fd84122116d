-- KEYS[3]: sorted set of the latest entries by time. ARGV[7], ARGV[8]: the window's length and the least count.
if is_event then
	local entries = add(KEYS[3], tonumber(ARGV[8]))
	if #entries == 2 * tonumber(ARGV[8]) then
		first, last = 0, tonumber(entries[2]) + tonumber(ARGV[7])
	end
end
return finish()
