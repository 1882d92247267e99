-- One pod's report to the pool of a provider's quota, and what the pool grants it. core/quota/testing.ts is the same in TypeScript.
-- KEYS[1]  state of the pool: JSON {born, requests: {second: used}, tokens: {second: used}, pods: {id: {...}}}
-- ARGV[1]  the report: JSON as in core/quota/lease.ts
-- ARGV[2..5]  LEASE_MS, SETTLE_MS, HUNGRY_MS, WINDOW_SECONDS
-- ARGV[6]  the time in ms; empty: this server's
-- Returns the reply: JSON as in core/quota/lease.ts.
local report = cjson.decode(ARGV[1])
local lease_ms, settle_ms, hungry_ms, window_seconds = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
-- A pool that nobody uses is forgotten after a day.
local KEPT_MS = 86400000

local now = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local second = math.floor(now / 1000)

local stored = redis.call('GET', KEYS[1])
local state = stored and cjson.decode(stored) or { born = now, requests = {}, tokens = {}, pods = {} }

local function count(dim, amount)
  if amount > 0 then
    local at = tostring(second)
    state[dim][at] = (state[dim][at] or 0) + amount
  end
end

local function forget()
  for _, dim in ipairs({ 'requests', 'tokens' }) do
    for at in pairs(state[dim]) do
      if tonumber(at) <= second - window_seconds then state[dim][at] = nil end
    end
  end
end

-- What a dead pod held of the windows it may have used.
local function bury()
  for id, pod in pairs(state.pods) do
    if pod.until_ms <= now then
      count('requests', pod.hold.requests)
      count('tokens', pod.hold.tokens)
      state.pods[id] = nil
    end
  end
end

local function tell(me)
  me.seq = report.seq
  me.second = second
  count('requests', report.used.requests)
  count('tokens', report.used.tokens)
  for at, amount in pairs(report.refunds) do
    if state.tokens[at] then state.tokens[at] = math.max(0, state.tokens[at] - amount) end
  end
end

local function needs()
  for dim in pairs(report.limits) do
    if report.need[dim] > 0 then return true end
  end
  return false
end

local function take()
  local me = state.pods[report.pod] or { seq = 0, second = second }
  state.pods[report.pod] = me
  local is_news = report.seq > me.seq
  if is_news then tell(me) end
  me.until_ms = now + lease_ms
  me.seen = now
  me.busy = report.busy
  me.hold = report.hold
  me.lack = { slots = 0, requests = 0, tokens = 0 }
  if not needs() then
    me.since = nil
  elseif not me.since or (is_news and report.passed > 0) then
    me.since = now
  end
  return me
end

local function goes_first(id, pod, me)
  if not pod.since or now - pod.seen >= hungry_ms then return false end
  return not me.since or pod.since < me.since or (pod.since == me.since and id < report.pod)
end

local function used_sum(dim)
  local all = 0
  if dim ~= 'slots' then
    for _, amount in pairs(state[dim]) do all = all + amount end
  end
  return all
end

local function room_in(dim)
  local oldest
  if dim ~= 'slots' then
    for at in pairs(state[dim]) do
      if not oldest or tonumber(at) < oldest then oldest = tonumber(at) end
    end
  end
  return oldest and (oldest + window_seconds) * 1000 - now or 0
end

local function answer(fields)
  redis.call('SET', KEYS[1], cjson.encode(state), 'PX', KEPT_MS)
  return cjson.encode(fields)
end

local none = { slots = 0, requests = 0, tokens = 0 }
forget()
bury()
if report.born ~= 0 and report.born ~= state.born then
  local lost = { born = state.born, lost = true, second = 0, granted = none, yield = false, exhausted = false, roomIn = 0 }
  lost.used = { requests = 0, tokens = 0 }
  return answer(lost)
end
local me = take()
local reply = { born = state.born, lost = false, second = me.second, granted = none, yield = false, exhausted = false, roomIn = 0 }
reply.used = { requests = used_sum('requests'), tokens = used_sum('tokens') }
local settles = now < state.born + settle_ms
for dim, limit in pairs(report.limits) do
  local held, reserved, idle = 0, 0, 0
  for id, pod in pairs(state.pods) do
    held = held + pod.hold[dim]
    if id ~= report.pod then
      idle = idle + pod.hold[dim] - (dim == 'slots' and pod.busy or 0)
      if goes_first(id, pod, me) then
        reserved = reserved + pod.lack[dim]
        reply.yield = true
      end
    end
  end
  local free = limit - used_sum(dim) - held - reserved
  local granted = settles and 0 or math.max(0, math.min(report.want[dim], free))
  reply.granted[dim] = granted
  me.hold[dim] = me.hold[dim] + granted
  me.lack[dim] = math.max(0, report.need[dim] - granted)
  if me.lack[dim] > 0 then
    reply.exhausted = reply.exhausted or (not settles and idle <= 0)
    reply.roomIn = math.max(reply.roomIn, room_in(dim))
  end
end
return answer(reply)
