-- Reads a room's log in either direction.
-- KEYS[1] head (hash: epoch, offset, …)  KEYS[2] log (stream)
-- ARGV[1] 'forward' or 'backward'  ARGV[2] offset to go on from, itself not read ('' the end)  ARGV[3] most events
-- ARGV[4] most bytes; the first event is read whatever its size
-- Returns {epoch, head offset, {offset, message, …}}. Atomic: the head belongs to the entries.
local head = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
-- Lua writes a number from 1e14 on as "1e+14", which is no id.
local function id(offset)
  return string.format('%.0f-0', offset)
end
local entries
if ARGV[1] == 'forward' then
  entries = redis.call('XRANGE', KEYS[2], ARGV[2] == '' and '-' or id(ARGV[2] + 1), '+', 'COUNT', ARGV[3])
elseif ARGV[2] == '' then
  entries = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', ARGV[3])
elseif tonumber(ARGV[2]) <= 1 then
  entries = {}
else
  entries = redis.call('XREVRANGE', KEYS[2], id(ARGV[2] - 1), '-', 'COUNT', ARGV[3])
end
local found, bytes = {}, 0
for _, entry in ipairs(entries) do
  local message = entry[2][2]
  bytes = bytes + #message
  if bytes > tonumber(ARGV[4]) and #found > 0 then
    break
  end
  found[#found + 1] = tonumber(string.match(entry[1], '^%d+'))
  found[#found + 1] = message
end
return { head[1] or '', tonumber(head[2]) or 0, found }
