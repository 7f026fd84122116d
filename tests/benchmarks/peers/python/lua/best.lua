#!lua name=@NAME@
-- One call an event. A profile is a hash, of which a call reads and writes the header and what the event touches:
--
-- "p"      the header: {k: first time, l: {type: latest time}, t: {trait: [time, name, value]}, q: changes so far,
--          b: {segment's place: next instant at which time alone changes it}, n: the smallest of these or 0}
-- place    a segment: {m: member, f: greatest time that counts (absence, sequence), l: the latest entries (count,
--          sequence), w: first events that wait for a second (sequence)}
-- outbox   a list of changes that are not published yet: the caller publishes them, then trims the list
--
-- All are MessagePack. @NAME@ and @PLAN@ are put in by lua_profile.py. The same rules as in segments.py and evaluator.py
-- beside this folder.

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

local function span(one, slot, header)
	if one.kind == "trait" then
		local setting = header.t[one.trait]
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
			return math.max(header.k, header.l[one.absent] or 0) + one.absent_ms, slot.f + one.within_ms
		end
	elseif slot and #slot.l == one.at_least then
		return 0, slot.l[1][1] + one.within_ms
	end
	return NEVER, NEVER
end

local function new_slot(one)
	if one.kind == "trait" then
		return {m = false}
	elseif one.kind == "absence" then
		return {m = false, f = 0}
	elseif one.kind == "sequence" then
		return {m = false, f = 0, l = {}, w = {}}
	end
	return {m = false, l = {}}
end

local function open(key)
	prepare()
	local found = redis.call("HGET", key, "p")
	local header = found and cmsgpack.unpack(found) or {k = NEVER, l = {}, t = {}, n = 0, q = 0, b = {}}
	return {key = key, header = header, before = header.n, known = found ~= false, slots = {}, outbox = {}}
end

-- Reads slots by their places, as far as they are not here; false stands for one that there is not.
local function fetch(profile, places)
	local asked = {}
	for _, place in ipairs(places) do
		if profile.slots[place] == nil then
			profile.slots[place] = false
			asked[#asked + 1] = place
		end
	end
	if #asked > 0 and profile.known then
		for n, found in ipairs(redis.call("HMGET", profile.key, unpack(asked))) do
			profile.slots[asked[n]] = found and cmsgpack.unpack(found)
		end
	end
end

local function by_number(one, other)
	return tonumber(one) < tonumber(other)
end

local function bound(header, place, boundary)
	local before = header.b[place]
	if before == boundary then
		return
	end
	header.b[place] = boundary
	if boundary and (header.n == 0 or boundary < header.n) then
		header.n = boundary
	elseif before == header.n then
		header.n = 0
		for _, each in pairs(header.b) do
			if header.n == 0 or each < header.n then
				header.n = each
			end
		end
	end
end

local function settle(profile, subject, touched, at, event)
	local header = profile.header
	table.sort(touched, by_number)
	for n, place in ipairs(touched) do
		if place ~= touched[n - 1] then
			local one, slot = segments[tonumber(place)], profile.slots[place]
			local first, last = span(one, slot, header)
			local holds = first <= at and at < last
			if holds and not slot then
				slot = new_slot(one)
				profile.slots[place] = slot
			end
			if slot then
				if holds ~= slot.m then
					slot.m = holds
					header.q = header.q + 1
					profile.outbox[#profile.outbox + 1] =
						cjson.encode({subject, one.id, holds, string.format("%.0f", at), header.q, event})
				end
				local boundary = holds and last or (first < last and first > at and first or nil)
				bound(header, place, boundary ~= NEVER and boundary or nil)
			end
		end
	end
	return touched
end

local function due(profile, at, touched)
	local found = {}
	for place, boundary in pairs(profile.header.b) do
		if boundary <= at then
			found[#found + 1] = place
			touched[#touched + 1] = place
		end
	end
	fetch(profile, found)
	return touched
end

local function pass_time(profile, subject, until_ms)
	while profile.header.n > 0 and profile.header.n <= until_ms do
		local at = profile.header.n
		settle(profile, subject, due(profile, at, {}), at, "")
	end
end

-- Adds the places of segments that the profile has slots of.
local function touch(profile, touched, found)
	local places = {}
	for n, one in ipairs(found or {}) do
		places[n] = one.place
	end
	fetch(profile, places)
	for _, place in ipairs(places) do
		if profile.slots[place] then
			touched[#touched + 1] = place
		end
	end
end

local function fold_traits(profile, time, name, data, touched)
	local traits, places = profile.header.t, {}
	for trait, value in pairs(data) do
		local before = traits[trait]
		if by_value[trait] and (not before or before[1] < time or (before[1] == time and before[2] < name)) then
			traits[trait] = {time, name, value}
			for _, each in ipairs({value, before and before[3] or nil}) do
				for _, one in ipairs(by_value[trait .. "|" .. each] or {}) do
					places[#places + 1] = one.place
					touched[#touched + 1] = one.place
				end
			end
		end
	end
	fetch(profile, places)
end

local function admits(filter, kind, topic, score)
	if type(filter) ~= "table" or filter.type ~= kind or score < filter.score_at_least then
		return false
	end
	for _, each in ipairs(filter.topics) do
		if each == topic then
			return true
		end
	end
	return false
end

local function fold_wanted(profile, time, name, kind, topic, score, touched)
	local found, places = {}, {}
	for _, each in ipairs(wanted[kind .. "|" .. topic] or {}) do
		if score >= each[2] then
			found[#found + 1] = each[1]
			places[#places + 1] = each[1].place
		end
	end
	fetch(profile, places)
	for _, one in ipairs(found) do
		local slot = profile.slots[one.place] or new_slot(one)
		profile.slots[one.place] = slot
		fold(one, slot, time, name, admits(one.match, kind, topic, score), admits(one["then"], kind, topic, score))
		touched[#touched + 1] = one.place
	end
end

-- Writes the header and every slot that was read: one is read only if the event or the time touches it.
local function store(profile, keys, subject)
	local fields = {"p", cmsgpack.pack(profile.header)}
	for place, slot in pairs(profile.slots) do
		if slot then
			fields[#fields + 1] = place
			fields[#fields + 1] = cmsgpack.pack(slot)
		end
	end
	redis.call("HSET", keys[1], unpack(fields))
	local next = profile.header.n
	if next ~= profile.before then
		if next > 0 then
			redis.call("ZADD", keys[2], next, subject)
		else
			redis.call("ZREM", keys[2], subject)
		end
	end
	if #profile.outbox > 0 then
		redis.call("RPUSH", keys[3], unpack(profile.outbox))
	end
	return #profile.outbox
end

-- KEYS: profile, wakes, outbox. ARGV: subject, R, time, name, type, topic, score, traits as JSON or "".
redis.register_function("@NAME@_event", function(keys, args)
	local subject, r, time, name, kind = args[1], tonumber(args[2]), tonumber(args[3]), args[4], args[5]
	local profile, touched = open(keys[1]), {}
	local header = profile.header
	pass_time(profile, subject, r - 1)
	if time < header.k then
		header.k = time
		touch(profile, touched, absences)
	end
	if absent[kind] and time > (header.l[kind] or 0) then
		header.l[kind] = time
		touch(profile, touched, absent[kind])
	end
	if args[8] ~= "" then
		fold_traits(profile, time, name, cjson.decode(args[8]), touched)
	end
	fold_wanted(profile, time, name, kind, args[6], tonumber(args[7]), touched)
	if header.n > 0 and header.n <= r then
		due(profile, r, touched)
	end
	settle(profile, subject, touched, r, name)
	return store(profile, keys, subject)
end)

-- KEYS: profile, wakes, outbox. ARGV: subject, instant.
redis.register_function("@NAME@_wake", function(keys, args)
	local profile = open(keys[1])
	pass_time(profile, args[1], tonumber(args[2]))
	return store(profile, keys, args[1])
end)
