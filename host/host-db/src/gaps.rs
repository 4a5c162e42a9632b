//! What `behalf migrate` could not do, because only a superuser may. The host works without, and each gap says what that costs.

use sqlx::{PgConnection, Row};

use crate::logins::LoginNames;

/// Something that was left undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What is not so, and what that costs.
    pub what: String,
    /// The statement with which a superuser does it.
    pub fix: String,
}

/// Settings of the tools' logins that only a superuser may change, and the event triggers that tell of new tables. `$1` are the logins
/// of tools.
const UNDONE: &str = "
with setting as (
    select r.rolname, coalesce(array_agg(one.setting) filter (where one.setting is not null), '{}') as all_of_it
    from pg_catalog.pg_roles r
    left join pg_catalog.pg_db_role_setting s on s.setrole = r.oid and s.setdatabase = 0
    left join lateral unnest(s.setconfig) one (setting) on true
    where r.rolname = any ($1)
    group by r.rolname
)
select format('the texts of statements of %s show in pg_stat_activity', rolname),
       format('alter role %I set track_activities = off;', rolname)
from setting where not 'track_activities=off' = any (all_of_it)
union all
select format('one statement of %s may fill the disk with temporary files', rolname),
       format('alter role %I set temp_file_limit = %L;', rolname, '512MB')
from setting where not exists (select from unnest(all_of_it) one where one like 'temp\\_file\\_limit=%')
union all
select 'hosts learn of new tables by looking every two seconds, and not at once',
       'create event trigger behalf_schema_changed on ddl_command_end execute function behalf.tell_of_change(); '
       || 'create event trigger behalf_schema_dropped on sql_drop execute function behalf.tell_of_drop();'
where not exists (select from pg_catalog.pg_event_trigger t where t.evtname = 'behalf_schema_changed')
order by 2";

/// Whether the host's login has what migrations granted it. A backup that was restored without its roles has none of it.
const HAS_RIGHTS: &str = "
select has_table_privilege($1, 'ai.agent_runs', 'insert')
   and exists (select from pg_catalog.pg_policies p where p.schemaname = 'ai' and $1 = any (p.roles))";

/// What was left undone.
pub(crate) async fn gaps(conn: &mut PgConnection, names: &LoginNames) -> Result<Vec<Gap>, sqlx::Error> {
    let rows = sqlx::query(UNDONE).bind(names.tools().as_slice()).fetch_all(conn).await?;
    rows.iter().map(|row| Ok(Gap { what: row.try_get(0)?, fix: row.try_get(1)? })).collect()
}

/// Whether the tables of a migrated database still grant what the migrations granted.
pub(crate) async fn has_rights(conn: &mut PgConnection, names: &LoginNames) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(HAS_RIGHTS).bind(names.host()).fetch_one(conn).await
}
