//! Users of a dump of another project's schema `auth`: with their ids, hashes, metadata and times, their identities and their second
//! factors. Sessions are not taken over, nor codes in letters that are under way.
//!
//! One transaction adds all of it or nothing. A user who is there already stays as they are, with nothing added: a dump must not
//! be able to give an account here another way in.

mod report;
mod rows;

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use behalf_dump::{Block, Dump, DumpError, WantedTable};
use behalf_host_db::{AuditAction, AuditEvent, AuthTx, HostDb, SealError, Sealer};
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use crate::start::{TablesError, check_tables};
use crate::store::factor_secrets;
use crate::store::imported::{self, Stored};
use rows::Checked;

pub use report::{ImportReport, Refused, TableReport};

const USERS_IMPORTED: AuditAction = AuditAction::new("users.imported");

/// Rows that are written with one statement.
const BATCH: usize = 500;

/// Why a dump is not imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The dump cannot be read.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The dump has no users.
    #[error("the dump has no rows of auth.users; make one with pg_dump --data-only --schema=auth")]
    NoUsers,
    /// The tables of users cannot be used.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// The secret of a second factor cannot be encrypted.
    #[error("the secret of a second factor cannot be encrypted")]
    Seal(#[from] SealError),
    /// The database failed, or a trigger of the app did.
    #[error("the database did not take the users; look at the app's triggers on auth.users")]
    Database(#[from] sqlx::Error),
}

/// A table whose rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Users,
    Identities,
    Factors,
}

impl WantedTable for Wanted {
    fn of(schema: &str, name: &str) -> Option<Self> {
        match (schema, name) {
            ("auth", "users") => Some(Self::Users),
            ("auth", "identities") => Some(Self::Identities),
            ("auth", "mfa_factors") => Some(Self::Factors),
            _ => None,
        }
    }

    fn full_name(self) -> &'static str {
        match self {
            Self::Users => "auth.users",
            Self::Identities => "auth.identities",
            Self::Factors => "auth.mfa_factors",
        }
    }
}

/// How to import.
pub struct ImportOptions<'a> {
    /// Encrypts the secrets of second factors.
    pub sealer: &'a Sealer,
    /// Whether all is tried and nothing is kept.
    pub dry_run: bool,
    /// Is told how many bytes were read; each file is read twice.
    pub progress: &'a (dyn Fn(u64) + Send + Sync),
}

/// Adds the users of a dump.
pub async fn import(db: &HostDb, file: &Path, options: &ImportOptions<'_>) -> Result<ImportReport, ImportError> {
    check_tables(db).await?;
    let mut work = Work { tx: db.begin_auth().await?, added: HashSet::new(), report: ImportReport::default(), options };
    // Identities stand before the users whom they belong to.
    let users = work.read(file, 0, &[Wanted::Users]).await?;
    if work.report.users.total() == 0 {
        return Err(ImportError::NoUsers);
    }
    work.read(file, users, &[Wanted::Identities, Wanted::Factors]).await?;
    let Work { tx, report, .. } = work;
    if !options.dry_run {
        let details = json!({
            "users": report.users.added, "identities": report.identities.added, "factors": report.factors.added,
        });
        let (object, request_id, user_id) = (None, None, None);
        let event = AuditEvent { action: USERS_IMPORTED, user_id, object, request_id, details };
        tx.commit_with(&event, None).await?;
    }
    Ok(report)
}

/// An import under way.
struct Work<'a> {
    tx: AuthTx,
    /// The users whom this import added.
    added: HashSet<Uuid>,
    report: ImportReport,
    options: &'a ImportOptions<'a>,
}

/// A row that waits to be written.
struct Waiting {
    line: u64,
    id: Uuid,
    values: Value,
}

impl Work<'_> {
    /// Reads the whole file for some of its tables, and returns how many bytes it has.
    async fn read(&mut self, file: &Path, before: u64, tables: &[Wanted]) -> Result<u64, ImportError> {
        let mut dump = Dump::<_, Wanted>::new(BufReader::new(File::open(file).map_err(DumpError::Read)?));
        while let Some(block) = dump.next_block()? {
            let is_wanted = tables.contains(&block.table);
            if is_wanted {
                self.report.of(block.table).ignored_columns.extend(rows::unknown(&block));
            }
            let mut batch = Vec::new();
            while let Some(row) = dump.next_row(&block)? {
                if !is_wanted {
                    continue;
                }
                let checked = rows::check(&block, &row).map_err(|fault| dump.wrong(&fault))?;
                batch.extend(self.sort(block.table, row.line, checked)?);
                if batch.len() >= BATCH {
                    (self.options.progress)(before + dump.bytes());
                    self.write(&block, std::mem::take(&mut batch)).await?;
                }
            }
            self.write(&block, batch).await?;
        }
        (self.options.progress)(before + dump.bytes());
        Ok(dump.bytes())
    }

    /// The row, if it is to be written.
    fn sort(&mut self, table: Wanted, line: u64, checked: Checked) -> Result<Option<Waiting>, ImportError> {
        let (id, user, mut values) = match checked {
            Checked::Unfit { id, why } => {
                self.report.refuse(table, line, id, why);
                return Ok(None);
            }
            Checked::Fit { id, user, values } => (id, user, values),
        };
        if table != Wanted::Users && !self.added.contains(&user) {
            self.report.of(table).kept += 1;
            return Ok(None);
        }
        if let (Wanted::Factors, Some(secret)) = (table, values["secret"].as_str()) {
            values["secret"] = factor_secrets::close(self.options.sealer, id, secret)?.into();
        }
        Ok(Some(Waiting { line, id, values }))
    }

    async fn write(&mut self, block: &Block<Wanted>, batch: Vec<Waiting>) -> Result<(), ImportError> {
        if batch.is_empty() {
            return Ok(());
        }
        let values: Value = batch.iter().map(|row| row.values.clone()).collect();
        let Stored { added, present } = match block.table {
            Wanted::Users => imported::add_users(&mut self.tx, &values).await?,
            Wanted::Identities => imported::add_identities(&mut self.tx, &values).await?,
            Wanted::Factors => imported::add_factors(&mut self.tx, &values).await?,
        };
        let mut added: HashSet<Uuid> = added.into_iter().collect();
        for row in batch {
            // A second row of one id finds its id taken.
            if added.remove(&row.id) {
                self.report.of(block.table).added += 1;
                if block.table == Wanted::Users {
                    self.added.insert(row.id);
                }
            } else if present.contains(&row.id) {
                self.report.of(block.table).kept += 1;
            } else {
                self.report.refuse(block.table, row.line, row.id, taken(block.table));
            }
        }
        Ok(())
    }
}

fn taken(table: Wanted) -> &'static str {
    match table {
        Wanted::Users => "another user has its address or its number",
        Wanted::Identities => "this user of the provider is linked to another user",
        Wanted::Factors => "another factor of the user has its name",
    }
}
