-- An open request: hash `open`, id -> what it holds, packed; its lease is its score in the zset `leases`.
-- cost: reserved in every account of `held`; tokens: counted in every window of tokens, in the bucket `second`; slots: limits of concurrency.
-- Lua writes 9007199254740991 as 9.007199254741e+15: an amount becomes text here and nowhere else.
local function text(amount) return string.format('%.0f', amount) end

local function readReservation(name)
  local packed = redis.call('HGET', OPEN, name)
  if not packed then return nil end
  local r = cmsgpack.unpack(packed)
  return { cost = r[1], tokens = r[2], second = r[3], memo = r[4], slots = r[5], held = r[6] }
end

local function writeReservation(name, r, until_)
  redis.call('HSET', OPEN, name, cmsgpack.pack({ r.cost, r.tokens, r.second, r.memo, r.slots, r.held }))
  redis.call('ZADD', LEASES, until_, name)
end
