#!/usr/bin/env bash
# Leaves out of the schema and the seed of postgrest-js what needs PostGIS, which the Postgres of ./dev does not have: the column
# of places in `shops`, and its values.
#
#   without-postgis.sh SCHEMA SEED
set -euo pipefail

python3 - "$1" "$2" <<'PYTHON'
import re, sys

def without(path, *patterns):
    text = open(path).read()
    for pattern, by in patterns:
        text, count = re.subn(pattern, by, text)
        assert count == 1, (path, pattern)
    open(path, 'w').write(text)

without(sys.argv[1], (r'create extension if not exists postgis schema extensions;\n', ''), (r', shop_geom extensions\.geometry\(POINT, 4326\)\n', ''))
without(sys.argv[2], (r'shops\(id, address, shop_geom\)', 'shops(id, address)'), (r", 'SRID=4326;POINT\([^']*\)'\)", ')'))
PYTHON
