//! `behalf:tool/database`: the project's database, as the caller.

mod convert;
pub(crate) mod grant;

use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db as db;
use tokio::sync::Mutex;
use wasmtime::component::Linker;

use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, prepared, require_import};
use crate::bindings::behalf::tool::database::{Error, Host, RowSet, Value, add_to_linker};
use crate::grants::{GrantError, Grants, subset};
use crate::guest_time::timed;
use crate::imports::ImportedInterface;
use crate::memory::Charge;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};
use convert::{convert_error, parameters, row_set, value_bytes};
use grant::{DatabaseAccess, DatabaseGrants};

/// The database of one call. The default has none.
#[derive(Debug, Default)]
pub(crate) struct DatabaseCtx {
    prepared: Option<CallDatabase>,
    spent: Duration,
}

/// None where the request of a call had no database, although one was granted.
#[derive(Debug)]
struct CallDatabase(Option<Arc<Mutex<db::GuestDb>>>);

impl DatabaseCtx {
    /// Time that the host itself worked on statements: the gate, the driver. Time in which it waited is not counted.
    pub(crate) fn host_time(&self) -> Duration {
        self.spent
    }
}

/// Copies of a statement and its parameters: as the guest gave them, as text, and in the buffer that is sent. Each counts as
/// its text, which is never much shorter than the others.
const COPIES: usize = 3;

/// The host has no connection for the caller; this ends the guest.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the host has no database connection for this call")]
pub(crate) struct NoConnection;

impl View<'_, DatabaseCtx> {
    /// The parameters of a statement, with a charge for it.
    fn parameters(&self, sql: &str, params: Vec<Value>) -> wasmtime::Result<Result<(Vec<db::Value>, Charge), Error>> {
        let bytes: usize = params.iter().map(value_bytes).sum::<usize>() + sql.len();
        let charge = self.base.memory.charge(bytes.saturating_mul(COPIES))?;
        Ok(parameters(params).map(|params| (params, charge)))
    }

    /// Runs one piece of database work.
    async fn with_database<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut db::GuestDb) -> Result<T, db::StatementError>,
    ) -> wasmtime::Result<Result<T, Error>> {
        self.base.host_calls.count()?;
        let CallDatabase(database) = prepared(self.ctx.prepared.as_ref())?;
        let database = database.as_ref().ok_or_else(|| wasmtime::format_err!("the database was not granted"))?;
        let mut spent = Duration::ZERO;
        let result = timed(async { work(&mut *database.lock().await).await }, &mut spent).await;
        self.ctx.spent += spent;
        match result {
            // The guest could do nothing about it, and would be blamed for what it makes of the error.
            Err(error) if error.code == db::StatementError::BUSY => Err(NoConnection.into()),
            result => Ok(result.map_err(|error| {
                self.base.met_outage |= error.is_outage();
                convert_error(error)
            })),
        }
    }
}

impl Host for View<'_, DatabaseCtx> {
    async fn query(&mut self, sql: String, params: Vec<Value>) -> wasmtime::Result<Result<RowSet, Error>> {
        let (params, mut charge) = match self.parameters(&sql, params)? {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error)),
        };
        let mut over = None;
        let mut fits = |bytes: usize| charge.grow(bytes).map_err(|error| over = Some(error)).is_ok();
        let rows = self.with_database(async |database| database.query_within(&sql, &params, &mut fits).await).await?;
        match (rows, over) {
            (_, Some(error)) => Err(error.into()),
            (Ok(rows), None) => Ok(Ok(row_set(rows.unwrap_or_default()))),
            (Err(error), None) => Ok(Err(error)),
        }
    }

    async fn execute(&mut self, sql: String, params: Vec<Value>) -> wasmtime::Result<Result<u64, Error>> {
        let (params, _charge) = match self.parameters(&sql, params)? {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error)),
        };
        self.with_database(async |database| database.execute(&sql, &params).await).await
    }

    async fn commit(&mut self) -> wasmtime::Result<Result<(), Error>> {
        self.with_database(async |database| database.commit().await).await
    }

    async fn describe(&mut self, schema: Option<String>) -> wasmtime::Result<Result<String, Error>> {
        let described = self.with_database(async |database| database.describe(schema.as_deref()).await).await?;
        // As in an answer: with the copy that the guest gets.
        let bytes = described.as_ref().map_or(0, String::len);
        let _charge = self.base.memory.charge(bytes.saturating_mul(2))?;
        Ok(described)
    }

    async fn begin_scope(&mut self) -> wasmtime::Result<Result<(), Error>> {
        self.with_database(async |database| database.begin_scope().await).await
    }

    async fn end_scope(&mut self, keep: bool) -> wasmtime::Result<Result<(), Error>> {
        self.with_database(async |database| database.end_scope(keep).await).await
    }
}

