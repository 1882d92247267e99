-- Takes all that a request asks for, or nothing.
-- KEYS, ARGV: includes/request.lua
-- Returns {code, a, b, remaining of each limit..., generation, settled, reserved of each budget...}
--   {1, 0, 0, ...} granted   {2, place of the budget, 0, ...} exhausted   {3, place of the limit, ms until there is room, remaining...} limited
--   {4, last generation of the tenant, place of each budget whose account is not known...} unknown
-- @include request
-- @include reservation
-- @include accounts
-- @include windows
-- @include copies

local open = readReservation(id)
-- The request is over: a reservation that arrives after its own end takes nothing.
local over = redis.call('EXISTS', DONE) == 1
local limitsAreHeld = over or open ~= nil

local remaining, full, wait = {}, nil, 0
for i, limit in ipairs(limits) do
  local used = limit.key and windowSum(limit.key) or tonumber(redis.call('HGET', SLOTS, limit.id) or '0')
  local more = limit.kind == 't' and tokens or 1
  if limitsAreHeld then more = 0 end
  local left = limit.max - used
  if left < more and not limitsAreHeld then
    full = full or i - 1
    local room = 1000
    if limit.key then room = roomAfter(limit.key, more - left) end
    if room > wait then wait = room end
  end
  remaining[i] = left
  limit.more = more
end
if full then
  local reply = { 3, full, wait }
  for i, left in ipairs(remaining) do reply[3 + i] = left > 0 and left or 0 end
  return reply
end

local unknown = readAccounts(budgets)
if #unknown > 0 then return { 4, redis.call('HGET', SPEND, 'generation') or '0', unpack(unknown) } end

local exhausted
if not over and not (open and #open.held > 0) then
  for i, b in ipairs(budgets) do
    if b.blocks and not exhausted and not fits(b, cost) then exhausted = i - 1 end
  end
end
if exhausted and not alone then
  local reply = { 2, exhausted, 0 }
  for i, left in ipairs(remaining) do reply[3 + i] = left > 0 and left or 0 end
  return appendLevels(reply, budgets)
end

if not over then
  local r = open
  if not r then
    r = { cost = 0, tokens = tokens, second = second, memo = memo, slots = {}, held = {} }
    for i, limit in ipairs(limits) do
      if limit.key then
        windowAdd(limit.key, second, limit.kind == 't' and tokensText or '1')
      else
        redis.call('HINCRBY', SLOTS, limit.id, 1)
        r.slots[#r.slots + 1] = limit.id
      end
      remaining[i] = remaining[i] - limit.more
    end
  end
  if not exhausted and #r.held == 0 then
    local seen = {}
    for _, b in ipairs(budgets) do
      if not seen[b.field] and hold(b, costText) then r.held[#r.held + 1], r.held[#r.held + 2] = b.account, b.period end
      seen[b.field] = true
    end
    r.cost = cost
  end
  writeReservation(id, r, lease)
  keepCopies()
end

local reply = { exhausted and 2 or 1, exhausted or 0, 0 }
for i, left in ipairs(remaining) do reply[3 + i] = left > 0 and left or 0 end
return appendLevels(reply, budgets)
