//! The test bed: what the suite needs of a host and its database.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::call::{Call, CallRecord};
use crate::caller::Caller;
use crate::component::{Definitions, DefinitionsFailure, Facts, Refusal};

/// A host with the component under test, and a database with marked rows. The suite knows the host by this trait alone.
pub trait TestBed: Sync {
    /// Facts about the component.
    fn facts(&self) -> &Facts;

    /// Calls `definitions` this many times in one new instance, in a sandbox without capabilities.
    fn definitions(
        &self,
        times: usize,
    ) -> impl Future<Output = Result<Result<Definitions, DefinitionsFailure>, TestBedError>> + Send;

    /// Registers the component as an operator would, and links it.
    fn register(&self, setup: &Setup) -> impl Future<Output = Result<Result<(), Refusal>, TestBedError>> + Send;

    /// Changes grants and settings of the registered component. False if the host does not accept them.
    fn configure(&self, setup: &Setup) -> impl Future<Output = Result<bool, TestBedError>> + Send;

    /// Makes one call.
    fn call(&self, call: &Call) -> impl Future<Output = Result<CallRecord, TestBedError>> + Send;

    /// Makes several calls of one tool for one caller in the same instance, which no host does. All writes are rolled back.
    fn calls_in_one_instance(
        &self,
        caller: Caller,
        tool: &str,
        arguments: &[String],
        between: BetweenCalls,
    ) -> impl Future<Output = Result<Vec<CallRecord>, TestBedError>> + Send;

    /// Makes a call as a client does, cancels it after this time, and waits until the host has cleaned up.
    fn cancelled_call(&self, call: &Call, after: Duration) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// All rows, as the owner of the tables sees them.
    fn rows(&self) -> impl Future<Output = Result<Rows, TestBedError>> + Send;

    /// Restores all rows and documents to their state at the start, and forgets memories.
    fn restore(&self) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// Deletes the rows of this user, as the owner, and their documents.
    fn delete_rows(&self, caller: Caller) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// Makes statements of callers on this table fail.
    fn deny(&self, table: &str, statements: DeniedStatements) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// Ends the effect of [`Self::deny`].
    fn allow(&self) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// Makes every operation on objects fail, or no longer.
    fn deny_objects(&self, denied: bool) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// Makes every search in knowledge bases fail, or no longer.
    fn fail_searches(&self, failing: bool) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// Makes every operation on memories fail, or no longer.
    fn fail_memories(&self, failing: bool) -> impl Future<Output = Result<(), TestBedError>> + Send;

    /// Sends HTTP requests and records their answers, or no longer.
    fn record_http(&self, recording: bool) -> impl Future<Output = Result<(), TestBedError>> + Send;
}

/// The test bed itself failed, so the suite can say nothing of the component.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct TestBedError(pub String);

/// Grants and settings of a plugin, in the form of `POST /api/plugins`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// What the plugin may do.
    pub grants: Value,
    /// The values that the operator set.
    pub settings: Value,
}

/// What the test bed does before the last of several calls in one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetweenCalls {
    /// Nothing.
    Nothing,
    /// It deletes the rows of this caller.
    DeleteRows(Caller),
}

/// The statements that [`TestBed::deny`] makes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedStatements {
    /// All.
    All,
    /// Those that change rows.
    Writes,
}

/// All rows, by table.
pub type Rows = BTreeMap<String, Vec<Value>>;
