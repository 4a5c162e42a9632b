#!/usr/bin/env bash
# The peer of mcp-toolbox.sh, as `behalf bench call --peer-command` starts it: one tool with the same statement, and as many
# connections. The environment names the database, the login and the port.
set -euo pipefail

cat >"$TOOLBOX_CONFIG" <<YAML
sources:
  bench:
    kind: postgres
    host: $PGHOST
    port: "$PGPORT"
    database: $PGDATABASE
    user: $PGUSER
    password: "$PGPASSWORD"
    queryParams:
      sslmode: disable
      pool_max_conns: "$PEER_CONNECTIONS"
tools:
  lookup:
    kind: postgres-sql
    source: bench
    description: One row by its key.
    parameters:
      - name: id
        type: integer
        description: The key.
    statement: select id, title from items where id = \$1
toolsets:
  bench:
    - lookup
YAML

# It must be this process, because whoever started it ends it by its id.
exec "$TOOLBOX" --config "$TOOLBOX_CONFIG" --address 127.0.0.1 --port "$PEER_PORT" --enable-api --log-level ERROR
