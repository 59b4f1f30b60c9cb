-- Forgets a room's events; its epoch and next offset stay.
-- KEYS[1] head  KEYS[2] log (stream)
-- Returns how many events were forgotten. Atomic: no append falls between the count and the deletion.
local count = redis.call('XLEN', KEYS[2])
redis.call('DEL', KEYS[2])
return count
