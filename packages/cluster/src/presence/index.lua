-- Notes the rooms in which a lease is about to hold users, so that whoever takes it apart finds them.
-- KEYS[1] leases (sorted set)  KEYS[2] rooms of the lease (set)  ARGV[1] lease  ARGV[2] life of untouched keys in ms
-- ARGV[3…] rooms
-- Returns 1, or 0 when the lease has ended. Atomic: an ended lease gets no room more.
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
for i = 3, #ARGV do
  redis.call('SADD', KEYS[2], ARGV[i])
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
