#!lua
-- Writes nothing. Redis refuses a script that may write whenever it would refuse a write: above its memory, as a replica,
-- without a disk to write to, without the replicas it needs.
-- Returns 1. Atomic: nothing to be.
return 1
