//! How a transaction ended whose commit got no answer.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use behalf_host_db::HostDb;
use behalf_problem::LogText as _;

/// How a transaction ended, as far as the server can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
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

/// NULL where the number is so old that the server has forgotten it; an error where it has not come to it.
const ASK: &str = "select pg_catalog.pg_xact_status($1::pg_catalog.text::pg_catalog.xid8)";

/// The question has to be asked again.
#[derive(Debug, thiserror::Error)]
enum Again {
    #[error("the transaction goes on")]
    Open,
    #[error("the server did not answer")]
    Database(#[from] sqlx::Error),
}

/// Asks the server how the transaction of this number ended, until it can say.
pub(super) async fn how_ended(db: &HostDb, number: &str) -> Ended {
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
    let status: Option<String> = sqlx::query_scalar(ASK).bind(number).fetch_one(&mut *tx).await?;
    match status.as_deref() {
        Some("committed") => Ok(Ended::Committed),
        Some("aborted") => Ok(Ended::RolledBack),
        Some("in progress") => Err(Again::Open),
        _ => Ok(Ended::Unknown),
    }
}

/// Whether another question may be answered. A server that does not have the number never will.
fn is_passing(error: &Again) -> bool {
    match error {
        Again::Open => true,
        Again::Database(error) => {
            !matches!(error, sqlx::Error::PoolClosed)
                && error
                    .as_database_error()
                    .and_then(sqlx::error::DatabaseError::code)
                    .is_none_or(|code| ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)))
        }
    }
}
