//! What the owner of a database has to be allowed before `behalf migrate` changes anything. All that is missing is said at once, as
//! the statements with which a superuser gives it.

use sqlx::{Connection, PgConnection, Row};

use crate::logins::LoginNames;
use crate::migrate::MigrateError;

/// What the role that migrates lacks, each as a statement for a superuser, in the order in which they are run:
///
/// - CREATEROLE, with which it makes the logins and sets their passwords;
/// - the role `service_role`, which passes over policies: only who has BYPASSRLS may make it, before Postgres 16 only a superuser;
/// - the right to grant each role that is there already. Since Postgres 16 that takes ADMIN OPTION on it
///   (<https://www.postgresql.org/docs/16/role-attributes.html>). The roles that own the tables of users and files only count where
///   this database has no such tables of another platform;
/// - CREATE on the database, for schemas.
///
/// `$1` are the names of the logins, the first one is the host's; `$2` the owners of tables of users and files that are ours.
const MISSING: &str = "
with me as (
    select r.oid, r.rolname as name, r.rolsuper, r.rolcreaterole, r.rolbypassrls,
           current_setting('server_version_num')::integer >= 160000 as is_modern
    from pg_catalog.pg_roles r where r.rolname = current_user
), shared as (
    select name, place from unnest(array['anon', 'authenticated', 'service_role']) with ordinality as t (name, place)
    union all
    select name, 3 + place from unnest($2::text[]) with ordinality as t (name, place)
    where 2 > (select count(distinct r.rolname) from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.member
               where m.roleid = to_regrole(quote_ident(t.name)) and r.rolname in ($1[1], current_user))
    union all
    select name, 5 + place from unnest($1::text[]) with ordinality as t (name, place)
), needed (place, statement) as (
    select 0, format('alter role %I createrole;', me.name) from me where not (me.rolsuper or me.rolcreaterole)
    union all
    select 1, 'create role service_role nologin noinherit bypassrls;' from me
    where to_regrole('service_role') is null and not (me.rolsuper or (me.rolbypassrls and me.is_modern))
    union all
    select 2, format('grant %s to %I with admin option;', string_agg(quote_ident(shared.name), ', ' order by shared.place), me.name)
    from me, shared
    where not me.rolsuper and (me.is_modern or not me.rolcreaterole)
      and (case when to_regrole(quote_ident(shared.name)) is null then shared.name = 'service_role' and not me.rolbypassrls
                else not pg_has_role(me.oid, to_regrole(quote_ident(shared.name)), 'MEMBER WITH ADMIN OPTION') end)
    group by me.name
    union all
    select 3, format('grant create on database %I to %I;', current_database(), me.name) from me
    where not has_database_privilege(me.oid, current_database(), 'CREATE')
)
select statement from needed order by place";

/// Owners of tables, the tables, and the names of the decisions whose they are.
const OWNERS: [(&str, &str, &str); 2] = [
    ("supabase_auth_admin", "auth.users", "auth_tables"),
    ("supabase_storage_admin", "storage.objects", "storage_tables"),
];

/// An extension that migrations create.
const VECTOR: &str = "create extension if not exists vector";

/// The SQLSTATE of a missing privilege.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Fails, with nothing changed, where the owner lacks a right that `behalf migrate` cannot do without.
pub(crate) async fn refuse_lacking(conn: &mut PgConnection, names: &LoginNames) -> Result<(), MigrateError> {
    let logins: Vec<String> = std::iter::once(names.host()).chain(names.tools()).collect();
    let owners = our_owners(conn).await?;
    let mut statements: Vec<String> =
        sqlx::query_scalar(MISSING).bind(&logins).bind(&owners).fetch_all(&mut *conn).await?;
    if !can_have_vector(conn).await? {
        statements.push("create extension vector;".to_owned());
    }
    if statements.is_empty() {
        return Ok(());
    }
    let row = sqlx::query("select current_user::text, current_database()::text").fetch_one(conn).await?;
    let statements = statements.iter().flat_map(|statement| ["\n  ", statement]).collect();
    Err(MigrateError::Lacking { role: row.try_get(0)?, database: row.try_get(1)?, statements })
}

/// The owners of tables that are this host's: no other platform had them before.
async fn our_owners(conn: &mut PgConnection) -> Result<Vec<&'static str>, MigrateError> {
    let has_decisions: bool =
        sqlx::query_scalar("select to_regclass('behalf.decisions') is not null").fetch_one(&mut *conn).await?;
    let mut ours = Vec::new();
    for (owner, table, decision) in OWNERS {
        let decided: Option<String> = if has_decisions {
            let read = sqlx::query_scalar("select value from behalf.decisions where name = $1").bind(decision);
            read.fetch_optional(&mut *conn).await?
        } else {
            None
        };
        let is_ours = match decided {
            Some(whose) => whose == "ours",
            None => sqlx::query_scalar("select to_regclass($1) is null").bind(table).fetch_one(&mut *conn).await?,
        };
        if is_ours {
            ours.push(owner);
        }
    }
    Ok(ours)
}

/// Whether the database has the extension or lets this role create it. Managed servers let roles that are no superusers, so it is tried,
/// and undone.
async fn can_have_vector(conn: &mut PgConnection) -> Result<bool, MigrateError> {
    let mut tx = conn.begin().await?;
    let tried = sqlx::raw_sql(VECTOR).execute(&mut *tx).await;
    tx.rollback().await?;
    match tried {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(refused)) if refused.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) => Ok(false),
        Err(error) => Err(MigrateError::NoVector(error)),
    }
}
