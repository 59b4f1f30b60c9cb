-- Renews the lease of one process, or takes it over from an earlier incarnation of the same node and worker. Forgets the
-- processes whose lease has run out.
-- KEYS[1] leases (sorted set)  KEYS[2] reports (hash)  KEYS[3] mark of the data (string)
-- ARGV[1] node/worker  ARGV[2] report as JSON  ARGV[3] incarnation  ARGV[4] lease in ms  ARGV[5] '1' at the first heartbeat
-- ARGV[6] the mark to set when there is none
-- Returns 1 when the lease is ours, 0 when a later incarnation holds it, and the mark. Atomic: two incarnations cannot both
-- get 1, and all processes see one mark.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[5] ~= '1' then
  local known = redis.call('HGET', KEYS[2], ARGV[1])
  if known and cjson.decode(known).incarnation ~= ARGV[3] then
    return { 0, '' }
  end
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('SET', KEYS[3], ARGV[6], 'NX')
return { 1, redis.call('GET', KEYS[3]) }
