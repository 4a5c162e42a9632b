//! The line of letters that wait, and what sends them in the background.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

use crate::delivery::Delivery;
use crate::letter::Letter;
use crate::message::Writer;
use crate::options::{MailError, MailOptions};
use crate::templates::Templates;

/// Letters that may wait. Each takes a kilobyte or two.
const MAX_WAITING: usize = 2_000;
/// Letters that are sent at the same time.
const AT_ONCE: usize = 4;
/// Tries of one letter after the first.
const TRIES: usize = 6;
/// How long letters that wait may take when the host stops; less than background loops get for it.
const LAST: Duration = Duration::from_secs(4);

/// Takes letters and sends them in the background, so that a request takes as long with a letter as without.
#[derive(Clone, Debug)]
pub struct Outbox(Option<mpsc::Sender<Posted>>);

/// A letter in line.
#[derive(Debug)]
struct Posted {
    letter: Letter,
    at: DateTime<Utc>,
}

/// What sends letters.
#[derive(Debug)]
struct Sending {
    writer: Writer,
    delivery: Delivery,
    /// The pause before the second try.
    first_pause: Duration,
}

impl Outbox {
    /// Reads the templates and starts to send.
    pub fn start(options: &MailOptions, jobs: &Jobs) -> Result<Self, MailError> {
        Self::start_with(options, jobs, Duration::from_secs(1))
    }

    /// The same, with this pause before the second try.
    pub(crate) fn start_with(options: &MailOptions, jobs: &Jobs, first_pause: Duration) -> Result<Self, MailError> {
        // They are read where no letter is sent as well: a fault is found at the start.
        let templates = Templates::read(options.templates.as_deref())?;
        let Some(transport) = &options.transport else { return Ok(Self(None)) };
        let writer = Writer::new(&options.from, templates)?;
        let delivery = Delivery::new(transport, writer.domain())?;
        let sending = Arc::new(Sending { writer, delivery, first_pause });
        let (post, posted) = mpsc::channel(MAX_WAITING);
        jobs.spawn("letters", move |stop| work(sending, posted, stop));
        Ok(Self(Some(post)))
    }

    /// Whether there is a transport.
    pub fn sends(&self) -> bool {
        self.0.is_some()
    }

    /// Sends a letter soon. Never waits: where too many wait, this one is lost, counted and logged.
    pub fn post(&self, letter: Letter) {
        let kind = letter.kind.as_str();
        let posted = Posted { letter, at: Utc::now() };
        if self.0.as_ref().is_none_or(|post| post.try_send(posted).is_err()) {
            lost(kind, "no place in line");
        }
    }
}

/// Sends letters until the host stops, and then those that wait, for a moment.
async fn work(sending: Arc<Sending>, mut posted: mpsc::Receiver<Posted>, stop: Stop) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.requested() => break,
            next = posted.recv(), if under_way.len() < AT_ONCE => match next {
                Some(next) => under_way.push(send(Arc::clone(&sending), next, stop.clone())),
                None => break,
            },
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
        }
    }
    posted.close();
    while let Ok(next) = posted.try_recv() {
        under_way.push(send(Arc::clone(&sending), next, stop.clone()));
    }
    let all = async { while under_way.next().await.is_some() {} };
    if tokio::time::timeout(LAST, all).await.is_err() {
        metric::letters_ended("lost", u64::try_from(under_way.len()).unwrap_or(u64::MAX));
        tracing::warn!(letters = under_way.len(), "letters were not sent before the host stopped");
    }
}

/// Sends one letter, with tries until it is sent or refused. When the host stops, each letter gets one more try.
async fn send(sending: Arc<Sending>, Posted { letter, at }: Posted, stop: Stop) {
    let kind = letter.kind.as_str();
    let Some(mailing) = sending.writer.write(&letter) else {
        metric::letters_ended("failed", 1);
        tracing::warn!(letter.kind = kind, "a letter has no address that mail can be sent to");
        return;
    };
    let pauses = ExponentialBuilder::new().with_min_delay(sending.first_pause).with_factor(4.0).with_jitter();
    let mut pauses = pauses.with_max_delay(Duration::from_mins(5)).with_max_times(TRIES).build();
    loop {
        let was_stopped = stop.is_requested();
        let Err(fault) = sending.delivery.send(&mailing, at).await else {
            metric::letters_ended("sent", 1);
            return;
        };
        if !fault.may_pass() {
            metric::letters_ended("failed", 1);
            tracing::warn!(letter.kind = kind, error = fault.log_text(), "a letter was refused");
            return;
        }
        match pauses.next().filter(|_| !was_stopped) {
            Some(pause) => {
                tracing::debug!(letter.kind = kind, error = fault.log_text(), "a letter is sent again later");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.requested() => {}
                }
            }
            None => return lost(kind, &fault.to_string()),
        }
    }
}

fn lost(kind: &'static str, reason: &str) {
    metric::letters_ended("lost", 1);
    tracing::error!(letter.kind = kind, reason, "a letter was lost");
}
