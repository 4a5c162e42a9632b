//! Whether sessions still exist: the lookup for whoever verifies tokens, and the news of those that ended.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_identity::{SessionStore, Verifier};
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use futures::future::BoxFuture;
use sqlx::postgres::PgListener;
use uuid::Uuid;

use crate::store::sessions;

/// The channel on which a session's end is told.
const CHANNEL: &str = "behalf_session_ended";

/// The pause before another try to listen.
const RETRY: Duration = Duration::from_secs(1);

/// Looks sessions up in the database.
#[derive(Clone, Debug)]
pub struct Sessions(HostDb);

impl Sessions {
    /// The sessions in `db`.
    pub fn new(db: HostDb) -> Self {
        Self(db)
    }
}

impl SessionStore for Sessions {
    fn is_live(
        &self,
        session: Uuid,
        user: Uuid,
    ) -> BoxFuture<'_, Result<bool, Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async move {
            let mut tx = self.0.begin_auth().await?;
            let is_live = sessions::is_live(&mut tx, session, user).await?;
            tx.commit().await?;
            Ok(is_live)
        })
    }
}

/// Tells `verifier` of each session that ends, on whichever host. Whenever this host may have missed some, the verifier looks
/// all of them up again.
pub fn follow_ended(db: HostDb, verifier: Arc<Verifier>, jobs: &Jobs) {
    jobs.spawn("ended-sessions", |stop| async move {
        while !stop.is_requested() {
            match listen(&db).await {
                Ok(listener) => {
                    // What ended before it listened was not told.
                    verifier.forget_sessions();
                    hear(listener, &verifier, &stop).await;
                }
                Err(error) => {
                    tracing::warn!(error = error.log_text(), "cannot listen for sessions that end; trying again");
                }
            }
            verifier.forget_sessions();
            tokio::select! {
                () = stop.requested() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    });
}

async fn listen(db: &HostDb) -> Result<PgListener, sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Passes on what is told, until the connection is lost or the host stops.
async fn hear(mut listener: PgListener, verifier: &Verifier, stop: &Stop) {
    loop {
        let told = tokio::select! {
            () = stop.requested() => return,
            told = listener.try_recv() => told,
        };
        match told {
            Ok(Some(told)) => match Uuid::try_parse(told.payload()) {
                Ok(session) => verifier.session_ended(session),
                // Whoever may notify may send anything; a look at all sessions can do no harm.
                Err(_) => verifier.forget_sessions(),
            },
            Ok(None) | Err(_) => return,
        }
    }
}
