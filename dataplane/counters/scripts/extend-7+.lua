-- Takes more for a request that is open, or nothing; cost 0 and tokens 0 renew its lease alone.
-- KEYS, ARGV: includes/request.lua
-- Returns {1} granted   {2, place of the budget} exhausted   {3, place of the limit} limited   {5} no such reservation, or an account of it is lost
-- @include request
-- @include reservation
-- @include accounts
-- @include windows
-- @include copies

local r = readReservation(id)
if not r then return { 5 } end
if #readAccounts(budgets) > 0 then return { 5 } end

for i, limit in ipairs(limits) do
  if limit.kind == 't' and tokens > 0 and windowSum(limit.key) + tokens > limit.max then return { 3, i - 1 } end
end

-- A request may hold less than its budgets (limits alone; sums rebuilt without it) or more (an account it was found in by a rebuild):
-- what it does not hold yet gets all of it now, and every account of it the same from then on.
local accounts, isHeld, seen = {}, {}, {}
for i = 1, #r.held, 2 do isHeld[r.held[i + 1] .. ':' .. r.held[i]] = true end
local total = text(r.cost + cost)
for i, b in ipairs(budgets) do
  b.more = isHeld[b.field] and costText or total
  if b.blocks and b.more ~= '0' and not fits(b, tonumber(b.more)) then return { 2, i - 1 } end
  if not seen[b.field] then accounts[#accounts + 1] = b end
  seen[b.field] = true
end
local others = {}
for i = 1, #r.held, 2 do
  local field = r.held[i + 1] .. ':' .. r.held[i]
  if not seen[field] then others[#others + 1] = { account = r.held[i], period = r.held[i + 1], field = field, more = costText } end
end
if #readAccounts(others) > 0 then return { 5 } end
for _, b in ipairs(others) do accounts[#accounts + 1] = b end

-- More tokens go where the first are, so that the end of the request puts both right; when that bucket has left the window, nothing does.
local bucket = second
if r.second > second - WINDOW then
  bucket = r.second
  r.tokens = r.tokens + tokens
end
for _, limit in ipairs(limits) do
  if limit.kind == 't' then windowAdd(limit.key, bucket, tokensText) end
end
for _, b in ipairs(accounts) do
  if hold(b, b.more) and not isHeld[b.field] then r.held[#r.held + 1], r.held[#r.held + 2] = b.account, b.period end
end
r.cost = r.cost + cost
writeReservation(id, r, lease)
keepCopies()
return { 1 }
