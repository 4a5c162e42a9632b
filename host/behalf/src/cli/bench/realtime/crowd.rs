//! Clients that hear the same messages, and what they count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinHandle;

use super::socket::Client;

/// What every message has behind the time at which it was sent.
const TIME: &[u8] = b"\"t\":";

/// How long messages that were sent may take to arrive at all.
const PATIENCE: Duration = Duration::from_mins(1);

/// A crowd that hears.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<anyhow::Result<()>>>,
    size: u64,
}

struct Shared {
    began: Instant,
    heard: AtomicU64,
    /// Whether times are kept.
    keeps: AtomicBool,
    times: std::sync::Mutex<Vec<Duration>>,
}

impl Crowd {
    /// Lets clients that have joined hear.
    pub(super) fn start(clients: Vec<Client>) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            heard: AtomicU64::new(0),
            keeps: AtomicBool::new(false),
            times: std::sync::Mutex::default(),
        });
        let size = u64::try_from(clients.len()).unwrap_or(u64::MAX);
        let hear = |client| tokio::spawn(hear(client, Arc::clone(&shared)));
        let clients = clients.into_iter().map(hear).collect();
        Self { shared, clients, size }
    }

    /// Microseconds since the crowd began to hear, which a message says of when it was sent.
    pub(super) fn now(&self) -> u128 {
        self.shared.began.elapsed().as_micros()
    }

    /// Messages that were heard so far, one for each who heard it.
    pub(super) fn heard(&self) -> u64 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Keeps times from now on, or no more.
    pub(super) fn keep_times(&self, keeps: bool) {
        self.shared.keeps.store(keeps, Ordering::Relaxed);
    }

    /// The times that were kept.
    pub(super) fn times(&self) -> Vec<Duration> {
        std::mem::take(&mut self.shared.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Waits until so many were heard since the beginning.
    pub(super) async fn wait(&self, heard: u64) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.heard() < heard {
            if let Some(ended) = self.clients.iter().position(JoinHandle::is_finished) {
                anyhow::bail!("client {ended} hears no more; {} of {heard} messages were heard", self.heard());
            }
            ensure!(Instant::now() < until, "{} of {heard} messages were heard", self.heard());
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        Ok(())
    }

    /// Nobody hears more than was sent: called when all is done.
    pub(super) async fn end(mut self, sent: u64) -> anyhow::Result<()> {
        self.wait(sent).await?;
        ensure!(self.heard() == sent, "{} messages were heard of {sent}", self.heard());
        if let Some(ended) = self.clients.iter().position(JoinHandle::is_finished) {
            self.clients.swap_remove(ended).await?.context("a client hears no more")?;
        }
        self.clients.iter().for_each(JoinHandle::abort);
        Ok(())
    }
}

async fn hear(mut client: Client, shared: Arc<Shared>) -> anyhow::Result<()> {
    loop {
        let frame = client.next().await?;
        let Some(at) = frame.windows(TIME.len()).position(|part| part == TIME) else { continue };
        if shared.keeps.load(Ordering::Relaxed) {
            let digits = frame.get(at + TIME.len()..).unwrap_or_default();
            let sent = digits.iter().take_while(|digit| digit.is_ascii_digit());
            let sent = sent.fold(0_u64, |sent, digit| sent * 10 + u64::from(digit - b'0'));
            let time = shared.began.elapsed().saturating_sub(Duration::from_micros(sent));
            shared.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(time);
        }
        shared.heard.fetch_add(1, Ordering::Relaxed);
    }
}
