//! The grant that a refused statement lacks, for whoever writes the plugin or gives it grants.

use super::policy::Policy;
use super::refusal::Refusal;

/// What a grant lacks for a statement that was refused. It tells that a relation exists, which a refusal does not: it is for the
/// author and the operator, and for no caller and no model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingGrant {
    /// The right to change data.
    Write,
    /// A schema.
    Schema(String),
    /// A table, where the grant lists tables.
    Table {
        /// The table's schema, which is granted.
        schema: String,
        /// The table's name.
        name: String,
    },
}

impl Policy {
    /// What the grant lacks for a refused statement; none where no grant would do, such as for a relation that does not exist.
    pub fn missing_grant(&self, refusal: &Refusal) -> Option<MissingGrant> {
        match refusal {
            Refusal::ReadOnly { .. } => Some(MissingGrant::Write),
            Refusal::Relation { name, .. } => self.missing_relation(name),
            _ => None,
        }
    }

    fn missing_relation(&self, written: &str) -> Option<MissingGrant> {
        let (schema, name) = if let Some(both) = written.split_once('.') {
            both
        } else {
            let known = |schema: &&String| self.catalog.relation(schema, written).is_some();
            (self.search_path.iter().find(known)?.as_str(), written)
        };
        let is_system = schema.starts_with("pg_") || schema == "information_schema";
        let kind = self.catalog.relation(schema, name).filter(|kind| matches!(kind, 'r' | 'p' | 'v' | 'm' | 'f'));
        if is_system || kind.is_none() {
            return None;
        }
        Some(if self.grants_schema(schema) {
            MissingGrant::Table { schema: schema.to_owned(), name: name.to_owned() }
        } else {
            MissingGrant::Schema(schema.to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{catalog, grant};
    use crate::{DatabaseGrant, check};

    fn missing(policy: &Policy, sql: &str) -> Option<MissingGrant> {
        policy.missing_grant(&check(sql, policy).expect_err("it is refused"))
    }

    #[test]
    fn what_a_refused_statement_lacks_is_named_and_nothing_for_what_does_not_exist() {
        let all = Policy::new(grant(false), catalog());
        assert_eq!(missing(&all, "delete from notes"), Some(MissingGrant::Write));
        assert_eq!(missing(&all, "select 1 from private.secrets"), Some(MissingGrant::Schema("private".to_owned())));
        for nothing in
            ["select 1 from nots", "select 1 from private.nothing", "select 1 from pg_authid", "select pg_sleep(1)"]
        {
            assert_eq!(missing(&all, nothing), None, "{nothing}");
        }
        let tables = vec![("public".to_owned(), "notes".to_owned())];
        let few = Policy::new(DatabaseGrant { tables, ..grant(false) }, catalog());
        let orders = MissingGrant::Table { schema: "public".to_owned(), name: "orders".to_owned() };
        assert_eq!(missing(&few, "select 1 from orders"), Some(orders.clone()));
        assert_eq!(missing(&few, "select 1 from public.orders"), Some(orders));
    }
}
