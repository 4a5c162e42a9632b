//! Rows of a batch by whom they can be visible to, as far as that is known before policies are asked.
//!
//! Where policies show a row only to users whom its columns name, nobody else is asked. So a change costs the same however many users
//! follow the table.

use std::collections::HashMap;

use behalf_caller_db::VisibleTable;
use behalf_identity::Role;
use behalf_replication::{Cell, Kind};

use super::batch::Row;
use super::subscribers::Identity;

/// Numbers of rows, for each role.
#[derive(Debug, Default)]
pub(super) struct Candidates<'a>(HashMap<Role, ByOwner<'a>>);

#[derive(Debug, Default)]
struct ByOwner<'a> {
    /// Rows that policies decide about, or nothing does.
    of_anybody: Vec<usize>,
    /// Rows of one user, or of a few, by their ids.
    owned: HashMap<&'a str, Vec<usize>>,
}

/// Whom a row can be visible to.
enum Owners<'a> {
    Anybody,
    Only(Vec<&'a str>),
}

impl<'a> Candidates<'a> {
    /// Looks at a row. Rows are added in their order.
    pub(super) fn add(&mut self, number: usize, row: &'a Row, table: &VisibleTable) {
        for role in Role::ALL {
            let rows = self.0.entry(role).or_default();
            match owners(row, table, role) {
                Owners::Anybody => rows.of_anybody.push(number),
                Owners::Only(owners) => {
                    for owner in owners {
                        let of_owner = rows.owned.entry(owner).or_default();
                        // Two columns may name the same user.
                        if of_owner.last() != Some(&number) {
                            of_owner.push(number);
                        }
                    }
                }
            }
        }
    }

    /// The rows that an identity can see, in their order.
    pub(super) fn of(&self, identity: &Identity) -> Vec<usize> {
        let Some(rows) = self.0.get(&identity.principal.role()) else { return Vec::new() };
        let mut numbers = rows.of_anybody.clone();
        if identity.uids.is_empty() {
            // Who they are is only known to the policies.
            numbers.extend(rows.owned.values().flatten());
        }
        for uid in &identity.uids {
            numbers.extend(rows.owned.get(uid.as_str()).into_iter().flatten());
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

fn owners<'a>(row: &'a Row, table: &VisibleTable, role: Role) -> Owners<'a> {
    let columns = match table.owners(role) {
        Some(columns) if row.kind != Kind::Delete && table.is_judged(role) => columns,
        _ => return Owners::Anybody,
    };
    let mut named = Vec::with_capacity(columns.len());
    for column in columns {
        let cell = table.columns.get(*column).and_then(|column| row.new.get(row.place(&column.name)?));
        match cell {
            Some(Cell::Text(owner)) => named.push(&**owner),
            Some(Cell::Null) => {}
            // What the log does not have is left to the policies.
            Some(Cell::Unchanged | Cell::Cut) | None => return Owners::Anybody,
        }
    }
    Owners::Only(named)
}
