-- The reports of all processes whose lease runs; forgets the others.
-- KEYS[1] leases (sorted set)  KEYS[2] reports (hash)
-- Returns the reports as JSON strings. Atomic: no process is listed without its report.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
end
return redis.call('HVALS', KEYS[2])
