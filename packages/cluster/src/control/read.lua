-- The orders after a number, the oldest first.
-- KEYS[1] numbers (sorted set: subject by number)  KEYS[2] orders (hash)  ARGV[1] number  ARGV[2] most that are returned
-- Returns orders as JSON. Atomic: no order is missed between two that are returned.
local subjects = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
if #subjects == 0 then
  return {}
end
return redis.call('HMGET', KEYS[2], unpack(subjects))
