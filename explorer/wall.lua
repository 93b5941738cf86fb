-- Hang a drawing on the wall, in one step of the server; return its number, -1: the author has sent too many, -2: full.
-- KEYS: drawings by number, who sent when, the last number, the version.
-- ARGV: the time, the author, the drawing, the new version, the most drawings, the most of an author in a minute.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1] - 60)
local lately = 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if string.match(member, ':(.*)') == ARGV[2] then lately = lately + 1 end
end
if lately >= tonumber(ARGV[6]) then return -1 end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return -2 end
local number = redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[1], number, ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[1], number .. ':' .. ARGV[2])
redis.call('SET', KEYS[4], ARGV[4])
return number
