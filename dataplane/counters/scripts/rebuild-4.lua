-- Writes sums from the ledger for accounts that are not known; what is known stays as it is.
-- KEYS 1 spend  2 open  3 leases  4 hash, put there before: request id -> what the sums have of it
-- ARGV 1 prefix of done markers  2 accounts  3 requests, then for each account: account, period, settled;
--      for each request: id, cost, lease (ms), number of pairs, then account, period for each pair
-- Returns how many accounts became known
local SPEND, OPEN, LEASES = KEYS[1], KEYS[2], KEYS[3]
-- @include reservation
-- @include doubt
-- Accounts of keys that are gone stay behind; past this bound all are forgotten, and those still in use are asked for again.
local MAX_FIELDS = 50000
local LATE_SECONDS = 3600

local time = redis.call('TIME')
local millis = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(redis.call('HGET', SPEND, 'generation') or '0')
local generation = text(math.max(millis, last + 1))

if redis.call('HLEN', SPEND) > MAX_FIELDS then forgetAccounts() end

local missing, names = {}, {}
local at = 4
for _ = 1, tonumber(ARGV[2]) do
  local account, period, settled = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  at = at + 3
  if missing[account] == nil then
    missing[account] = redis.call('HEXISTS', SPEND, 'm:' .. account) == 0 and {} or false
    if missing[account] then names[#names + 1] = account end
  end
  local periods = missing[account]
  if periods then periods[#periods + 1] = { period = period, settled = settled } end
end

for _, account in ipairs(names) do
  local periods = missing[account]
  table.sort(periods, function(a, b) return tonumber(a.period) > tonumber(b.period) end)
  redis.call('HSET', SPEND, 'm:' .. account, generation, 'p:' .. account, periods[1].period)
  if periods[2] then redis.call('HSET', SPEND, 'q:' .. account, periods[2].period) end
  for _, p in ipairs(periods) do
    local field = p.period .. ':' .. account
    redis.call('HDEL', SPEND, 'r:' .. field)
    redis.call('HSET', SPEND, 's:' .. field, p.settled)
  end
end

for _ = 1, tonumber(ARGV[3]) do
  local id, cost, lease, pairsOf = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  -- Ended here, and the ledger did not know it yet: its cost is known.
  local ended = redis.call('GET', ARGV[1] .. id)
  local already = tonumber(redis.call('HGET', KEYS[4], id) or '0')
  local known = not ended and readReservation(id) or nil
  local r = known or { cost = tonumber(cost), tokens = 0, second = 0, memo = '', slots = {}, held = {} }
  local changed = false
  for _ = 1, pairsOf do
    local account, period = ARGV[at], ARGV[at + 1]
    at = at + 2
    if missing[account] then
      local field = period .. ':' .. account
      if ended then
        redis.call('HINCRBY', SPEND, 's:' .. field, text(tonumber(ended) - already))
      else
        redis.call('HINCRBY', SPEND, 'r:' .. field, text(r.cost))
        r.held[#r.held + 1], r.held[#r.held + 2] = account, period
        changed = true
      end
    end
  end
  if changed then writeReservation(id, r, known and redis.call('ZSCORE', LEASES, id) or lease) end
end

if #names > 0 then
  redis.call('HSET', SPEND, 'generation', generation)
  if redis.call('EXISTS', KEYS[4]) == 1 then
    redis.call('RENAME', KEYS[4], SPEND .. ':late:' .. generation)
    redis.call('EXPIRE', SPEND .. ':late:' .. generation, LATE_SECONDS)
  end
end
return #names
