-- A sliding window of 60 s in buckets of one second, one hash: n = what all buckets hold, f = the first second that may still have one,
-- <second> = a bucket. What is too old is taken out by whoever comes next: each bucket once.
local WINDOW = 60

local function windowSum(key)
  local head = redis.call('HMGET', key, 'n', 'f')
  if not head[1] or not head[2] then return 0 end
  local sum, first, last = tonumber(head[1]), tonumber(head[2]), second - WINDOW
  if first > last then return sum end
  if first <= last - WINDOW then
    redis.call('DEL', key)
    return 0
  end
  local gone = {}
  for s = first, last do gone[#gone + 1] = tostring(s) end
  local freed = 0
  for _, count in ipairs(redis.call('HMGET', key, unpack(gone))) do
    if count then freed = freed + tonumber(count) end
  end
  redis.call('HDEL', key, unpack(gone))
  redis.call('HSET', key, 'n', text(sum - freed), 'f', last + 1)
  return sum - freed
end

local function windowAdd(key, bucket, countText)
  if countText == '0' then return end
  redis.call('HINCRBY', key, 'n', countText)
  redis.call('HINCRBY', key, bucket, countText)
  redis.call('HSETNX', key, 'f', bucket)
  redis.call('EXPIRE', key, WINDOW + 1)
end

-- Milliseconds until so many will have left the window; what can never fit waits for a whole one.
local function roomAfter(key, needed)
  local pairsOf, counts, seconds = redis.call('HGETALL', key), {}, {}
  for i = 1, #pairsOf, 2 do
    local bucket = tonumber(pairsOf[i])
    if bucket then
      counts[bucket] = tonumber(pairsOf[i + 1])
      seconds[#seconds + 1] = bucket
    end
  end
  table.sort(seconds)
  for _, bucket in ipairs(seconds) do
    needed = needed - counts[bucket]
    if needed <= 0 then return (bucket + WINDOW) * 1000 - millis end
  end
  return WINDOW * 1000
end
