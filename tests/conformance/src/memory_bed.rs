//! A test bed in memory, for tests of the suite: tools are functions, and tables are lists of rows.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use behalf_schema::Schema;
use serde_json::{Value, json};

use crate::call::{Call, CallRecord, Failure, Operation, Outcome, Statement};
use crate::caller::Caller;
use crate::component::{Definitions, DefinitionsFailure, Facts, Refusal};
use crate::test_bed::{BetweenCalls, DeniedStatements, Rows, Setup, TestBed, TestBedError};

/// A tool: what it does for a call.
pub(crate) type Work = fn(&mut Guest<'_>, &Value) -> Result<Value, String>;

/// One plugin with one tool, on a host and a database in memory.
pub(crate) struct MemoryBed {
    facts: Facts,
    definition: Value,
    work: Work,
    saved: Rows,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: Rows,
    denied: BTreeSet<String>,
    /// The last number that the database gave to a row; it never gives one twice.
    number: i64,
    may_write: bool,
}

/// What a tool reaches in a call.
pub(crate) struct Guest<'a> {
    state: &'a mut State,
    caller: Caller,
    read_only: bool,
    statements: Vec<Statement>,
    requests: Vec<Operation>,
}

impl Guest<'_> {
    /// The caller's rows of a table.
    pub(crate) fn select(&mut self, table: &str) -> Result<Vec<Value>, String> {
        self.statement(table)?;
        let subject = self.caller.subject();
        Ok(self.all(table).into_iter().filter(|row| row["owner"].as_str() == subject && subject.is_some()).collect())
    }

    /// All rows of a table that nobody protected.
    pub(crate) fn select_unprotected(&mut self, table: &str) -> Result<Vec<Value>, String> {
        self.statement(table)?;
        Ok(self.all(table))
    }

    /// Adds a row of the caller's.
    pub(crate) fn insert(&mut self, table: &str, mut row: Value) -> Result<Value, String> {
        self.write(table)?;
        self.state.number += 1;
        (row["number"], row["owner"]) = (json!(self.state.number), json!(self.caller.subject()));
        self.state.rows.entry(table.to_owned()).or_default().push(row.clone());
        Ok(row)
    }

    /// Removes the caller's rows whose column has this value, and returns them.
    pub(crate) fn delete(&mut self, table: &str, column: &str, value: &Value) -> Result<Vec<Value>, String> {
        self.write(table)?;
        let subject = json!(self.caller.subject());
        let is_meant = |row: &Value| row["owner"] == subject && row[column] == *value;
        let rows = self.state.rows.entry(table.to_owned()).or_default();
        let (gone, kept) = std::mem::take(rows).into_iter().partition(is_meant);
        *rows = kept;
        Ok(gone)
    }

    /// Puts a row back as it was.
    pub(crate) fn put(&mut self, table: &str, row: Value) {
        self.state.rows.entry(table.to_owned()).or_default().push(row);
    }

    /// Sends a statement with a text that was put together.
    pub(crate) fn select_text(&mut self, table: &str, sql: &str) -> Result<Vec<Value>, String> {
        if sql.matches('\'').count() % 2 == 1 {
            self.statements.push(Statement { succeeded: false, detail: "syntax".to_owned() });
            return Err("The statement is no SQL.".to_owned());
        }
        self.select(table)
    }

    /// A statement that the server refuses because of a row that is there.
    pub(crate) fn fail(&mut self) {
        self.statements.push(Statement { succeeded: false, detail: "SQLSTATE 23505".to_owned() });
    }

    /// Tries to send a request.
    pub(crate) fn send(&mut self) {
        let detail = "GET a.example:443 (denied)".to_owned();
        self.requests.push(Operation { name: "http.request", succeeded: false, detail });
    }

    fn all(&self, table: &str) -> Vec<Value> {
        self.state.rows.get(table).cloned().unwrap_or_default()
    }

    fn statement(&mut self, table: &str) -> Result<(), String> {
        let succeeded = !self.state.denied.contains(table) && self.caller != Caller::Anon;
        let detail = if succeeded { "allowed" } else { "SQLSTATE 42501" }.to_owned();
        self.statements.push(Statement { succeeded, detail });
        if succeeded { Ok(()) } else { Err(format!("The table {table} is not open to you.")) }
    }

    fn write(&mut self, table: &str) -> Result<(), String> {
        if self.read_only || !self.state.may_write {
            self.statements.push(Statement { succeeded: false, detail: "write_not_granted".to_owned() });
            return Err("Writing was not granted.".to_owned());
        }
        self.statement(table)
    }
}

