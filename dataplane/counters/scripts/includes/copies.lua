-- Copies of rows of the ledger, until it has them: hash `copies`, <id>:<attempt> -> json; the zset `copied` has when each was first kept.
-- At the bound no copy is added: the row is in its process's spool all the same.
local MAX_COPIES = 200000

local function keepCopies()
  local rows = tonumber(ARGV[7])
  if rows == 0 or redis.call('HLEN', COPIES) >= MAX_COPIES then return end
  for i = 1, rows do
    local name = id .. ':' .. ARGV[8 + 2 * i]
    redis.call('HSET', COPIES, name, ARGV[9 + 2 * i])
    redis.call('ZADD', COPIED, 'NX', millis, name)
  end
end
