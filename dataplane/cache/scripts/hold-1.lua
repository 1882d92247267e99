-- Keeps a lock for longer, or gives it back; only who holds it can.
-- KEYS[1]  the lock
-- ARGV[1]  the token of the holder
-- ARGV[2]  ms from now; 0: it is given back
-- Returns 1; 0: another has it, or nobody.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
