-- Keeps an order and tells the nodes of it.
-- KEYS[1] numbers (sorted set: subject by number)  KEYS[2] ends (sorted set: subject by time)  KEYS[3] orders (hash)
-- ARGV[1] PUBLISH or SPUBLISH  ARGV[2] channel  ARGV[3] subject  ARGV[4] order as JSON  ARGV[5] life in ms
-- ARGV[6] most subjects that are kept
-- Returns the order with its number as JSON, or nothing when there is no room for another subject. Atomic: an order is
-- kept before anyone hears of it, numbers rise in the order in which nodes hear, and each is told with the one before.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[1], subject)
  redis.call('ZREM', KEYS[2], subject)
  redis.call('HDEL', KEYS[3], subject)
end
if not redis.call('ZSCORE', KEYS[1], ARGV[3]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[6]) then
  return false
end
local before = tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'REV', 'WITHSCORES')[2]) or 0
local number = string.format('%.0f', math.max(time[1] * 1000000 + time[2], before + 1))
local ends = string.format('%.0f', now + ARGV[5])
local given = '{"number":' .. number .. ',"until":' .. ends .. ',"order":' .. ARGV[4] .. '}'
redis.call('ZADD', KEYS[1], number, ARGV[3])
redis.call('ZADD', KEYS[2], ends, ARGV[3])
redis.call('HSET', KEYS[3], ARGV[3], given)
local last = redis.call('ZRANGE', KEYS[2], 0, 0, 'REV', 'WITHSCORES')[2]
for _, key in ipairs(KEYS) do
  redis.call('PEXPIREAT', key, last)
end
redis.call(ARGV[1], ARGV[2], '{"before":' .. string.format('%.0f', before) .. ',"given":' .. given .. '}')
return given
