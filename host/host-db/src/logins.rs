//! The names of the database logins. They belong to the whole cluster, so each database of a cluster has a prefix of its own.

use behalf_identity::Role;
use thiserror::Error;

/// The prefix in the text of the migrations, and of the logins of a cluster's first database.
const DEFAULT: &str = "behalf";

/// The longest name ends with `_tool_authenticated`, and Postgres cuts names after 63 bytes.
const MAX_PREFIX: usize = 40;

/// The prefix cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "BEHALF_LOGIN_PREFIX {0:?} cannot begin the name of a login; use up to 40 lower-case letters, digits and underscores, \
     such as behalf_staging"
)]
pub struct PrefixError(String);

/// The names of the host's login and of the tools' logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginNames {
    prefix: String,
}

impl Default for LoginNames {
    fn default() -> Self {
        Self { prefix: DEFAULT.to_owned() }
    }
}

impl LoginNames {
    /// The names that begin with `prefix` and an underscore.
    pub fn new(prefix: &str) -> Result<Self, PrefixError> {
        let fine = prefix.len() <= MAX_PREFIX
            && prefix.starts_with(|first: char| first.is_ascii_lowercase())
            && prefix.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_')
            && !prefix.starts_with("pg_");
        if fine { Ok(Self { prefix: prefix.to_owned() }) } else { Err(PrefixError(prefix.to_owned())) }
    }

    /// The prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The host's own login.
    pub fn host(&self) -> String {
        format!("{}_host", self.prefix)
    }

    /// The login that reads changes of tables, where the owner made one of this name.
    pub fn replication(&self) -> String {
        format!("{}_replication", self.prefix)
    }

    /// The login that tools of this role use.
    pub fn tool(&self, role: Role) -> String {
        let role = match role {
            Role::Anon => "anon",
            Role::Authenticated => "authenticated",
            Role::Service => "service",
        };
        format!("{}_tool_{role}", self.prefix)
    }

    /// The logins of all roles.
    pub fn tools(&self) -> [String; 3] {
        Role::ALL.map(|role| self.tool(role))
    }

    /// A migration's text with these names in it. The prefix holds nothing that SQL would read otherwise.
    pub(crate) fn in_text(&self, sql: &str) -> String {
        if self.prefix == DEFAULT {
            return sql.to_owned();
        }
        // In two steps, because the prefix itself may hold the names that are looked for.
        let marked = sql.replace("behalf_host", "\u{1}_host").replace("behalf_tool_", "\u{1}_tool_");
        marked.replace('\u{1}', &self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_name() {
        for wrong in ["", "1st", "Behalf", "a-b", "a b", "a\"b", "pg_x", &"x".repeat(41)] {
            assert!(LoginNames::new(wrong).is_err(), "{wrong}");
        }
        let names = LoginNames::new("behalf_staging").expect("a prefix");
        assert_eq!(names.host(), "behalf_staging_host");
        assert_eq!(names.tool(Role::Authenticated), "behalf_staging_tool_authenticated");
    }

    #[test]
    fn a_migration_names_the_logins_of_its_database() {
        let names = LoginNames::new("two").expect("a prefix");
        let text = names.in_text("grant select on t to behalf_host, behalf_tool_anon; select behalf.f()");
        assert_eq!(text, "grant select on t to two_host, two_tool_anon; select behalf.f()");
        let odd = LoginNames::new("behalf_tool").expect("a prefix");
        assert_eq!(odd.in_text("to behalf_host, behalf_tool_anon"), "to behalf_tool_host, behalf_tool_tool_anon");
    }

    #[test]
    fn no_migration_names_a_login_in_a_form_that_is_not_replaced() {
        let names = LoginNames::new("two").expect("a prefix");
        let mut replaced = 0;
        for migration in crate::migrate::MIGRATIONS.iter() {
            let text = names.in_text(migration.sql.as_str());
            replaced += usize::from(text != migration.sql.as_str());
            // As in a pattern of LIKE, where `_` has to be escaped.
            let plain = text.replace('\\', "");
            for login in ["behalf_host", "behalf_tool"] {
                assert!(!plain.contains(login), "{} names {login} in another form", migration.description);
            }
        }
        assert!(replaced > 5, "only {replaced} migrations name a login");
    }
}
