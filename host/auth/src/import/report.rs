//! What an import did.

use std::collections::BTreeSet;

use behalf_dump::WantedTable as _;
use uuid::Uuid;

use super::Wanted;

/// Reasons that are kept; beyond that they are only counted.
const MAX_REFUSED: usize = 1_000;

/// What an import did, or would do.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// `auth.users`.
    pub users: TableReport,
    /// `auth.identities`.
    pub identities: TableReport,
    /// `auth.mfa_factors`.
    pub factors: TableReport,
    /// The first rows that were left out.
    pub refused: Vec<Refused>,
}

/// What became of the rows of one table.
#[derive(Clone, Debug, Default)]
pub struct TableReport {
    /// Rows that were added.
    pub added: u64,
    /// Rows that are there already, or belong to users who are.
    pub kept: u64,
    /// Rows that were left out.
    pub refused: u64,
    /// Columns of the dump that have no place here.
    pub ignored_columns: BTreeSet<String>,
}

/// A row that was left out.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The table.
    pub table: &'static str,
    /// The line of the dump.
    pub line: u64,
    /// The id of the row.
    pub id: Uuid,
    /// Why.
    pub why: &'static str,
}

impl TableReport {
    /// All rows.
    pub fn total(&self) -> u64 {
        self.added + self.kept + self.refused
    }
}

impl ImportReport {
    pub(super) fn of(&mut self, table: Wanted) -> &mut TableReport {
        match table {
            Wanted::Users => &mut self.users,
            Wanted::Identities => &mut self.identities,
            Wanted::Factors => &mut self.factors,
        }
    }

    pub(super) fn refuse(&mut self, table: Wanted, line: u64, id: Uuid, why: &'static str) {
        self.of(table).refused += 1;
        if self.refused.len() < MAX_REFUSED {
            self.refused.push(Refused { table: table.full_name(), line, id, why });
        }
    }
}
