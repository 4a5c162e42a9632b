//! The root, which describes the interface.

use super::{Access, Context, Plan};
use crate::answer::{Kind, Reply, ReplyHead};
use crate::error::RestError;
use crate::options::OpenApiMode;
use crate::request::Method;
use crate::request::media::Media;
use crate::sql::Sql;

pub(super) fn plan(context: &Context<'_>) -> Result<Plan, RestError> {
    if context.options.openapi == OpenApiMode::Disabled {
        return Err(RestError::openapi_disabled());
    }
    let known = |media: &Media| matches!(media, Media::OpenApi | Media::Json | Media::Any);
    if !context.accepted.iter().any(known) {
        let accepted: Vec<String> = context.accepted.iter().map(Media::mime).collect();
        return Err(RestError::media(&accepted.join(", ")));
    }
    let mut sql = Sql::new();
    match context.options.openapi {
        OpenApiMode::FollowPrivileges => {
            sql.push("select pg_catalog.json_build_object('tables', (");
            sql.push(TABLES).param(context.schema.as_str()).push("), 'functions', (");
            sql.push(FUNCTIONS).param(context.schema.as_str()).push("))::pg_catalog.text");
        }
        OpenApiMode::IgnorePrivileges | OpenApiMode::Disabled => _ = sql.push("select null::pg_catalog.text"),
    }
    let reply = Reply {
        kind: Kind::Describe,
        head: ReplyHead {
            preferences: context.preferences.clone(),
            media: Media::OpenApi,
            is_bytes: false,
            profile: context.profile(),
            offset: 0,
            is_head: context.request.method == Method::Head,
            max_rows: None,
        },
    };
    context.plan(Access::Read, sql.finish()?, None, "root".to_owned(), reply)
}

const TABLES: &str = "\
select coalesce(pg_catalog.json_agg(c.relname), '[]') from pg_catalog.pg_class c \
join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
where c.relkind in ('v', 'r', 'm', 'f', 'p') and not c.relispartition and (\
pg_catalog.pg_has_role(c.relowner, 'USAGE') \
or pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') \
or pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')) and n.nspname = ";

const FUNCTIONS: &str = "\
select coalesce(pg_catalog.json_agg(distinct p.proname), '[]') from pg_catalog.pg_proc p \
join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
where p.prokind = 'f' and pg_catalog.has_function_privilege(p.oid, 'EXECUTE') and n.nspname = ";
