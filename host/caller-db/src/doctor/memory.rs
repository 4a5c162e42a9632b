//! Checks that one statement of a tool cannot take all memory of the database server.

use behalf_host_db::LoginNames;
use behalf_telemetry::Finding;
use sqlx::{PgConnection, Row};

const NAME: &str = "statement-memory";

/// How to bound it on a server that the host did not start.
const FIX: &str = "give each process of the server a data limit above maintenance_work_mem, then restart it: \
    systemctl edit postgresql, [Service] LimitDATA=2G; or docker run --ulimit data=2147483648; or ulimit -d 2097152 before \
    pg_ctl start. A cgroup's limit instead kills a process, which ends every session";

/// The limits of the tools' open sessions, or those of this session where there are none: a server gives all its processes the
/// same, and `behalf dev` bounds the tools' alone. Linux shows them in files. `$1` is the tools' logins.
const LIMITS: &str = r"
    with open (pid) as (
        select a.pid from pg_catalog.pg_stat_activity a
        where a.datname = current_database() and a.usename = any ($1)),
    seen (pid) as (select pid from open union all select pg_backend_pid() where not exists (select from open)),
    held (data, space) as (
        select substring(f.text from 'Max data size +(\S+)'), substring(f.text from 'Max address space +(\S+)')
        from seen cross join lateral pg_read_file('/proc/' || seen.pid || '/limits', 0, 65536, true) f (text))
    select count(data), count(*) filter (where data = 'unlimited' and space = 'unlimited'),
        max(case when data = 'unlimited' then space else data end) filter (where data <> 'unlimited' or space <> 'unlimited')
    from held";

/// Looks at the limits. Only a superuser may, or a member of `pg_read_server_files`.
pub(super) async fn examine(conn: &mut PgConnection, logins: &LoginNames) -> Finding {
    let row = match sqlx::query(LIMITS).bind(logins.tools()).persistent(false).fetch_one(conn).await {
        Ok(row) => row,
        Err(error) if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501")) => {
            return Finding::skipped(NAME, "only a superuser sees the limits of the server's processes");
        }
        Err(error) => return Finding::skipped(NAME, format!("cannot be seen: {}", super::first_line(&error))),
    };
    let read = || Ok::<_, sqlx::Error>((row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?, row.try_get(2)?));
    match read() {
        Ok((0, ..)) => Finding::skipped(NAME, "the server's system does not show the limits of processes"),
        Ok((_, 0, limit)) => {
            let limit: Option<String> = limit;
            Finding::ok(NAME, format!("a session has at most {} bytes", limit.unwrap_or_default()))
        }
        Ok(_) => Finding::warning(NAME, "one statement of a tool may take all memory of the server", FIX),
        Err(error) => Finding::skipped(NAME, format!("cannot be seen: {}", super::first_line(&error))),
    }
}
