//! Checks of the server: its version, extensions and settings.

use super::check::{Check, sql};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "server-version",
        sound: "no known way around row-level security",
        sql: sql!(
            "select case when v.number < 150000 then 'error' else 'warning' end,
                 case when v.number < 150000 then format('Postgres %s is too old', v.text)
                      when v.number < 150003 then format('Postgres %s may apply the wrong policies or show samples of hidden rows (CVE-2023-2455, CVE-2024-10976, CVE-2025-8713)', v.text)
                      when v.number < 150009 or v.number between 160000 and 160004 or v.number = 170000
                        then format('Postgres %s may apply the wrong policies or show samples of hidden rows (CVE-2024-10976, CVE-2025-8713)', v.text)
                      else format('Postgres %s may show samples of hidden rows (CVE-2025-8713)', v.text) end,
                 'upgrade to 15.14, 16.10, 17.6 or newer'
             from (select current_setting('server_version_num')::integer, split_part(current_setting('server_version'), ' ', 1)) v (number, text)
             where v.number < 150014 or v.number between 160000 and 160009 or v.number between 170000 and 170005"
        ),
    },
    Check {
        name: "extension-vector",
        sound: "it is there",
        sql: sql!(
            "select 'error', 'extension vector is not in this database', 'create extension vector; (package postgresql-NN-pgvector)'
             where not exists (select from pg_extension e where e.extname = 'vector')"
        ),
    },
    Check {
        name: "server-settings",
        sound: "none opens what privileges close",
        sql: sql!(
            "select 'error', format('%s is on: %s', w.name, w.why), format('alter system set %s = off; select pg_reload_conf();', w.name)
             from (values ('lo_compat_privileges', 'everybody may read and write every large object'),
                          ('allow_system_table_mods', 'system tables can be changed'),
                          ('zero_damaged_pages', 'damaged rows vanish silently')) w (name, why)
             where current_setting(w.name, true) = 'on'
             order by w.name"
        ),
    },
    Check {
        name: "connections",
        sound: "the server has room for the host's connections",
        sql: sql!(
            "select 'warning', format('this host may open %s connections; the server has %s for ordinary logins', $3, m.free),
                 'lower BEHALF_TOOL_CONNECTIONS and BEHALF_HOST_CONNECTIONS, or raise max_connections'
             from (select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
                       - coalesce(current_setting('reserved_connections', true)::integer, 0) as free) m
             where m.free < $3
             union all
             select 'warning', format('%s is limited to %s connections', r.rolname, r.rolconnlimit), format('alter role %I connection limit -1;', r.rolname)
             from pg_roles r
             where (r.rolname = $2 or exists (select from caller c where c.login and c.oid = r.oid)) and r.rolconnlimit between 0 and 15
             order by 1, 2"
        ),
    },
    Check {
        name: "ending-statements",
        sound: "no process works at a statement that a host gave up",
        sql: sql!(
            "select 'warning', format('process %s of %s does not end: a host gave its statement up %s s ago, and it is %s', b.pid, b.login,
                     extract(epoch from now() - e.given_up_at)::integer, b.state),
                 'it ends when Postgres next looks for a cancel request, at the latest when the statement is done; only a restart of the server ends it sooner. Calls in ai.tool_calls that ended at that time with the outcome deadline or cancelled name the tool and the caller'
             from behalf.ending_backends e
             join behalf.tool_backends() b on b.pid = e.pid and coalesce(b.backend_start = e.backend_start, true)
             order by e.given_up_at"
        ),
    },
];
