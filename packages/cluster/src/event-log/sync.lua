-- Compares a node's position in a room with the log and reads on from it.
-- KEYS[1] head (hash: epoch, offset, …)  KEYS[2] log (stream)
-- ARGV[1] the node's epoch ('' when it has none)  ARGV[2] its last offset  ARGV[3] id of the event at that offset ('' unknown)
-- ARGV[4] most events to read, 0 for none  ARGV[5] most bytes to read  ARGV[6] a new epoch, used when writes were lost
-- ARGV[7] the time of the event with that id, as it stands in its message ('' unknown)
-- Returns {epoch, head offset, 1 when writes were lost, {offset, message, …}, id at the head offset ('' for a page that is
-- read from a position without an id)}. Atomic: the first node that finds the loss replaces the epoch, every other one then
-- sees an epoch that is not its own.
local head = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
local epoch, offset = head[1] or '', tonumber(head[2]) or 0
local last = tonumber(ARGV[2])
local lost = 0

local function fieldsAt(at)
  local entry = redis.call('XRANGE', KEYS[2], at .. '-0', at .. '-0')[1]
  return entry and entry[2]
end

local atHead = (ARGV[4] == '0' or ARGV[3] ~= '') and offset > 0 and fieldsAt(offset)
if ARGV[1] ~= '' and epoch == ARGV[1] then
  if offset < last then
    lost = 1
  elseif ARGV[3] ~= '' then
    -- An event that is published again, as its first write was lost, has the same id and another time.
    local fields = last == offset and atHead or fieldsAt(last)
    if fields and not (fields[4] == ARGV[3] and string.find(fields[2], ARGV[7], 1, true)) then
      lost = 1
    end
  end
  if lost == 1 then
    epoch = ARGV[6]
    redis.call('HSET', KEYS[1], 'epoch', epoch)
  end
elseif ARGV[1] ~= '' and epoch == '' and last > 0 then
  lost = 1
end
local found = {}
if lost == 0 and ARGV[4] ~= '0' and (ARGV[1] == epoch or ARGV[1] == '') and offset > last then
  local bytes = 0
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], (last + 1) .. '-0', '+', 'COUNT', ARGV[4])) do
    local message = entry[2][2]
    bytes = bytes + #message
    if bytes > tonumber(ARGV[5]) and #found > 0 then
      break
    end
    found[#found + 1] = tonumber(string.match(entry[1], '^%d+'))
    found[#found + 1] = message
  end
end
return { epoch, offset, lost, found, atHead and atHead[4] or '' }
