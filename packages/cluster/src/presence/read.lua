-- A page of the members of a room, in the order of their names.
-- KEYS[1] members (hash)  KEYS[2] order (sorted set)  ARGV[1] read on after this user, '' from the beginning
-- ARGV[2] most members of the page
-- Returns {version ('0' for an empty room), count, {user, info as JSON or '', …}}. Atomic: the version is that of the page.
local users = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1] == '' and '-' or '(' .. ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local members = {}
for _, user in ipairs(users) do
  members[#members + 1] = user
  members[#members + 1] = string.match(redis.call('HGET', KEYS[1], user) or '', '^%d+ (.*)$') or ''
end
return { redis.call('HGET', KEYS[1], '') or '0', redis.call('ZCARD', KEYS[2]), members }
