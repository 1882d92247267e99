-- The ledger has these rows.
-- KEYS 1 copies  2 copied
-- ARGV <id>:<attempt>...
-- Returns how many there were
redis.call('ZREM', KEYS[2], unpack(ARGV))
return redis.call('HDEL', KEYS[1], unpack(ARGV))
