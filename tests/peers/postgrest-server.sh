#!/usr/bin/env bash
# The peer of postgrest.sh, started as `--peer-command`: PostgREST with as many connections. The environment names the database,
# the login, the port and the secret of the tokens.
set -euo pipefail

export PGRST_DB_URI="postgresql://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$PGDATABASE"
export PGRST_DB_SCHEMAS="${PEER_SCHEMAS:-public}" PGRST_DB_ANON_ROLE=anon PGRST_DB_POOL="$PEER_CONNECTIONS"
export PGRST_JWT_SECRET="$PEER_JWT_SECRET"
export PGRST_SERVER_HOST=127.0.0.1 PGRST_SERVER_PORT="$PEER_PORT" PGRST_LOG_LEVEL=crit

# It must be this process, because whoever started it ends it by its id.
exec "$POSTGREST"
