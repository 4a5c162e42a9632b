//! The policies on `ai.chunks` and `ai.sources`, as the catalogue has them.

use behalf_host_db::{HostDb, ReadError};
use behalf_identity::Role;

/// One row for each policy of a table that holds for a role that reads, or one without a policy. Sessions of these reads have an empty
/// search path, so conditions name every relation, function and operator with its schema.
const READ: &str =
    "select c.relname::pg_catalog.text, c.relrowsecurity::text, p.polpermissive::text, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
         greatest(c.reltuples, 0)::pg_catalog.int8::pg_catalog.text
     from pg_catalog.pg_class c
     left join pg_catalog.pg_policy p on p.polrelid = c.oid and p.polcmd in ('r', '*')
         and (p.polroles = '{0}' or exists (select from pg_catalog.unnest(p.polroles) r(role)
             where r.role <> 0 and pg_catalog.pg_has_role($1::pg_catalog.text::pg_catalog.name, r.role, 'USAGE')))
     where c.oid in ('ai.chunks'::pg_catalog.regclass, 'ai.sources'::pg_catalog.regclass)
     order by c.relname, p.polname";

/// The policies that hold for a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Policies {
    /// Those on `ai.chunks`.
    pub(super) chunks: TablePolicies,
    /// Those on `ai.sources`, which those on chunks often ask.
    pub(super) sources: TablePolicies,
}

/// The policies of a table that hold for a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct TablePolicies {
    /// Whether the table has row-level security at all.
    pub(super) enabled: bool,
    /// A row that one of these accepts can be seen. A policy without a condition is `None`: it accepts all.
    pub(super) permissive: Vec<Option<String>>,
    /// A row that one of these does not accept cannot be seen.
    pub(super) restrictive: Vec<Option<String>>,
}

/// Rows of the tables, as they were last counted; 0 where nobody did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) chunks: u64,
    pub(super) sources: u64,
}

impl Policies {
    /// Reads them, with the numbers of rows.
    pub(super) async fn read(host: &HostDb, role: Role) -> Result<(Self, Counted), ReadError> {
        let rows = host.read(READ, &[Some(role.as_str())]).await?;
        let (mut policies, mut counted) = (Self::default(), Counted::default());
        for row in &rows {
            let number = row.text(4).and_then(|text| text.parse().ok()).unwrap_or_default();
            let table = if row.text(0) == Some("chunks") {
                counted.chunks = number;
                &mut policies.chunks
            } else {
                counted.sources = number;
                &mut policies.sources
            };
            table.enabled = row.text(1) == Some("true");
            let condition = row.text(3).map(str::to_owned);
            match row.text(2) {
                Some("true") => table.permissive.push(condition),
                Some(_) => table.restrictive.push(condition),
                None => {}
            }
        }
        Ok((policies, counted))
    }
}
