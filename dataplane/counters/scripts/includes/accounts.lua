-- The sums of a tenant, in the hash `spend`:
--   m:<account>  the account is known; the value is when its sums were last built, in milliseconds (a generation: it only grows)
--   p:<account>, q:<account>  its current period and the one before
--   s:<period>:<account> settled, r:... reserved, w:... the highest threshold that somebody was told of
-- Money goes in and out as text, by HINCRBY; Lua only compares, below 2^53.

-- Fills in generation, current, settled, reserved and warned of each; answers the places of those that are not known.
local function readAccounts(list)
  if #list == 0 then return {} end
  local fields = {}
  for _, b in ipairs(list) do
    local n = #fields
    fields[n + 1], fields[n + 2] = 'm:' .. b.account, 'p:' .. b.account
    fields[n + 3], fields[n + 4], fields[n + 5] = 's:' .. b.field, 'r:' .. b.field, 'w:' .. b.field
  end
  local values = redis.call('HMGET', SPEND, unpack(fields))
  local unknown = {}
  for i, b in ipairs(list) do
    local n = 5 * (i - 1)
    b.generation, b.current = values[n + 1], values[n + 2]
    b.settled, b.reserved, b.warned = values[n + 3] or '0', values[n + 4] or '0', values[n + 5]
    if not b.generation then unknown[#unknown + 1] = i - 1 end
  end
  return unknown
end

-- No sum of two amounts is made: each subtraction stays between -2^53 and 2^53.
local function fits(b, more)
  local left = b.amount - tonumber(b.settled)
  if left < 0 then return false end
  left = left - tonumber(b.reserved)
  return left >= more
end

-- Opens the period of an account where it is new, and deletes the one before the previous one. False: the period is older than that.
local function enterPeriod(b)
  if b.current == b.period then return true end
  local previous = redis.call('HGET', SPEND, 'q:' .. b.account)
  local gone = previous
  if not b.current then
    gone = false
    redis.call('HSET', SPEND, 'p:' .. b.account, b.period)
  elseif tonumber(b.period) > tonumber(b.current) then
    redis.call('HSET', SPEND, 'p:' .. b.account, b.period, 'q:' .. b.account, b.current)
  else
    if previous and tonumber(b.period) <= tonumber(previous) then return b.period == previous end
    redis.call('HSET', SPEND, 'q:' .. b.account, b.period)
  end
  if gone then
    local field = gone .. ':' .. b.account
    redis.call('HDEL', SPEND, 's:' .. field, 'r:' .. field, 'w:' .. field)
  end
  return true
end

-- Reserves more in an account; false where its period is over for good.
local function hold(b, amountText)
  if not enterPeriod(b) then return false end
  if amountText ~= '0' then redis.call('HINCRBY', SPEND, 'r:' .. b.field, amountText) end
  return true
end

-- Appends generation, settled and reserved of each budget as they are now.
local function appendLevels(reply, list)
  if #list == 0 then return reply end
  local fields = {}
  for _, b in ipairs(list) do
    fields[#fields + 1] = 's:' .. b.field
    fields[#fields + 1] = 'r:' .. b.field
  end
  local values = redis.call('HMGET', SPEND, unpack(fields))
  for i, b in ipairs(list) do
    reply[#reply + 1] = b.generation or '0'
    reply[#reply + 1] = values[2 * i - 1] or '0'
    reply[#reply + 1] = values[2 * i] or '0'
  end
  return reply
end
