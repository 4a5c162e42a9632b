//! Table `ai.run_feedback`: whether the answers of runs were good. Row-level security decides whose runs can be rated.

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use behalf_problem::{Kind, Problem};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whether an answer was good.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum Rating {
    /// A thumb up.
    Good,
    /// A thumb down.
    Bad,
}

/// Feedback on a run.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct Feedback {
    /// The run.
    pub(crate) run_id: String,
    /// The user who gave it; null where the service role gave it in its own name.
    pub(crate) user_id: Option<Uuid>,
    /// Whether the answer was good.
    pub(crate) rating: Rating,
    /// What the user says about the answer.
    pub(crate) comment: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
}

/// Feedback to store.
#[derive(Clone, Debug)]
pub(crate) struct NewFeedback {
    /// Whether the answer was good.
    pub(crate) rating: Rating,
    /// What the user says about the answer.
    pub(crate) comment: Option<String>,
}

/// Why there is no feedback to show, to store or to delete.
#[derive(Debug, Error)]
pub(crate) enum FeedbackError {
    /// No such run, or none that the caller sees.
    #[error("Run not found")]
    NoRun,
    /// The caller gave no feedback on the run.
    #[error("Feedback not found")]
    NoFeedback,
    /// The database failed.
    #[error("the feedback cannot be stored or read")]
    Database(#[from] sqlx::Error),
}

impl Problem for FeedbackError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoRun | Self::NoFeedback => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoRun | Self::NoFeedback => self.to_string(),
            Self::Database(error) => error.detail(),
        }
    }
}

macro_rules! columns {
    () => {
        "run_id, user_id, rating, comment, to_json(created_at) #>> '{}' as created_at,
         to_json(updated_at) #>> '{}' as updated_at"
    };
}

/// The table of feedback. The service role in its own name has feedback of its own, beside that of the run's user.
#[derive(Clone, Debug)]
pub(crate) struct FeedbackStore {
    db: HostDb,
}

impl FeedbackStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// The caller's feedback on a run.
    pub(crate) async fn find(&self, principal: &Principal, run_id: &str) -> Result<Feedback, FeedbackError> {
        let mut tx = self.db.begin(principal).await?;
        let found = sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from ai.run_feedback where run_id = $1 and user_id is not distinct from $2"
        ))
        .bind(run_id)
        .bind(principal.subject())
        .fetch_optional(&mut *tx)
        .await?;
        let result = match found {
            Some(feedback) => Ok(feedback),
            None => Err(why_none(&mut tx, run_id).await?),
        };
        tx.commit().await?;
        result
    }

    /// Stores the caller's feedback on a run, in place of earlier feedback.
    pub(crate) async fn store(
        &self,
        principal: &Principal,
        run_id: &str,
        new: &NewFeedback,
    ) -> Result<Feedback, FeedbackError> {
        let mut tx = self.db.begin(principal).await?;
        // The lock keeps the run until the feedback refers to it: it may be deleted at the same time.
        let stored = sqlx::query_as(concat!(
            "insert into ai.run_feedback (run_id, user_id, rating, comment)
             select run_id, $2, $3, $4 from ai.agent_runs where run_id = $1 for key share
             on conflict (run_id, user_id) do update
                set rating = excluded.rating, comment = excluded.comment, updated_at = now()
             returning ",
            columns!()
        ))
        .bind(run_id)
        .bind(principal.subject())
        .bind(new.rating)
        .bind(&new.comment)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        stored.ok_or(FeedbackError::NoRun)
    }

    /// Deletes the caller's feedback on a run.
    pub(crate) async fn delete(&self, principal: &Principal, run_id: &str) -> Result<(), FeedbackError> {
        let mut tx = self.db.begin(principal).await?;
        let done = sqlx::query("delete from ai.run_feedback where run_id = $1 and user_id is not distinct from $2")
            .bind(run_id)
            .bind(principal.subject())
            .execute(&mut *tx)
            .await?;
        let result = if done.rows_affected() > 0 { Ok(()) } else { Err(why_none(&mut tx, run_id).await?) };
        tx.commit().await?;
        result
    }
}

/// Tells a run without the caller's feedback from one that the caller does not see.
async fn why_none(tx: &mut HostTx, run_id: &str) -> Result<FeedbackError, sqlx::Error> {
    let sees_run: bool = sqlx::query_scalar("select exists (select from ai.agent_runs where run_id = $1)")
        .bind(run_id)
        .fetch_one(&mut **tx)
        .await?;
    Ok(if sees_run { FeedbackError::NoFeedback } else { FeedbackError::NoRun })
}
