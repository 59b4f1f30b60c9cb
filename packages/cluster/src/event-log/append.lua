-- Appends events to a room's log and tells the room's channel of each; one whose id is known is only looked up.
-- KEYS[1] head  KEYS[2] log (stream)  KEYS[3…] ids (string: epoch and offset), one an event
-- ARGV[1] PUBLISH or SPUBLISH  ARGV[2] epoch for a new room  ARGV[3] most events kept  ARGV[4] most bytes kept
-- ARGV[5] longest age in ms  ARGV[6] life of an idle head in ms  ARGV[7] what stands between epoch and offset
-- ARGV[8] field of the head for the last number of the events' sequence, '' when they have none, then four for each event:
-- the message before its epoch and after its offset, its id, and how long that is remembered in ms, 0 when it cannot come
-- again; of events in a sequence a fifth, its number: one up to the last is known for ever
-- Returns epoch, offset, and 1 when the id or the number was known, for each event. Atomic: an event is in the log before anyone hears
-- of it, offsets have no hole, the order in the log is the order on the channel, and one id is appended once.
--
-- The head is a hash: the last number of each sequence, epoch, offset, total (bytes ever appended), start (of these, what came before the oldest entry, or
-- less), oldest (its time, or earlier) and until (when the log expires). An entry has its total too, so the size of the
-- log is known without looking at what XADD trims.
local most, mostBytes, age = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local channel = string.sub(KEYS[1], 2, -7)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'total', 'start', 'oldest', 'until')
local epoch, offset, total = head[1] or ARGV[2], tonumber(head[2]) or 0, tonumber(head[3]) or 0
local count = redis.call('XLEN', KEYS[2])
-- Not for nothing: Redis asks for its memory only before the first command that writes.
if not head[1] and count > 0 then
  redis.call('DEL', KEYS[2])
  count = 0
end
local isEmpty, before = count == 0, offset
local start = isEmpty and total or tonumber(head[4])
local oldest = isEmpty and now or tonumber(head[5])

local function isOver()
  return total - start > mostBytes or oldest < now - age
end

-- The last event of a call makes room for all of them.
local function add(id, isLast, ...)
  if isLast then
    redis.call('XADD', KEYS[2], 'MAXLEN', '=', most, id, ...)
  else
    redis.call('XADD', KEYS[2], id, ...)
  end
  count = isLast and math.min(count + 1, most) or count + 1
end

-- A few at a time: one append never pays for a long clean-up.
local function trim()
  for _ = 1, 16 do
    if count <= 1 or not isOver() then
      return
    end
    local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    local fields = entry[2]
    start, oldest = fields[8] - #fields[2], tonumber(fields[6])
    if isOver() then
      redis.call('XDEL', KEYS[2], entry[1])
      count, start = count - 1, tonumber(fields[8])
    end
  end
end

local stride = ARGV[8] == '' and 4 or 5
local lastNumber = stride == 5 and (tonumber(redis.call('HGET', KEYS[1], ARGV[8])) or 0)

local found = {}
for i = 3, #KEYS do
  local at = 9 + (i - 3) * stride
  local number = lastNumber and tonumber(ARGV[at + 4])
  local remember = ARGV[at + 3]
  local known = remember ~= '0' and redis.call('GET', KEYS[i])
  if number and number <= lastNumber then
    found[#found + 1], found[#found + 2], found[#found + 3] = epoch, offset, 1
  elseif known then
    local firstEpoch, firstOffset = string.match(known, '^(%S+) (%d+)$')
    found[#found + 1], found[#found + 2], found[#found + 3] = firstEpoch, tonumber(firstOffset), 1
  else
    offset = offset + 1
    local message = ARGV[at] .. epoch .. ARGV[7] .. struct.pack('>d', offset) .. ARGV[at + 1]
    total = total + #message
    add(offset .. '-0', i == #KEYS, 'm', message, 'i', ARGV[at + 2], 't', now, 'b', total)
    trim()
    if remember ~= '0' then
      redis.call('SET', KEYS[i], epoch .. ' ' .. offset, 'PX', remember)
    end
    redis.call(ARGV[1], channel, message)
    found[#found + 1], found[#found + 2], found[#found + 3] = epoch, offset, 0
  end
  lastNumber = number and math.max(number, lastNumber)
end
if offset > before then
  local ends = tonumber(head[6])
  -- Set anew only when it is off by an eighth: most appends leave it alone.
  if isEmpty or ends < now + age or ends > now + age * 1.125 then
    ends = now + math.floor(age * 1.125)
    redis.call('PEXPIREAT', KEYS[2], ends)
    redis.call('PEXPIREAT', KEYS[1], math.max(ends, now + ARGV[6] + math.floor(age / 8)))
  end
  redis.call(
    'HSET', KEYS[1], 'epoch', epoch, 'offset', offset, 'total', total, 'start', start, 'oldest', oldest, 'until', ends
  )
end
if lastNumber and (head[1] or offset > before) then
  redis.call('HSET', KEYS[1], ARGV[8], string.format('%.0f', lastNumber))
end
return found
