//! `behalf:tool/kv`: a small store of the plugin's own, in the call's transaction.

mod bounds;
pub(crate) mod grant;

use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::{GuestDb, KvScope, KvWritten, StatementError};
use tokio::sync::Mutex;
use wasmtime::component::Linker;

use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, prepared, require_import};
use super::database::NoConnection;
use crate::bindings::behalf::tool::kv::{Error, Host, add_to_linker};
use crate::effects::Effects;
use crate::grants::{GrantError, Grants};
use crate::guest_time::timed;
use crate::imports::ImportedInterface;
use crate::memory::Charge;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};
use bounds::{check_key, check_limit, check_part, check_value, error};
use grant::{KvAccess, KvGrants, KvOwner};

/// Operations of one call.
const MAX_OPERATIONS: usize = 100;
/// Copies of what a guest gives or gets: its own, the statement's or the row's, and that of the connection.
const COPIES: usize = 3;

/// The store of one call. The default has none.
#[derive(Debug, Default)]
pub(crate) struct KvCtx {
    prepared: Option<CallKv>,
    operations: usize,
    spent: Duration,
}

/// The store that one call reaches.
#[derive(Debug)]
struct CallKv {
    /// None where the request of a call had no database.
    database: Option<Arc<Mutex<GuestDb>>>,
    /// Whether the caller has a store: each user has one, or all callers.
    has_store: bool,
}

impl KvCtx {
    /// Time that the host itself worked on the store. Time in which it waited is not counted.
    pub(crate) fn host_time(&self) -> Duration {
        self.spent
    }
}

impl View<'_, KvCtx> {
    /// Charges what the guest gave.
    fn charge(&self, texts: &[&str]) -> wasmtime::Result<Charge> {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        Ok(self.base.memory.charge(bytes.saturating_mul(COPIES))?)
    }

    /// Whether the call may do this at all. Counts it.
    fn begin(&mut self) -> wasmtime::Result<Result<Arc<Mutex<GuestDb>>, Error>> {
        self.base.host_calls.count()?;
        let call = prepared(self.ctx.prepared.as_ref())?;
        let database = call.database.clone().ok_or_else(|| wasmtime::format_err!("the call has no database"))?;
        self.ctx.operations += 1;
        Ok(if self.ctx.operations > MAX_OPERATIONS {
            Err(error("limit", format!("a call uses its store at most {MAX_OPERATIONS} times; keep more in one value")))
        } else if !call.has_store {
            Err(error("denied", "each user has a store of this plugin, and this call is made for no user"))
        } else {
            Ok(database)
        })
    }

    /// Runs one operation.
    async fn run<T>(
        &mut self,
        checked: Result<(), Error>,
        work: impl AsyncFnOnce(&mut GuestDb) -> Result<T, StatementError>,
    ) -> wasmtime::Result<Result<T, Error>> {
        let database = match self.begin()?.and_then(|database| checked.map(|()| database)) {
            Ok(database) => database,
            Err(error) => return Ok(Err(error)),
        };
        let mut spent = Duration::ZERO;
        let result = timed(async { work(&mut *database.lock().await).await }, &mut spent).await;
        self.ctx.spent += spent;
        match result {
            // As for a statement of the guest's own.
            Err(error) if error.code == StatementError::BUSY => Err(NoConnection.into()),
            result => Ok(result.map_err(|error| {
                self.base.met_outage |= error.is_outage();
                convert_error(&error)
            })),
        }
    }
}

impl Host for View<'_, KvCtx> {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        let _key = self.charge(&[&key])?;
        let value = self.run(check_key(&key), async |database| database.kv_get(&key).await).await?;
        if let Ok(Some(value)) = &value {
            drop(self.charge(&[value])?);
        }
        Ok(value)
    }

    async fn set(&mut self, key: String, value: String) -> wasmtime::Result<Result<(), Error>> {
        let _charge = self.charge(&[&key, &value])?;
        let checked = check_key(&key).and_then(|()| check_value(&value));
        let written = self.run(checked, async |database| database.kv_set(&key, &value).await).await?;
        Ok(written.and_then(written_or_full).map(drop))
    }

    async fn replace(
        &mut self,
        key: String,
        old: Option<String>,
        value: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let old_text = old.as_deref();
        let _charge = self.charge(&[&key, old_text.unwrap_or_default(), &value])?;
        let checked =
            check_key(&key).and_then(|()| old_text.map_or(Ok(()), check_value)).and_then(|()| check_value(&value));
        let written = self.run(checked, async |database| database.kv_replace(&key, old_text, &value).await).await?;
        Ok(written.and_then(written_or_full))
    }

    async fn remove(&mut self, key: String) -> wasmtime::Result<Result<bool, Error>> {
        let _key = self.charge(&[&key])?;
        self.run(check_key(&key), async |database| database.kv_remove(&key).await).await
    }

    async fn keys(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let after = after.as_deref();
        let _charge = self.charge(&[&prefix, after.unwrap_or_default()])?;
        let checked =
            check_part(&prefix).and_then(|()| check_part(after.unwrap_or_default())).and_then(|()| check_limit(limit));
        let keys = self.run(checked, async |database| database.kv_keys(&prefix, after, limit).await).await?;
        if let Ok(keys) = &keys {
            let bytes: usize = keys.iter().map(|key| size_of::<String>() + key.len()).sum();
            drop(self.base.memory.charge(bytes.saturating_mul(COPIES))?);
        }
        Ok(keys)
    }
}