impl MemoryBed {
    /// A plugin with the tool `work`; `definition` is what its definition has beside the name. The imports are those of its component.
    pub(crate) fn new(definition: &Value, imports: &[&str], rows: Rows, work: Work) -> Self {
        let mut whole = json!({"name": "work", "description": "Does the work.", "inputSchema": {"type": "object"}});
        for (name, value) in definition.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        let imports = imports.iter().map(|&import| import.to_owned()).collect();
        let facts = Facts { file: "work.wasm".to_owned(), size: 1, imports, ..Facts::default() };
        let state = State { rows: rows.clone(), may_write: true, ..State::default() };
        Self { facts, definition: whole, work, saved: rows, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with the lock")
    }

    fn run(&self, caller: Caller, tool: &str, arguments: &str, keep: bool) -> CallRecord {
        let mut state = self.state();
        let before = state.rows.clone();
        let read_only = self.definition.pointer("/annotations/readOnlyHint") == Some(&json!(true));
        let mut guest = Guest { state: &mut state, caller, read_only, statements: Vec::new(), requests: Vec::new() };
        let fits = Schema::new(&self.definition["inputSchema"]).expect("a schema");
        let refused = |message: &str| Outcome::Error { code: "refused".to_owned(), message: message.to_owned() };
        let mut outcome = match serde_json::from_str::<Value>(arguments) {
            Ok(arguments) if tool == "work" && fits.fits(&arguments) => match (self.work)(&mut guest, &arguments) {
                Ok(result) => Outcome::Result(result),
                Err(message) => refused(&message),
            },
            _ => refused("There is no such tool, or it takes no such arguments."),
        };
        let (statements, requests) = (guest.statements, guest.requests);
        let has_failed = statements.iter().any(|one| !one.succeeded && one.detail.starts_with("SQLSTATE"));
        if has_failed && matches!(outcome, Outcome::Result(_)) {
            outcome = Outcome::Failed(Failure::Commit, "A statement failed.".to_owned());
        }
        if !keep || !matches!(outcome, Outcome::Result(_)) {
            state.rows = before;
        }
        CallRecord {
            outcome,
            log: Vec::new(),
            progress: Vec::new(),
            statements,
            objects: Vec::new(),
            texts: Vec::new(),
            requests,
            duration: Duration::from_micros(1),
            memory_bytes: 1,
        }
    }
}

impl TestBed for MemoryBed {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    async fn definitions(&self, times: usize) -> Result<Result<Definitions, DefinitionsFailure>, TestBedError> {
        let answers = vec![json!([self.definition]).to_string(); times];
        Ok(Ok(Definitions { answers, start: Duration::from_micros(1), memory_bytes: 1 }))
    }

    async fn register(&self, _setup: &Setup) -> Result<Result<(), Refusal>, TestBedError> {
        Ok(Ok(()))
    }

    async fn configure(&self, setup: &Setup) -> Result<bool, TestBedError> {
        self.state().may_write = setup.grants.pointer("/database/access") == Some(&json!("write"));
        Ok(true)
    }

    async fn call(&self, call: &Call) -> Result<CallRecord, TestBedError> {
        Ok(self.run(call.caller, &call.tool, &call.arguments, call.keep))
    }

    async fn calls_in_one_instance(
        &self,
        caller: Caller,
        tool: &str,
        arguments: &[String],
        between: BetweenCalls,
    ) -> Result<Vec<CallRecord>, TestBedError> {
        let mut seen = Vec::new();
        for (place, arguments) in arguments.iter().enumerate() {
            if let (BetweenCalls::DeleteRows(caller), 1..) = (between, place) {
                self.delete_rows(caller).await?;
            }
            seen.push(self.run(caller, tool, arguments, false));
        }
        Ok(seen)
    }

    async fn cancelled_call(&self, call: &Call, _after: Duration) -> Result<(), TestBedError> {
        self.run(call.caller, &call.tool, &call.arguments, false);
        Ok(())
    }

    async fn rows(&self) -> Result<Rows, TestBedError> {
        let mut rows = self.state().rows.clone();
        rows.values_mut().for_each(|rows| rows.sort_by_key(Value::to_string));
        Ok(rows)
    }

    async fn restore(&self) -> Result<(), TestBedError> {
        self.state().rows = self.saved.clone();
        Ok(())
    }

    async fn delete_rows(&self, caller: Caller) -> Result<(), TestBedError> {
        let subject = json!(caller.subject());
        self.state().rows.values_mut().for_each(|rows| rows.retain(|row| row["owner"] != subject));
        Ok(())
    }

    async fn deny(&self, table: &str, _statements: DeniedStatements) -> Result<(), TestBedError> {
        self.state().denied.insert(table.to_owned());
        Ok(())
    }

    async fn allow(&self) -> Result<(), TestBedError> {
        self.state().denied.clear();
        Ok(())
    }

    async fn deny_objects(&self, _denied: bool) -> Result<(), TestBedError> {
        Ok(())
    }

    async fn fail_searches(&self, _failing: bool) -> Result<(), TestBedError> {
        Ok(())
    }

    async fn fail_memories(&self, _failing: bool) -> Result<(), TestBedError> {
        Ok(())
    }

    async fn record_http(&self, _recording: bool) -> Result<(), TestBedError> {
        Ok(())
    }
}
