-- How many requests each process has in flight on one replica. A process that says nothing for a while counts no more.
-- KEYS[1]  hash of the replica: process -> "<in flight>:<ms of this server>"
-- ARGV     process, in flight now, ms after which a process counts no more
-- returns  in flight of all other processes
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local others = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    local count, at = string.match(all[i + 1], '^(%d+):(%d+)$')
    if now - tonumber(at) > tonumber(ARGV[3]) then
      redis.call('HDEL', KEYS[1], all[i])
    else
      others = others + tonumber(count)
    end
  end
end
return others
