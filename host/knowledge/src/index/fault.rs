//! Why a source could not be indexed, as its place in the base says it. The sentences are of the program's own.

use behalf_embeddings::EmbeddingError;
use behalf_problem::{LogText as _, Problem as _};
use behalf_queue::{Failure, Job};

use super::chat::ChatError;
use crate::chunking::CutError;

/// The code of a value that does not fit: the model has vectors of another size than the database knows.
const INVALID_PARAMETER: &str = "22023";

/// The code of the faults whose sentences are for users.
const CODE: &str = "index";

/// No further attempt would succeed, for this reason.
pub(super) fn failed(sentence: impl Into<String>) -> Failure {
    Failure::Final { code: CODE, message: sentence.into() }
}

/// What a user reads of a job that failed for good.
pub(super) fn sentence<'a>(code: &str, message: &'a str) -> &'a str {
    match code {
        CODE => message,
        "deadline" => "Indexing took too long.",
        "owner_gone" => "Whoever added it may not have it indexed any more.",
        "host_lost" => "The host that indexed it stopped again and again.",
        _ => "The host could not index it. Have it indexed again; the operator's log says what failed.",
    }
}

/// A document that cannot be cut.
pub(super) fn of_cut(error: CutError) -> Failure {
    match error {
        CutError::Stopped => Failure::Stopped,
        error => failed(error.to_string()),
    }
}

/// A model without an answer. What may be over soon is tried again.
pub(super) fn of_embedding(job: &Job, error: EmbeddingError) -> Failure {
    if error.retryable() && !job.is_last_attempt {
        return Failure::retry(error);
    }
    tracing::warn!(job.id = %job.id, error = error.log_text(), "texts of a source have no vectors");
    failed(format!("No vectors could be made: {}.", error.detail()))
}

/// The same for a chat model.
pub(super) fn of_chat(job: &Job, error: ChatError) -> Failure {
    match error {
        ChatError::Model(error) if error.retryable() && !job.is_last_attempt => Failure::retry(error),
        // Another answer may have the right form.
        ChatError::Form(_) if !job.is_last_attempt => Failure::retry(error),
        ChatError::Model(error) => failed(format!("The chat model could not read it: {error}.")),
        error @ ChatError::Form(_) => failed(format!("{error}.")),
    }
}

/// The database does not take a model.
pub(super) fn of_model(error: sqlx::Error) -> Failure {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.is_some_and(|code| code == INVALID_PARAMETER) {
        return failed("The embedding model has vectors of another size than it had here before.");
    }
    error.into()
}
