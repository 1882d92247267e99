-- Ends a request: what it holds goes, what it cost stays. Once, however often it is asked.
-- KEYS, ARGV: includes/request.lua (lease, limits alone and memo are not read)
-- Returns {1, exceeded (0, 1), n crossings, place of the budget, threshold, ..., generation, settled, reserved of each budget...} settled
--   {6} repeated   {4, last generation of the tenant, place of each budget whose account is not known...} unknown
-- @include request
-- @include reservation
-- @include accounts
-- @include windows
-- @include copies

-- How long an end is remembered, and how long the requests that a rebuild found settled are. Both in docs/decisions.
local DONE_SECONDS = 120
local LATE_MILLIS = 3600000

if redis.call('EXISTS', DONE) == 1 then return { 6 } end
local unknown = readAccounts(budgets)
if #unknown > 0 then return { 4, redis.call('HGET', SPEND, 'generation') or '0', unpack(unknown) } end

local r = readReservation(id)

-- Costs count in the accounts of the budgets, and in those that a rebuild found the request open in.
local accounts, places = {}, {}
for _, b in ipairs(budgets) do
  if not places[b.field] then
    accounts[#accounts + 1] = b
    places[b.field] = b
  end
end
if r then
  local others = {}
  for i = 1, #r.held, 2 do
    local account, period = r.held[i], r.held[i + 1]
    local field = period .. ':' .. account
    if not places[field] then
      places[field] = { account = account, period = period, field = field }
      others[#others + 1] = places[field]
    end
    places[field].isHeld = true
  end
  readAccounts(others)
  for _, b in ipairs(others) do
    if b.generation then accounts[#accounts + 1] = b end
  end
end

local counted = false
for _, b in ipairs(accounts) do
  local inTime = enterPeriod(b)
  if inTime and b.isHeld and r.cost > 0 then redis.call('HINCRBY', SPEND, 'r:' .. b.field, '-' .. text(r.cost)) end
  local generation = tonumber(b.generation)
  -- The rebuild of this account found rows of the request in the ledger: so much of its cost is in the sum.
  local already = generation > millis - LATE_MILLIS and redis.call('HGET', SPEND .. ':late:' .. b.generation, id)
  local more = already and text(cost - tonumber(already)) or costText
  counted = counted or not already or more ~= '0'
  if inTime and more ~= '0' then b.settled = redis.call('HINCRBY', SPEND, 's:' .. b.field, more) end
end

if r then
  for _, slot in ipairs(r.slots) do
    if redis.call('HINCRBY', SLOTS, slot, -1) <= 0 then redis.call('HDEL', SLOTS, slot) end
  end
  local difference = tokens - r.tokens
  if difference ~= 0 and r.second > second - WINDOW then
    for _, limit in ipairs(limits) do
      if limit.kind == 't' and redis.call('EXISTS', limit.key) == 1 then windowAdd(limit.key, r.second, text(difference)) end
    end
  end
  redis.call('HDEL', OPEN, id)
  redis.call('ZREM', LEASES, id)
end
redis.call('SET', DONE, costText, 'EX', DONE_SECONDS)
keepCopies()
if not r and not counted and #budgets > 0 then return { 6 } end

local crossings, highest = {}, {}
for i, b in ipairs(budgets) do
  local account = places[b.field]
  local before = tonumber(account.warned or '-1')
  for threshold in string.gmatch(b.thresholds, '%d+') do
    local amount = tonumber(threshold)
    if amount > before and tonumber(account.settled) >= amount then
      crossings[#crossings + 1], crossings[#crossings + 2] = i - 1, threshold
      if amount > (highest[b.field] or -1) then highest[b.field] = amount end
    end
  end
end
for field, amount in pairs(highest) do redis.call('HSET', SPEND, 'w:' .. field, text(amount)) end

local reply = { 1, (r and cost > r.cost) and 1 or 0, #crossings / 2 }
for _, word in ipairs(crossings) do reply[#reply + 1] = word end
return appendLevels(reply, budgets)
