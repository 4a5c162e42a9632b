//! What an import did.

use behalf_dump::WantedTable as _;

use super::Wanted;

/// Reasons that are kept; beyond that they are only counted.
const MAX_REFUSED: usize = 1_000;

/// What an import did, or would do.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// `storage.buckets`.
    pub buckets: TableReport,
    /// `storage.objects`.
    pub objects: TableReport,
    /// The bytes of the objects that were added.
    pub bytes: u64,
    /// The first rows that were left out.
    pub refused: Vec<Refused>,
}

/// What became of the rows of one table.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableReport {
    /// Rows that were added.
    pub added: u64,
    /// Rows that are there already.
    pub kept: u64,
    /// Rows that were left out.
    pub refused: u64,
}

/// A row that was left out.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The table.
    pub table: &'static str,
    /// The line of the dump.
    pub line: u64,
    /// The id of the row.
    pub id: String,
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
    pub(super) fn refuse(&mut self, table: Wanted, line: u64, id: String, why: &'static str) {
        match table {
            Wanted::Buckets => self.buckets.refused += 1,
            Wanted::Objects => self.objects.refused += 1,
        }
        if self.refused.len() < MAX_REFUSED {
            self.refused.push(Refused { table: table.full_name(), line, id, why });
        }
    }
}
