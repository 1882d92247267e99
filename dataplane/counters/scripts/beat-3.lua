-- One heartbeat of a pod: it is alive, and which epoch it has flushed its spool for. Whoever finds no epoch begins one.
-- KEYS 1 pods  2 epoch  3 flushed
-- ARGV 1 pod  2 a name for a new epoch  3 the epoch it has flushed for, or ''  4 a pod is dead after so many ms  5 '1': it leaves
-- Returns {epoch, its age in ms, live pods, those of them that have flushed for it}
local time = redis.call('TIME')
local millis = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local pod = ARGV[1]
if ARGV[5] == '1' then
  redis.call('ZREM', KEYS[1], pod)
else
  redis.call('ZADD', KEYS[1], millis, pod)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', millis - tonumber(ARGV[4]))
local epoch = redis.call('GET', KEYS[2])
if not epoch then
  epoch = string.format('%.0f', millis) .. ':' .. ARGV[2]
  redis.call('SET', KEYS[2], epoch)
end
if ARGV[3] == epoch then redis.call('HSET', KEYS[3], pod, epoch) end
local live, flushed = {}, 0
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do live[name] = true end
local marks = redis.call('HGETALL', KEYS[3])
for i = 1, #marks, 2 do
  if not live[marks[i]] then
    redis.call('HDEL', KEYS[3], marks[i])
  elseif marks[i + 1] == epoch then
    flushed = flushed + 1
  end
end
return { epoch, millis - tonumber(string.match(epoch, '^%d+')), redis.call('ZCARD', KEYS[1]), flushed }
