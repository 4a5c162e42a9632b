//! The policies on `ai.chunks`, as the catalogue has them.

use behalf_host_db::{HostDb, ReadError};
use behalf_identity::Role;

/// One row for each policy that holds for a role that reads, or one without a policy. Sessions of these reads have an empty search path,
/// so conditions name every relation, function and operator with its schema.
const READ: &str =
    "select c.relrowsecurity::text, p.polpermissive::text, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
         greatest(c.reltuples, 0)::pg_catalog.int8::pg_catalog.text
     from pg_catalog.pg_class c
     left join pg_catalog.pg_policy p on p.polrelid = c.oid and p.polcmd in ('r', '*')
         and (p.polroles = '{0}' or exists (select from pg_catalog.unnest(p.polroles) r(role)
             where r.role <> 0 and pg_catalog.pg_has_role($1::pg_catalog.text::pg_catalog.name, r.role, 'USAGE')))
     where c.oid = 'ai.chunks'::pg_catalog.regclass
     order by p.polname";

/// The policies that hold for a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Policies {
    /// Whether the table has row-level security at all.
    pub(super) enabled: bool,
    /// A row that one of these accepts can be seen. A policy without a condition is `None`: it accepts all.
    pub(super) permissive: Vec<Option<String>>,
    /// A row that one of these does not accept cannot be seen.
    pub(super) restrictive: Vec<Option<String>>,
}

impl Policies {
    /// Reads them, with the number of rows of the table as it was last counted.
    pub(super) async fn read(host: &HostDb, role: Role) -> Result<(Self, u64), ReadError> {
        let rows = host.read(READ, &[Some(role.as_str())]).await?;
        let (mut policies, mut chunks) = (Self::default(), 0);
        for row in &rows {
            chunks = row.text(3).and_then(|text| text.parse().ok()).unwrap_or_default();
            policies.enabled = row.text(0) == Some("true");
            let condition = row.text(2).map(str::to_owned);
            match row.text(1) {
                Some("true") => policies.permissive.push(condition),
                Some(_) => policies.restrictive.push(condition),
                None => {}
            }
        }
        Ok((policies, chunks))
    }
}
