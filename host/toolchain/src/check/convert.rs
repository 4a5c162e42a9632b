//! Converts the host's types to those of the conformance suite.

use behalf_caller_db::StatementRecord;
use behalf_conformance::{CallRecord, DefinitionsFailure, Failure, Operation, Outcome, Refusal, Statement};
use behalf_problem::Problem as _;
use behalf_sandbox::{CallError, DefinitionsError, EgressRecord, OperationRecord, Report, StorageRecord};
use behalf_tools::{DefinitionError, RegisterError, Trial};

/// The record of one call.
pub(super) fn call_record(trial: Trial) -> CallRecord {
    let progress = |report| match report {
        Report::Progress(report) => {
            let total = report.total.map(|total| format!(" of {total}")).unwrap_or_default();
            format!("{}{total} {}", report.done, report.message.unwrap_or_default())
        }
        Report::Part(part) => part.json,
    };
    CallRecord {
        outcome: outcome(trial.result),
        log: trial.log.into_iter().map(|line| line.message.for_terminal().to_owned()).collect(),
        progress: trial.progress.into_iter().map(progress).collect(),
        statements: trial.statements.iter().filter(|one| store_operation(one).is_none()).map(statement).collect(),
        objects: trial.storage.iter().map(object_operation).collect(),
        texts: trial
            .operations
            .iter()
            .map(text_operation)
            .chain(trial.statements.iter().filter_map(store_operation))
            .collect(),
        requests: trial.egress.iter().map(request).collect(),
        duration: trial.duration,
        memory_bytes: trial.memory_bytes,
    }
}

/// The record of one of several calls in one instance, of which the outcome alone is known.
pub(super) fn outcome_record(result: Result<String, CallError>) -> CallRecord {
    CallRecord {
        outcome: outcome(result),
        log: Vec::new(),
        progress: Vec::new(),
        statements: Vec::new(),
        objects: Vec::new(),
        texts: Vec::new(),
        requests: Vec::new(),
        duration: std::time::Duration::ZERO,
        memory_bytes: 0,
    }
}

fn outcome(result: Result<String, CallError>) -> Outcome {
    let error = match result {
        Ok(json) => {
            return match serde_json::from_str(&json) {
                Ok(value) => Outcome::Result(value),
                Err(error) => Outcome::Failed(Failure::NotJson, error.to_string()),
            };
        }
        Err(CallError::Tool { code, message, .. }) => {
            return Outcome::Error { code, message: message.for_terminal().to_owned() };
        }
        Err(error) => error,
    };
    let failure = match &error {
        CallError::Trapped(_) => Failure::Trap,
        CallError::Deadline(_) => Failure::Deadline,
        CallError::Memory(_) => Failure::Memory,
        CallError::Output(_) => Failure::Output,
        CallError::HostCalls(_) | CallError::Handles => Failure::HostCalls,
        CallError::NotJson | CallError::Misfit(_) => Failure::NotJson,
        CallError::NotGranted(_) => Failure::NotGranted,
        CallError::Commit { .. } => Failure::Commit,
        CallError::Tool { .. }
        | CallError::Files
        | CallError::Busy
        | CallError::Interrupted
        | CallError::Unavailable
        | CallError::CutOff => Failure::Host,
    };
    Outcome::Failed(failure, error.detail())
}

fn statement(record: &StatementRecord) -> Statement {
    Statement {
        succeeded: record.verdict == "allowed" && record.sqlstate.is_none(),
        detail: record.sqlstate.as_ref().map_or_else(|| record.verdict.to_owned(), |state| format!("SQLSTATE {state}")),
    }
}

/// What a call did with its plugin's store, which the host notes among the statements.
fn store_operation(record: &StatementRecord) -> Option<Operation> {
    const NAMES: [&str; 5] = ["kv.get", "kv.set", "kv.replace", "kv.remove", "kv.keys"];
    let name = NAMES.into_iter().find(|name| record.fingerprint.as_deref() == Some(name))?;
    let Statement { succeeded, detail } = statement(record);
    Some(Operation { name, succeeded, detail: if succeeded { name.to_owned() } else { detail } })
}

fn object_operation(record: &StorageRecord) -> Operation {
    operation(record.operation, record.error)
}

fn text_operation(record: &OperationRecord) -> Operation {
    operation(record.operation, record.error)
}

fn request(record: &EgressRecord) -> Operation {
    let EgressRecord { method, host, port, error, .. } = record;
    let detail = format!("{method} {host}:{port}{}", error.map(|error| format!(" ({error})")).unwrap_or_default());
    Operation { name: "http.request", succeeded: error.is_none(), detail }
}

fn operation(name: &'static str, error: Option<&'static str>) -> Operation {
    Operation { name, succeeded: error.is_none(), detail: error.unwrap_or(name).to_owned() }
}

/// Why a component did not define its tools.
pub(super) fn definitions_failure(error: &DefinitionsError) -> DefinitionsFailure {
    match error {
        DefinitionsError::Run(CallError::Trapped(message)) if message.contains("without any capability") => {
            DefinitionsFailure::Capability(error_chain(error))
        }
        _ => DefinitionsFailure::Failed(error_chain(error)),
    }
}

/// Why a plugin was refused, where the plugin is to blame.
pub(super) fn refusal(error: &RegisterError) -> Option<Refusal> {
    let text = error.to_string();
    Some(match error {
        RegisterError::Definition(DefinitionError::Schema(_, "outputSchema", _)) => Refusal::OutputSchema(text),
        RegisterError::Definition(DefinitionError::Schema(..)) => Refusal::InputSchema(text),
        RegisterError::Definition(_) | RegisterError::Definitions(_) | RegisterError::Inspect(_) => {
            Refusal::Definitions(text)
        }
        RegisterError::Grants(_) => Refusal::Grants(text),
        _ => return None,
    })
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let message = inner.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        source = inner.source();
    }
    text
}
