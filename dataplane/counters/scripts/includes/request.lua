-- What one request brings along, the same for reserve, extend and settle:
--   KEYS 1 spend  2 open  3 leases  4 slots  5 copies  6 copied  7 done:<id>  then one window for each limit that is not `c`, in order
--   ARGV 1 id  2 lease (ms)  3 cost  4 tokens  5 '1': limits alone  6 memo  7 rows  8 limits  9 budgets
--        then for each row: attempt, json; for each limit: kind (r, t, c), max, id; for each budget: account, period, amount, '1': blocks, thresholds
local SPEND, OPEN, LEASES, SLOTS, COPIES, COPIED, DONE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local FIXED_KEYS = 7
local id, lease, costText, tokensText, alone, memo = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1', ARGV[6]
local cost, tokens = tonumber(costText), tonumber(tokensText)
local time = redis.call('TIME')
local second = tonumber(time[1])
local millis = second * 1000 + math.floor(tonumber(time[2]) / 1000)

local limits, budgets = {}, {}
local at = 10 + 2 * tonumber(ARGV[7])
local window = FIXED_KEYS
for i = 1, tonumber(ARGV[8]) do
  local limit = { kind = ARGV[at], max = tonumber(ARGV[at + 1]), id = ARGV[at + 2] }
  if limit.kind ~= 'c' then
    window = window + 1
    limit.key = KEYS[window]
  end
  limits[i] = limit
  at = at + 3
end
for i = 1, tonumber(ARGV[9]) do
  local account, period = ARGV[at], ARGV[at + 1]
  budgets[i] = { account = account, period = period, field = period .. ':' .. account, amount = tonumber(ARGV[at + 2]),
    blocks = ARGV[at + 3] == '1', thresholds = ARGV[at + 4] }
  at = at + 5
end
