-- What processes tell each other of breakers, and who of them may probe. Times go over the wire as ages and remainders: clocks differ.
-- KEYS[1]  hash: 'version' and 'born'; breaker id -> JSON {n, pod, kind, at, until, cooldown}; 'probes ' .. id -> JSON {pod: until}
-- ARGV[1]  the process
-- ARGV[2]  the version that it knows, as replied before; empty: none
-- ARGV[3]  JSON {changes: [{id, kind, age, left, cooldown}], claims: [{id, places}]}; empty: nothing to tell
-- ARGV[4]  how long a claimed place is kept, ms
-- Returns JSON {version, news: [{id, kind, age, left, cooldown}], held: {id: places of others}}; empty: there is nothing new.
local me, known = ARGV[1], ARGV[2]
-- Longer than any cooldown.
local KEPT_MS = 90000000
-- Entries that say nothing any more go when there are so many.
local MANY = 1000

local function version_of(born, n) return born .. ':' .. n end

local marks = redis.call('HMGET', KEYS[1], 'born', 'version')
local born, version = marks[1], tonumber(marks[2] or 0)
if ARGV[3] == '' and born and known == version_of(born, version) then return '' end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not born then
  if ARGV[3] == '' and known == '' then return '' end
  born = string.format('%.0f', now)
  redis.call('HSET', KEYS[1], 'born', born)
end

local function stored(field)
  local text = redis.call('HGET', KEYS[1], field)
  return text and cjson.decode(text) or nil
end

-- Deadlines by the later; an opening by a later close, and the other way round.
local function merged(old, change)
  local entry = { pod = me, kind = change.kind, at = now - change.age, ['until'] = now + change.left, cooldown = change.cooldown }
  if not old then return entry end
  if old.kind ~= entry.kind then return old.at < entry.at and entry or nil end
  if old['until'] > entry['until'] or old.at > entry.at then entry.pod = '' end
  entry.at = math.max(entry.at, old.at)
  entry['until'] = math.max(entry['until'], old['until'])
  entry.cooldown = math.max(entry.cooldown, old.cooldown)
  return entry
end

local function tell(change)
  local entry = merged(stored(change.id), change)
  if not entry then return end
  version = version + 1
  entry.n = version
  redis.call('HSET', KEYS[1], change.id, cjson.encode(entry), 'version', version)
  redis.call('HDEL', KEYS[1], 'probes ' .. change.id)
end

local function claim(wanted)
  local field = 'probes ' .. wanted.id
  local others, places = 0, stored(field) or {}
  for pod, until_ms in pairs(places) do
    if until_ms <= now then
      places[pod] = nil
    elseif pod ~= me then
      others = others + 1
    end
  end
  if others < wanted.places then
    places[me] = now + tonumber(ARGV[4])
    redis.call('HSET', KEYS[1], field, cjson.encode(places))
  end
  return others
end

local function is_entry(field) return field ~= 'born' and field ~= 'version' and string.sub(field, 1, 7) ~= 'probes ' end

local function forget()
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if is_entry(fields[i]) then
      local entry = cjson.decode(fields[i + 1])
      if entry.kind == 'closed' or entry['until'] < now then redis.call('HDEL', KEYS[1], fields[i], 'probes ' .. fields[i]) end
    end
  end
end

local held = {}
if ARGV[3] ~= '' then
  local message = cjson.decode(ARGV[3])
  for _, change in ipairs(message.changes) do tell(change) end
  for _, wanted in ipairs(message.claims) do held[wanted.id] = claim(wanted) end
  if redis.call('HLEN', KEYS[1]) > MANY then forget() end
  redis.call('PEXPIRE', KEYS[1], KEPT_MS)
end

local news = {}
local same_born = string.sub(known, 1, #born + 1) == born .. ':'
local seen = same_born and tonumber(string.sub(known, #born + 2)) or 0
if seen ~= version then
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if is_entry(fields[i]) then
      local entry = cjson.decode(fields[i + 1])
      if entry.n > seen and entry.pod ~= me then
        local left = entry['until'] - now
        table.insert(news, { id = fields[i], kind = entry.kind, age = now - entry.at, left = left, cooldown = entry.cooldown })
      end
    end
  end
end
-- An empty table is an object to cjson; the reader takes one for the other.
return cjson.encode({ version = version_of(born, version), news = news, held = held })
