//! What has to be there before `/auth/v1` is served, and its background work.

use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Next};
use behalf_passwords::Hasher;
use behalf_problem::LogText as _;
use behalf_queue::Workers;
use thiserror::Error;

use crate::options::AuthOptions;
use crate::session::prune;
use crate::store::users;

/// Why `/auth/v1` cannot be served on this database.
#[derive(Debug, Error)]
pub enum TablesError {
    /// Another service keeps its users in this database.
    #[error(
        "the table auth.users belongs to another service, whose users this host does not sign in; set BEHALF_AUTH to off, or to \
         the address where they sign in"
    )]
    Theirs,
    /// The host cannot use the tables.
    #[error("the tables of users cannot be used; run behalf migrate, or set BEHALF_AUTH=off")]
    Unusable(#[source] sqlx::Error),
}

/// Checks that the tables of users are this host's, and usable.
pub async fn check_tables(db: &HostDb) -> Result<(), TablesError> {
    let ours = async {
        let mut tx = db.begin_auth().await?;
        let decided: Option<String> =
            sqlx::query_scalar("select value from behalf.decisions where name = 'auth_tables'")
                .fetch_optional(&mut *tx)
                .await?;
        sqlx::query("select from auth.users, auth.sessions, auth.refresh_tokens limit 0").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(decided.as_deref() == Some("ours"))
    };
    match ours.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(TablesError::Theirs),
        // Where the tables are another service's, the host may not become their owner.
        Err(error) if is_theirs(db).await => {
            tracing::debug!(error = error.log_text(), "the tables of users are not this host's");
            Err(TablesError::Theirs)
        }
        Err(error) => Err(TablesError::Unusable(error)),
    }
}

async fn is_theirs(db: &HostDb) -> bool {
    let decided = async {
        let mut tx = db.begin_as_host().await?;
        sqlx::query_scalar::<_, String>("select value from behalf.decisions where name = 'auth_tables'")
            .fetch_optional(&mut *tx)
            .await
    };
    matches!(decided.await, Ok(Some(value)) if value == "theirs")
}

/// How soon the kinds of hashes are read again if that failed.
const RETRY: Duration = Duration::from_secs(10);

/// Starts the background work: deletes what is over, and tells `hasher` which kinds of hashes accounts have, so that checks of all
/// of them take the same time.
pub fn start(db: &HostDb, hasher: &Hasher, options: &AuthOptions, jobs: &Jobs, workers: &mut Workers) {
    prune(db.clone(), options, workers);
    let (db, hasher) = (db.clone(), hasher.clone());
    jobs.every("kinds-of-hashes", RETRY, move || {
        let (db, hasher) = (db.clone(), hasher.clone());
        async move {
            let mut tx = db.begin_auth().await?;
            users::kinds_of_hashes(&mut tx).await?.iter().for_each(|kind| hasher.expect(kind));
            tx.commit().await.map(|()| Next::End)
        }
    });
}
