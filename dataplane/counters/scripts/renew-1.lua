-- Begins a new epoch, unless somebody did since: data was lost, and the epoch was not.
-- KEYS 1 epoch
-- ARGV 1 the epoch that is known  2 a name for the new one  3 how old the present one must be (ms): many find the same loss
-- Returns 1, or 0 when nothing changed
local epoch = redis.call('GET', KEYS[1])
if epoch ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local millis = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if millis - tonumber(string.match(epoch, '^%d+')) < tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', millis) .. ':' .. ARGV[2])
return 1
