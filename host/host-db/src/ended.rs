//! How a transaction ended whose commit got no answer.

use std::borrow::Cow;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use behalf_problem::LogText as _;

use crate::HostDb;

/// How a transaction ended, as far as the server can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What it changed is there.
    Committed,
    /// What it changed is undone.
    RolledBack,
    /// The server did not answer in time, or no longer knows.
    Unknown,
}

/// How long a caller waits to be told. A server that restarts, or a standby that takes over, is there again in less.
const PATIENCE: Duration = Duration::from_secs(15);

/// Waits between two questions.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times();

/// NULL where the number is so old that the server has forgotten it; [`NOT_REACHED`] where it has not come to it.
const ASK: &str = "select pg_catalog.pg_xact_status($1::pg_catalog.text::pg_catalog.xid8)";

/// `invalid_parameter_value`: "transaction ID … is in the future" (`pg_xact_status` in `xid8funcs.c` of Postgres).
const NOT_REACHED: &str = "22023";

/// The question has to be asked again.
#[derive(Debug, thiserror::Error)]
enum Again {
    #[error("the transaction goes on")]
    Open,
    #[error("the server did not answer")]
    Database(#[from] sqlx::Error),
}

/// Asks the server how the transaction of this number ended, until it can say.
pub(crate) async fn how_ended(db: &HostDb, number: &str) -> Ended {
    let asked = (|| ask(db, number)).retry(BACKOFF).when(is_passing);
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => {
            tracing::error!(error = error.log_text(), "cannot see how a transaction ended");
            Ended::Unknown
        }
        Err(_) => {
            tracing::error!("cannot see how a transaction ended: the server does not answer");
            Ended::Unknown
        }
    }
}

async fn ask(db: &HostDb, number: &str) -> Result<Ended, Again> {
    let mut tx = db.begin_as_host().await?;
    let status: Option<String> = match sqlx::query_scalar(ASK).bind(number).fetch_one(&mut *tx).await {
        // The server crashed before it had written of the transaction, and has not come to the number again.
        Err(error) if code_of(&error).as_deref() == Some(NOT_REACHED) => return Ok(Ended::RolledBack),
        status => status?,
    };
    match status.as_deref() {
        Some("committed") => Ok(Ended::Committed),
        Some("aborted") => Ok(Ended::RolledBack),
        Some("in progress") => Err(Again::Open),
        _ => Ok(Ended::Unknown),
    }
}

/// Whether another question may be answered.
fn is_passing(error: &Again) -> bool {
    match error {
        Again::Open => true,
        Again::Database(error) => {
            !matches!(error, sqlx::Error::PoolClosed)
                && code_of(error)
                    .is_none_or(|code| ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)))
        }
    }
}

fn code_of(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}
