-- Reservations whose lease has ended, oldest first; they stay.
-- KEYS 1 open  2 leases
-- ARGV 1 now (ms)  2 at most
-- Returns for each: id, cost, memo, {account, period, ...}
local reply = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local packed = redis.call('HGET', KEYS[1], id)
  if packed then
    local r = cmsgpack.unpack(packed)
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, string.format('%.0f', r[1]), r[4], r[6]
  else
    redis.call('ZREM', KEYS[2], id)
  end
end
return reply
