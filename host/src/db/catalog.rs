//! What the database holds, as the gate needs to know it, and the policies made from it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use sqlx::{PgPool, Row};

use super::gate::{self, Catalog, CatalogRow, Policy};
use super::tool_pool::SEARCH_PATH;

/// A refused name asks the database again, at most this often: names come from strangers.
const MIN_AGE: Duration = Duration::from_millis(500);

/// The newest catalogue, shared by all calls.
#[derive(Debug)]
pub(super) struct CatalogCell {
    pool: PgPool,
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
    /// Reads the catalogue for the first time.
    pub(super) async fn load(pool: PgPool) -> Result<Self, sqlx::Error> {
        let (hash, catalog) = read(&pool).await?;
        let held = Held { version: 1, hash, catalog, read_at: Instant::now() };
        Ok(Self { pool, held: Mutex::new(held), refreshing: tokio::sync::Mutex::default() })
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads it again, unless that was done just now. True where it is another than `known`.
    pub(super) async fn refresh(&self, known: u64) -> Result<bool, sqlx::Error> {
        let _one_at_a_time = self.refreshing.lock().await;
        let held = self.held();
        if held.version == known && held.read_at.elapsed() > MIN_AGE {
            let (hash, catalog) = read(&self.pool).await?;
            let changed = hash != held.hash;
            let next = Held { version: held.version + u64::from(changed), hash, catalog, read_at: Instant::now() };
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = next;
            return Ok(changed);
        }
        Ok(held.version != known)
    }
}

async fn read(pool: &PgPool) -> Result<([u8; 32], Arc<Catalog>), sqlx::Error> {
    let mut tx = super::host_tx::begin_as_host(pool).await?;
    // Compiling the query would take longer than running it.
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

/// A plugin's database grant, with the policy made from it and the newest catalogue.
#[derive(Debug)]
pub struct DatabaseGrant {
    grant: gate::DatabaseGrant,
    made: Mutex<Option<(u64, Arc<Policy>)>>,
}

impl DatabaseGrant {
    /// What a plugin may reach: schemas, and tables of them as `(schema, table)` where not all.
    pub fn new(write: bool, schemas: Vec<String>, tables: Vec<(String, String)>) -> Self {
        let grant = gate::DatabaseGrant {
            write,
            schemas,
            tables,
            // Policies are written with them, and statements of users may use them as well.
            functions: gate::IDENTITY_FUNCTIONS.map(|(schema, name)| (schema.to_owned(), name.to_owned())).to_vec(),
            search_path: SEARCH_PATH.map(str::to_owned).to_vec(),
        };
        Self { grant, made: Mutex::default() }
    }

    /// Whether writing was granted.
    pub fn write(&self) -> bool {
        self.grant.write
    }

    /// The granted schemas.
    pub(super) fn schemas(&self) -> &[String] {
        &self.grant.schemas
    }

    /// The granted tables, empty for all.
    pub(super) fn tables(&self) -> &[(String, String)] {
        &self.grant.tables
    }

    /// The policy for the newest catalogue, and that one's version.
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
