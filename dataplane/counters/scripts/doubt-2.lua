-- What is known of a tenant's accounts is in doubt: all of them are unknown from now on.
-- KEYS 1 spend  2 open
-- ARGV 1 the generation that is in doubt: a later one was rebuilt since
-- Returns 1, or 0 when there is a later generation
local SPEND, OPEN = KEYS[1], KEYS[2]
-- @include doubt
local last = redis.call('HGET', SPEND, 'generation')
if last and tonumber(last) > tonumber(ARGV[1]) then return 0 end
forgetAccounts()
return 1
