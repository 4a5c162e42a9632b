//! Whether the hook for access tokens can be called, asked before anybody signs in.

use behalf_host_db::HostDb;

/// What stands in the way of the hook. The catalogue is read, so that it does not matter what the asker may use.
const STATE: &str = "
    select case
        when r.oid is null then 'unserved'
        when p.oid is null then 'missing'
        when not has_schema_privilege(r.oid, n.oid, 'USAGE') then 'schema closed'
        when not has_function_privilege(r.oid, p.oid, 'EXECUTE') then 'closed'
        else 'callable' end
    from (values (split_part($1, '.', 1), split_part($1, '.', 2))) wanted (schema, name)
    left join pg_catalog.pg_namespace n on n.nspname = wanted.schema
    left join pg_catalog.pg_proc p on p.pronamespace = n.oid and p.proname = wanted.name and p.prokind = 'f'
        and p.pronargs = 1 and p.proargtypes[0] = 'pg_catalog.jsonb'::pg_catalog.regtype
    left join pg_catalog.pg_roles r on r.rolname = 'supabase_auth_admin'";

/// Whether a hook can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    /// It can.
    Callable,
    /// There is no function of this name that takes `jsonb`.
    Missing,
    /// The role that signs users in may not name the function's schema.
    SchemaClosed,
    /// The role that signs users in may not execute the function.
    Closed,
    /// There is no role that signs users in: they belong to another service, or nothing was migrated yet.
    Unserved,
}

/// Asks whether the function `schema.name` can be called as the hook for access tokens.
pub async fn examine_hook(db: &HostDb, function: &str) -> Result<HookState, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let state: String = sqlx::query_scalar(STATE).bind(function).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(match state.as_str() {
        "callable" => HookState::Callable,
        "missing" => HookState::Missing,
        "schema closed" => HookState::SchemaClosed,
        "closed" => HookState::Closed,
        _ => HookState::Unserved,
    })
}
