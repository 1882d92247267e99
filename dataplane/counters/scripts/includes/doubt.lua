-- All accounts of a tenant become unknown. Who holds a slot or counts in a window stays.
local function forgetAccounts()
  local generation = redis.call('HGET', SPEND, 'generation')
  redis.call('DEL', SPEND)
  if generation then redis.call('HSET', SPEND, 'generation', generation) end
  local open = redis.call('HGETALL', OPEN)
  for i = 1, #open, 2 do
    local r = cmsgpack.unpack(open[i + 1])
    r[6] = {}
    redis.call('HSET', OPEN, open[i], cmsgpack.pack(r))
  end
end
