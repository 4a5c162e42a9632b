//! Keeps the schema cache fresh: by notifications, by a signal, and by looking.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use crate::schema::{LoadError, SchemaCell};

/// The channel of PostgREST, which triggers of many databases notify, and that of the host's own triggers.
const CHANNELS: [&str; 2] = ["pgrst", "behalf_schema"];

/// How long notifications gather: a migration is many changes.
const GATHER: Duration = Duration::from_millis(50);

/// How often the host looks for changes of which nobody tells.
const LOOK: Duration = Duration::from_secs(2);

/// The same where the database tells of every change, in case that a notification was lost.
const LOOK_RARELY: Duration = Duration::from_secs(30);

/// What happened.
enum Event {
    Stop,
    /// Somebody says that something has changed.
    Told,
    /// It is time to look.
    Look,
    /// The connection that listens broke.
    Deaf,
}

/// Starts to keep the cache fresh.
pub(crate) fn start(cell: &Arc<SchemaCell>, db: &HostDb, jobs: &Jobs) {
    let (cell, db) = (Arc::clone(cell), db.clone());
    jobs.spawn("rest-schema", |stop| async move { keep_fresh(&cell, &db, &stop).await });
}

async fn keep_fresh(cell: &SchemaCell, db: &HostDb, stop: &Stop) {
    let mut asked = signal(SignalKind::user_defined1()).ok();
    let mut listener = None;
    loop {
        if listener.is_none() {
            listener = listen(db).await.ok();
            // Whatever was told before nobody has heard.
            report(cell.look().await);
        }
        let is_told = listener.is_some() && cell.current().has_triggers;
        let until = Instant::now() + if is_told { LOOK_RARELY } else { LOOK };
        let event = tokio::select! {
            () = stop.requested() => Event::Stop,
            () = received(&mut asked) => Event::Told,
            event = hear(&mut listener, until) => event,
        };
        match event {
            Event::Stop => return,
            Event::Told => report(cell.reload().await),
            Event::Look => report(cell.look().await),
            Event::Deaf => listener = None,
        }
    }
}

async fn listen(db: &HostDb) -> Result<PgListener, sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen_all(CHANNELS).await?;
    Ok(listener)
}

/// Waits for a signal; for ever where there is none.
async fn received(asked: &mut Option<Signal>) {
    if let Some(signal) = asked {
        signal.recv().await;
    } else {
        std::future::pending::<()>().await;
    }
}

/// Waits for the next notification that matters, and a little longer for those that follow it.
async fn hear(listener: &mut Option<PgListener>, until: Instant) -> Event {
    let Some(listener) = listener else {
        tokio::time::sleep_until(until).await;
        return Event::Look;
    };
    loop {
        match timeout_at(until, listener.try_recv()).await {
            Err(_) => return Event::Look,
            Ok(Ok(Some(told))) if matters(&told) => break,
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None) | Err(_)) => return Event::Deaf,
        }
    }
    let gathered = Instant::now() + GATHER;
    while let Ok(told) = timeout_at(gathered, listener.try_recv()).await {
        if !matches!(told, Ok(Some(_))) {
            return Event::Told;
        }
    }
    Event::Told
}

/// On PostgREST's channel, its configuration can be meant; this host's is in its environment.
fn matters(told: &PgNotification) -> bool {
    told.channel() != "pgrst" || matches!(told.payload().trim(), "" | "reload schema")
}

fn report(done: Result<(), LoadError>) {
    if let Err(error) = done {
        tracing::warn!(error = error.log_text(), "the schema cache stays as it is; the host looks again soon");
    }
}
