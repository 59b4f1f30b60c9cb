-- Opens or renews a lease, ends those that ran out, and hands ended ones out to be taken apart.
-- KEYS[1] leases (sorted set: lease → when it runs out, in ms)  KEYS[2] ended (sorted set: lease → until when somebody takes
-- it apart)  KEYS[3] pulse (string: the last call of any process)
-- ARGV[1] lease  ARGV[2] its life in ms  ARGV[3] '1' to open it  ARGV[4] beginning of the names of leases that it replaces, ''
-- for none  ARGV[5] silence of all processes in ms after which Redis itself was away  ARGV[6] time for taking apart in ms
-- ARGV[7] a lease that its process gives up, '' for none
-- Returns {1 when the lease is ours, lease to take apart, …}. Atomic: one process at a time is told to take a lease apart.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ARGV[2]

local function finish(lease)
  redis.call('ZREM', KEYS[1], lease)
  redis.call('ZADD', KEYS[2], 0, lease)
end

-- Nobody could renew a lease while Redis was away, so none runs out before everybody had time to.
local pulse = tonumber(redis.call('GET', KEYS[3]) or '0')
if now - pulse > tonumber(ARGV[5]) then
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. pulse, '(' .. string.format('%.0f', ends))) do
    redis.call('ZADD', KEYS[1], ends, lease)
  end
end
redis.call('SET', KEYS[3], string.format('%.0f', now), 'PX', 86400000)
for _, lease in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  finish(lease)
end

local held = ARGV[3] == '1' or redis.call('ZSCORE', KEYS[1], ARGV[1])
if ARGV[3] == '1' and ARGV[4] ~= '' then
  for _, lease in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if string.sub(lease, 1, #ARGV[4]) == ARGV[4] and lease ~= ARGV[1] then
      finish(lease)
    end
  end
end
if held then
  redis.call('ZADD', KEYS[1], ends, ARGV[1])
end
if ARGV[7] ~= '' then
  finish(ARGV[7])
end

local answer = { held and 1 or 0 }
for _, lease in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 4)) do
  redis.call('ZADD', KEYS[2], now + ARGV[6], lease)
  answer[#answer + 1] = lease
end
return answer
