-- Appends one event to a room's log and tells the room's channel, or finds that its id is known.
-- KEYS[1] head (hash: epoch, offset, bytes)  KEYS[2] log (stream)  KEYS[3] id
-- ARGV[1..3] the message in three parts: epoch and offset go between them
-- ARGV[4] channel  ARGV[5] PUBLISH or SPUBLISH  ARGV[6] epoch for a new room  ARGV[7] id of the event
-- ARGV[8] most events kept  ARGV[9] most bytes kept  ARGV[10] longest age in ms  ARGV[11] life of an idle head in ms
-- ARGV[12] how long the id is remembered in ms, 0 when the publisher gave none
-- Returns {epoch, offset, 1 when the id was known}. Atomic: an event is in the log before anyone hears of it, offsets
-- have no hole, the order in the log is the order on the channel, and one id is appended once.
if ARGV[12] ~= '0' then
  local known = redis.call('HMGET', KEYS[3], 'epoch', 'offset')
  if known[1] then
    return { known[1], tonumber(known[2]), 1 }
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'bytes')
if not head[1] then
  redis.call('DEL', KEYS[2])
end
local epoch = head[1] or ARGV[6]
local offset = (tonumber(head[2]) or 0) + 1
local message = ARGV[1] .. epoch .. ARGV[2] .. struct.pack('>d', offset) .. ARGV[3]
redis.call('XADD', KEYS[2], offset .. '-0', 'm', message, 'i', ARGV[7], 't', now)

local count = redis.call('XLEN', KEYS[2])
local bytes = (count == 1 and 0 or (tonumber(head[3]) or 0)) + #message
-- A few at a time: one append never pays for a long clean-up.
for _ = 1, 16 do
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  local fields = oldest[2]
  if count <= 1 or not (count > tonumber(ARGV[8]) or bytes > tonumber(ARGV[9]) or tonumber(fields[6]) < now - tonumber(ARGV[10])) then
    break
  end
  redis.call('XDEL', KEYS[2], oldest[1])
  bytes = bytes - #fields[2]
  count = count - 1
end

redis.call('HSET', KEYS[1], 'epoch', epoch, 'offset', offset, 'bytes', bytes)
redis.call('PEXPIRE', KEYS[1], ARGV[11])
redis.call('PEXPIRE', KEYS[2], ARGV[10])
if ARGV[12] ~= '0' then
  redis.call('HSET', KEYS[3], 'epoch', epoch, 'offset', offset)
  redis.call('PEXPIRE', KEYS[3], ARGV[12])
end
redis.call(ARGV[5], ARGV[4], message)
return { epoch, offset, 0 }
