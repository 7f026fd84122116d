-- Read wakes in order, and the token, in one atomic call. Read-only (sent with EVAL_RO).
--
-- KEYS: meta, wakes
-- ARGV: upper bound of the score as ZCOUNT takes it ("(1772373900000"); score and subject to begin after ("" for none);
--       how many at most
-- Returns: {token or nil, {subject, score, subject, score, ...}} by (score, subject in byte order)
--
-- The subjects due at one instant may be a hundred thousand, and no command of a sorted set pages through ties:
-- the rank to begin at is found by bisection among them.

-- Lua's own < goes by the server's locale
local function sorts_after(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = a:byte(i), b:byte(i)
        if x ~= y then
            return x > y
        end
    end
    return #a > #b
end

local token = redis.call('HGET', KEYS[1], 'token')
local first = 0
if ARGV[2] ~= '' then
    first = redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. ARGV[2])
    local past = redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[2])
    while first < past do
        local middle = math.floor((first + past) / 2)
        if sorts_after(redis.call('ZRANGE', KEYS[2], middle, middle)[1], ARGV[3]) then
            past = middle
        else
            first = middle + 1
        end
    end
end
local stop = math.min(first + tonumber(ARGV[4]), redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[1]))
if stop <= first then
    return {token, {}}
end
return {token, redis.call('ZRANGE', KEYS[2], first, stop - 1, 'WITHSCORES')}
