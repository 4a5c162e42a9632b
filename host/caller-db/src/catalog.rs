//! The gate's catalog of the database, and the policies made from it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use behalf_host_db::HostDb;
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::tool_pool::SEARCH_PATH;
use behalf_gate::{self as gate, Catalog, CatalogRow, Policy};

/// After a refused name the catalog is read again, at most this often: guests can send any number of names.
const MIN_AGE: Duration = Duration::from_millis(500);

/// The newest catalog, shared by all calls.
#[derive(Debug)]
pub(super) struct CatalogCell {
    db: HostDb,
    held: Mutex<Held>,
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Held {
    version: u64,
    hash: [u8; 32],
    catalog: Arc<Catalog>,
    read_at: Instant,
}

impl CatalogCell {
    /// Reads the catalog for the first time.
    pub(super) async fn load(db: HostDb) -> Result<Self, sqlx::Error> {
        let (hash, catalog) = read(&db).await?;
        let held = Held { version: 1, hash, catalog, read_at: Instant::now() };
        Ok(Self { db, held: Mutex::new(held), refreshing: tokio::sync::Mutex::default() })
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the catalog again, unless that was done just now. Returns whether its version differs from `known`.
    pub(super) async fn refresh(&self, known: u64) -> Result<bool, sqlx::Error> {
        let _one_at_a_time = self.refreshing.lock().await;
        let held = self.held();
        if held.version == known && held.read_at.elapsed() > MIN_AGE {
            let (hash, catalog) = read(&self.db).await?;
            let changed = hash != held.hash;
            let next = Held { version: held.version + u64::from(changed), hash, catalog, read_at: Instant::now() };
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = next;
            return Ok(changed);
        }
        Ok(held.version != known)
    }
}

async fn read(db: &HostDb) -> Result<([u8; 32], Arc<Catalog>), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    // The server would take longer to compile the query than to run it.
    sqlx::query("set local jit = off").execute(&mut *tx).await?;
    let rows = sqlx::query(Catalog::QUERY).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    let mut hash = Sha256::new();
    let mut read = Vec::with_capacity(rows.len());
    for row in rows {
        let mut fields = CatalogRow::default();
        for (index, field) in fields.iter_mut().enumerate() {
            *field = row.try_get(index)?;
            hash.update(field.as_bytes());
            hash.update([0]);
        }
        read.push(fields);
    }
    Ok((hash.finalize().into(), Arc::new(Catalog::from_rows(read))))
}

/// A plugin's database grant, with the policy made from it and the newest catalog.
#[derive(Debug)]
pub struct DatabaseGrant {
    grant: gate::DatabaseGrant,
    /// Whether the plugin may write and the tool says that it only reads.
    is_narrowed: bool,
    made: Mutex<Option<(u64, Arc<Policy>)>>,
}

impl DatabaseGrant {
    /// A grant of schemas, limited to `tables` (`(schema, table)`) unless that list is empty.
    pub fn new(write: bool, schemas: Vec<String>, tables: Vec<(String, String)>) -> Self {
        let grant = gate::DatabaseGrant {
            write,
            schemas,
            tables,
            // Policies call these functions, and statements of tools may call them as well.
            functions: gate::IDENTITY_FUNCTIONS.map(|(schema, name)| (schema.to_owned(), name.to_owned())).to_vec(),
            search_path: SEARCH_PATH.map(str::to_owned).to_vec(),
        };
        Self { grant, is_narrowed: false, made: Mutex::default() }
    }

    /// This grant for tools that say of themselves that they only read.
    #[must_use]
    pub fn for_reading(self) -> Self {
        let is_narrowed = self.grant.write;
        Self { grant: gate::DatabaseGrant { write: false, ..self.grant }, is_narrowed, made: Mutex::default() }
    }

    /// Whether writing was granted to the plugin, and given up by the tool.
    pub(super) fn is_narrowed(&self) -> bool {
        self.is_narrowed
    }

    /// Whether writing was granted.
    pub fn write(&self) -> bool {
        self.grant.write
    }

    /// The granted schemas.
    pub(super) fn schemas(&self) -> &[String] {
        &self.grant.schemas
    }

    /// The granted tables; empty means all.
    pub(super) fn tables(&self) -> &[(String, String)] {
        &self.grant.tables
    }

    /// The policy for the newest catalog, and the catalog's version.
    pub(super) fn policy(&self, cell: &CatalogCell) -> (u64, Arc<Policy>) {
        let held = cell.held();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((version, policy)) if *version == held.version => (*version, Arc::clone(policy)),
            _ => {
                let policy = Arc::new(Policy::new(self.grant.clone(), held.catalog));
                *made = Some((held.version, Arc::clone(&policy)));
                (held.version, policy)
            }
        }
    }
}
