-- The reports of all processes whose lease runs.
-- KEYS[1] leases (sorted set)  KEYS[2] reports (hash)
-- Returns the reports as JSON strings. Only reads: heartbeats forget the dead. Atomic: no process is listed without its
-- report.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local living = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
return #living == 0 and {} or redis.call('HMGET', KEYS[2], unpack(living))
