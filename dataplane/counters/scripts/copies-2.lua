-- Copies of rows that were first kept before a moment, oldest first.
-- KEYS 1 copies  2 copied
-- ARGV 1 moment (ms)  2 at most
-- Returns their texts
local names = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
local texts = {}
for _, name in ipairs(names) do
  local json = redis.call('HGET', KEYS[1], name)
  if json then texts[#texts + 1] = json else redis.call('ZREM', KEYS[2], name) end
end
return texts
