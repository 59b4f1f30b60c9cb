-- Gives up a lease, if it is still ours.
-- KEYS[1] leases (sorted set)  KEYS[2] reports (hash)  ARGV[1] node/worker  ARGV[2] incarnation
-- Returns 1 when it was ours. Atomic: a later incarnation's lease is never removed.
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known or cjson.decode(known).incarnation ~= ARGV[2] then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
