//! A check: one query of the system catalog.

/// A query of the system catalog. Each row is a finding: level, observation, fix.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    /// The observation where the query returns no rows.
    pub(super) sound: &'static str,
    pub(super) sql: &'static str,
}

/// A check's query, preceded by the common table expressions that all checks share.
macro_rules! sql {
    ($body:literal) => {
        concat!(include_str!("common.sql"), $body)
    };
}
pub(super) use sql;