/// Whether something was written, where the store was not the reason that nothing was.
fn written_or_full(written: KvWritten) -> Result<bool, Error> {
    match written {
        KvWritten::Done => Ok(true),
        KvWritten::Differs => Ok(false),
        KvWritten::ManyEntries => {
            Err(error("limit", "the store has as many entries as it may have; remove some first"))
        }
        KvWritten::ManyBytes => Err(error("limit", "the store has no room for this value; remove something first")),
    }
}

/// What a guest is told. What the database itself said is about a table that the guest does not know.
fn convert_error(error: &StatementError) -> Error {
    let (code, told) = match error.code {
        "limit" => ("limit", "the operation needs more than the host gives it"),
        "timeout" => ("timeout", "the store took too long; another call may be writing to the same key"),
        "aborted" => ("aborted", "an earlier statement of this call failed, so it can do nothing more with its store"),
        "not_granted" => ("not_granted", "this tool may not do this with its store"),
        _ => ("unavailable", "the host cannot use the store right now; try again shortly"),
    };
    let message = if error.sqlstate.is_some() || code == "unavailable" { told } else { error.message.for_caller() };
    Error { code: code.to_owned(), message: message.to_owned(), retryable: error.retryable }
}

/// The store of a plugin, where it was granted.
#[derive(Debug)]
pub(crate) struct Kv;

impl Capability for Kv {
    type Ctx = KvCtx;
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface { name: "kv", functions: &["get", "set", "replace", "remove", "keys"] }),
        }
    }

    fn is_granted(grants: &Grants) -> bool {
        grants.kv().is_some()
    }

    fn validate_grant(grants: &Grants, imports: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        let Some(grant) = grants.kv() else { return Ok(()) };
        require_import(imports, "kv", "behalf:tool/kv")?;
        grant.check()
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        let mine = mine.kv()?;
        theirs.kv().map_or(Some("its store"), |theirs| mine.exceeds(theirs))
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
        let shared = call.grants.kv().is_some_and(|grant| grant.scope == KvOwner::Plugin);
        view.ctx.prepared = Some(CallKv {
            database: call.database.cloned(),
            has_store: shared || call.request.principal.subject().is_some(),
        });
        Ok(())
    }
}

impl KvGrants {
    /// The store that a call with these effects reaches, for the call's database.
    pub fn store(&self, plugin: uuid::Uuid, effects: Effects) -> KvScope {
        KvScope {
            plugin,
            shared: self.scope == KvOwner::Plugin,
            writes: effects.writes_kv() && self.access == KvAccess::Write,
            max_entries: self.max_entries,
            max_bytes: self.max_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &'static str, sqlstate: Option<&str>) -> Error {
        let message = "permission denied for table entries".into();
        convert_error(&StatementError { code, sqlstate: sqlstate.map(str::to_owned), message, retryable: false })
    }

    #[test]
    fn what_the_database_says_of_its_own_table_is_not_told() {
        for (code, sqlstate, expected) in [
            ("forbidden", Some("42501"), "unavailable"),
            ("invalid", Some("42P01"), "unavailable"),
            ("constraint", Some("23514"), "unavailable"),
            ("unavailable", None, "unavailable"),
            ("timeout", Some("55P03"), "timeout"),
            ("aborted", Some("25P02"), "aborted"),
            ("limit", Some("53400"), "limit"),
        ] {
            let error = told(code, sqlstate);
            assert_eq!(error.code, expected, "{code}");
            assert!(!error.message.contains("entries"), "{code}: {}", error.message);
        }
        // The host's own sentences are for the guest.
        assert_eq!(told("limit", None).message, "permission denied for table entries");
    }

    #[test]
    fn a_full_store_is_an_error_and_another_value_is_none() {
        assert!(written_or_full(KvWritten::Done).is_ok_and(|written| written));
        assert!(written_or_full(KvWritten::Differs).is_ok_and(|written| !written));
        for full in [KvWritten::ManyEntries, KvWritten::ManyBytes] {
            assert_eq!(written_or_full(full).expect_err("an error").code, "limit");
        }
    }
}
