-- What one process spent on fallbacks of a route in an hour, for what all others did.
-- KEYS[1]  hash: process -> nano-dollars, held or spent
-- ARGV[1]  the process
-- ARGV[2]  its amount; the same again changes nothing
-- Returns the sum of all other processes', as text: a reply's integers end at 2^53 - 1 in some clients.
if tonumber(ARGV[2]) > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  -- The hour itself, and one more for who is late.
  redis.call('PEXPIRE', KEYS[1], 7200000)
end
local others = 0
local amounts = redis.call('HGETALL', KEYS[1])
for i = 1, #amounts, 2 do
  if amounts[i] ~= ARGV[1] then others = others + tonumber(amounts[i + 1]) end
end
return string.format('%.0f', others)
