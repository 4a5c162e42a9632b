//! Tables as the catalogue has them: columns, keys, and who may read what. Kept for some seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use behalf_caller_db::VisibleTable;
use behalf_host_db::{HostDb, ReadError};
use behalf_replication::Relation;
use tokio::time::Instant;

/// How long a table is taken for what it was. The log tells of most changes of it at once; of a right to a schema it does not.
const KEPT: Duration = Duration::from_secs(5);

/// How many are kept.
const MOST: usize = 1_000;

/// The published tables of this schema and name; `*` is any schema, and none any table.
const PUBLISHED: &str = "
    select c.oid::text
    from pg_publication_tables p join pg_namespace n on n.nspname = p.schemaname
    join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
    where p.pubname = $1 and ($2 = '*' or p.schemaname = $2) and ($3::text is null or p.tablename = $3)
    order by c.oid limit 1000";

/// What changes are published of.
pub(super) const PUBLICATION: &str = "supabase_realtime";

/// The tables.
#[derive(Debug)]
pub(super) struct Tables {
    host: HostDb,
    kept: Mutex<HashMap<u32, (Instant, Arc<VisibleTable>)>>,
}

impl Tables {
    pub(super) fn new(host: HostDb) -> Self {
        Self { host, kept: Mutex::default() }
    }

    /// The oids of published tables.
    pub(super) async fn published(&self, schema: &str, table: Option<&str>) -> Result<Vec<u32>, ReadError> {
        let rows = self.host.read(PUBLISHED, &[Some(PUBLICATION), Some(schema), table]).await?;
        Ok(rows.iter().filter_map(|row| row.text(0)?.parse().ok()).collect())
    }

    /// A table. None where it is gone.
    pub(super) async fn get(&self, oid: u32) -> Result<Option<Arc<VisibleTable>>, ReadError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&oid).cloned();
        if let Some((since, table)) = kept
            && since.elapsed() < KEPT
        {
            return Ok(Some(table));
        }
        let since = Instant::now();
        let Some(table) = VisibleTable::read(&self.host, oid).await? else {
            self.forget(&[oid]);
            return Ok(None);
        };
        let table = Arc::new(table);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(oid, (since, Arc::clone(&table)));
        Ok(Some(table))
    }

    /// The table that a change is about. It is read again where it had another name or lacked a column that the change has.
    pub(super) async fn of(&self, relation: &Relation) -> Result<Option<Arc<VisibleTable>>, ReadError> {
        let Some(table) = self.get(relation.oid).await? else { return Ok(None) };
        let is_same = *table.name == *relation.name
            && *table.schema == *relation.schema
            && relation.columns.iter().all(|column| table.column(&column.name).is_some());
        if is_same {
            return Ok(Some(table));
        }
        self.forget(&[relation.oid]);
        self.get(relation.oid).await
    }

    /// Reads these again when they are next asked for.
    pub(super) fn forget(&self, tables: &[u32]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        tables.iter().for_each(|oid| drop(kept.remove(oid)));
    }
}
