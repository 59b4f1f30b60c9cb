-- Appends events to a room's log and tells the room's channel of each; one whose id is known is only looked up.
-- KEYS[1] head (hash: epoch, offset, bytes, oldest)  KEYS[2] log (stream)  KEYS[3…] ids (string: epoch, offset), one an event
-- ARGV[1] channel  ARGV[2] PUBLISH or SPUBLISH  ARGV[3] epoch for a new room  ARGV[4] most events kept
-- ARGV[5] most bytes kept  ARGV[6] longest age in ms  ARGV[7] life of an idle head in ms, then five for each event:
-- the message in three parts (epoch and offset go between them), its id, and how long the id is remembered in ms, 0 when
-- the publisher gave none
-- Returns epoch, offset, and 1 when the id was known, for each event. Atomic: an event is in the log before anyone hears
-- of it, offsets have no hole, the order in the log is the order on the channel, and one id is appended once.
local most, mostBytes, age = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'bytes', 'oldest')
if not head[1] then
  redis.call('DEL', KEYS[2])
end
local epoch, offset = head[1] or ARGV[3], tonumber(head[2]) or 0
local before = offset
local count = redis.call('XLEN', KEYS[2])
local bytes = count == 0 and 0 or tonumber(head[3]) or 0
-- No entry is older than this.
local oldest = count == 0 and now or tonumber(head[4]) or 0

local function isOver(since)
  return count > 1 and (count > most or bytes > mostBytes or since < now - age)
end

local found = {}
for i = 3, #KEYS do
  local at = 8 + (i - 3) * 5
  local remember = ARGV[at + 4]
  local known = remember ~= '0' and redis.call('GET', KEYS[i])
  if known then
    local firstEpoch, firstOffset = string.match(known, '^(%S+) (%d+)$')
    found[#found + 1], found[#found + 2], found[#found + 3] = firstEpoch, tonumber(firstOffset), 1
  else
    offset = offset + 1
    local message = ARGV[at] .. epoch .. ARGV[at + 1] .. struct.pack('>d', offset) .. ARGV[at + 2]
    redis.call('XADD', KEYS[2], offset .. '-0', 'm', message, 'i', ARGV[at + 3], 't', now)
    count, bytes = count + 1, bytes + #message
    -- A few at a time: one append never pays for a long clean-up.
    for _ = 1, 16 do
      if not isOver(oldest) then
        break
      end
      local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
      oldest = tonumber(entry[2][6])
      if isOver(oldest) then
        redis.call('XDEL', KEYS[2], entry[1])
        count, bytes = count - 1, bytes - #entry[2][2]
      end
    end
    if remember ~= '0' then
      redis.call('SET', KEYS[i], epoch .. ' ' .. offset, 'PX', remember)
    end
    redis.call(ARGV[2], ARGV[1], message)
    found[#found + 1], found[#found + 2], found[#found + 3] = epoch, offset, 0
  end
end
if offset > before then
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'offset', offset, 'bytes', bytes, 'oldest', oldest)
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
end
return found
