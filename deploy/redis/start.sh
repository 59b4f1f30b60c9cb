#!/bin/sh
# Runs redis-server with redis.conf and users.conf of its own folder. Passwords and REDIS_MAXMEMORY come from the
# environment, and go in by stdin, so that no list of processes shows them. An empty password ends it at once.
set -eu
folder=$(dirname "$0")
eval "exec redis-server $folder/redis.conf - <<END
$(cat "$folder/users.conf")
maxmemory ${REDIS_MAXMEMORY:-1gb}
END"
