-- Changes who of one lease is present in a room, and tells the room's presence channel who really came or went.
-- KEYS[1] members (hash: user → how many leases hold it, a space, its info as JSON; '' → version)
-- KEYS[2] order (sorted set of users, all with score 0)  KEYS[3] the lease's users here (set; '' once it was ended)
-- ARGV[1] PUBLISH or SPUBLISH  ARGV[2] life of untouched keys in ms  ARGV[3] largest room that is told who came and went
-- ARGV[4] life in ms of the mark that the lease has ended, or 0 for a change  ARGV[5] of a change: how many users come,
-- then each with its info ('' for none, '=' before it where it says again what was said before), then those who go; of an
-- ended lease: most users to take off in this call
-- Returns how many users the lease holds here now, -1 when it has ended before. Atomic: a user is counted once however
-- many leases hold it, told once when the first one comes, again with other info, and once when the last one goes, and
-- the version of the room goes up by one with each message.
local endsFor = tonumber(ARGV[4])
if endsFor == 0 and redis.call('SISMEMBER', KEYS[3], '') == 1 then
  return -1
end

local joined, left = {}, {}

local function come(user, info)
  local isRepeated = string.sub(info, 1, 1) == '='
  local isNew = redis.call('SADD', KEYS[3], user) == 1
  local held = redis.call('HGET', KEYS[1], user)
  if not held and not isNew then
    return
  end
  local count, kept = string.match(held or '0 ', '^(%d+) (.*)$')
  info = isRepeated and (held and kept or string.sub(info, 2)) or info
  if isNew or info ~= kept then
    redis.call('HSET', KEYS[1], user, (count + (isNew and 1 or 0)) .. ' ' .. info)
  end
  if not held then
    redis.call('ZADD', KEYS[2], 0, user)
  end
  if not held or info ~= kept then
    joined[#joined + 1] = '{"user":' .. cjson.encode(user) .. (info == '' and '' or ',"info":' .. info) .. '}'
  end
end

local function go(user)
  local held = redis.call('HGET', KEYS[1], user)
  local count, kept = string.match(held or '1 ', '^(%d+) (.*)$')
  if tonumber(count) > 1 then
    redis.call('HSET', KEYS[1], user, (count - 1) .. ' ' .. kept)
  elseif held then
    redis.call('HDEL', KEYS[1], user)
    redis.call('ZREM', KEYS[2], user)
    left[#left + 1] = cjson.encode(user)
  end
end

local before = redis.call('HGET', KEYS[1], '')
if endsFor == 0 then
  local last = 5 + 2 * ARGV[5]
  for i = 6, last, 2 do
    come(ARGV[i], ARGV[i + 1])
  end
  for i = last + 1, #ARGV do
    if redis.call('SREM', KEYS[3], ARGV[i]) == 1 then
      go(ARGV[i])
    end
  end
else
  for _, user in ipairs(redis.call('SPOP', KEYS[3], ARGV[5])) do
    if user ~= '' then
      go(user)
    end
  end
end

local holds = redis.call('SCARD', KEYS[3])
local count = redis.call('ZCARD', KEYS[2])
if #joined + #left > 0 then
  -- A room that is new begins at the time in µs: so no version of it comes a second time, not after a flush either.
  local time = redis.call('TIME')
  local version = before and string.format('%.0f', before + 1) or string.format('%d%06d', time[1], time[2])
  local who = ''
  if count <= tonumber(ARGV[3]) then
    who = ',"joined":[' .. table.concat(joined, ',') .. '],"left":[' .. table.concat(left, ',') .. ']'
  end
  redis.call('HSET', KEYS[1], '', version)
  local channel = string.match(KEYS[1], '^{.*}') .. ':presence'
  redis.call(ARGV[1], channel, '{"version":' .. version .. ',"count":' .. count .. who .. '}')
end
if count == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
if endsFor > 0 then
  redis.call('SADD', KEYS[3], '')
end
redis.call('PEXPIRE', KEYS[3], endsFor > 0 and holds == 0 and endsFor or ARGV[2])
return holds