/// The caller's database, where it was granted.
#[derive(Debug)]
pub(crate) struct Database;

impl Capability for Database {
    type Ctx = DatabaseCtx;
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface {
                name: "database",
                functions: &["query", "execute", "commit", "describe", "begin-scope", "end-scope"],
            }),
        }
    }

    fn is_granted(grants: &Grants) -> bool {
        grants.database().is_some()
    }

    fn validate_grant(
        grants: &Grants,
        imports: &[ImportedInterface],
        exposed_schemas: &[String],
    ) -> Result<(), GrantError> {
        let Some(grant) = grants.database() else { return Ok(()) };
        require_import(imports, "database", "behalf:tool/database")?;
        if let Some(schema) = grant.schemas.iter().find(|schema| !exposed_schemas.contains(schema)) {
            return Err(GrantError::Schema(schema.clone()));
        }
        grant.tables().map(drop)
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        let mine = mine.database()?;
        theirs.database().map_or(Some("the database"), |theirs| exceeds(mine, theirs))
    }

    fn link<T: Holds<Self>>(linker: &mut Linker<T>, version: Version) -> wasmtime::Result<()> {
        match version {
            Version::V0_1 => add_to_linker::<T, HasView<Self>>(linker, T::view),
        }
    }

    async fn prepare(
        &self,
        (): &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        view.ctx.prepared = Some(CallDatabase(call.database.cloned()));
        Ok(())
    }
}

impl DatabaseGrants {
    /// The tables as schema and name.
    pub fn tables(&self) -> Result<Vec<(String, String)>, GrantError> {
        let split = |table: &String| match (table.split_once('.'), self.schemas.as_slice()) {
            (Some((schema, name)), schemas) if schemas.iter().any(|known| known == schema) => {
                Ok((schema.to_owned(), name.to_owned()))
            }
            (Some((schema, _)), _) => Err(GrantError::Schema(schema.to_owned())),
            (None, [schema]) => Ok((schema.clone(), table.clone())),
            (None, _) => Err(GrantError::Table(table.clone())),
        };
        self.tables.iter().map(split).collect()
    }
}

fn exceeds(mine: &DatabaseGrants, theirs: &DatabaseGrants) -> Option<&'static str> {
    if mine.access == DatabaseAccess::Write && theirs.access != DatabaseAccess::Write {
        return Some("writing to the database");
    }
    if !subset(&mine.schemas, &theirs.schemas) {
        return Some("schemas of the database");
    }
    if mine.max_rows > theirs.max_rows {
        return Some("rows of the database");
    }
    // No table means all of the schemas.
    let all_of_theirs = theirs.tables.is_empty();
    let fits = match (mine.tables(), theirs.tables()) {
        (Ok(mine), _) if !mine.is_empty() && all_of_theirs => true,
        (Ok(mine), Ok(theirs)) if !mine.is_empty() => subset(&mine, &theirs),
        (Ok(_), _) => all_of_theirs || mine.schemas.is_empty(),
        (Err(_), _) => false,
    };
    (!fits).then_some("tables of the database")
}
