//! A user's device: a socket that hears the user's own channel, and comes back where its host is gone. Beside it, it listens at the public
//! channel of another user's topic, where nothing may ever be heard.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use behalf_jobs::AbortOnDrop;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::client::Client;
use crate::cli::bench::realtime::socket::Client as Socket;

/// As clients send it.
const HEARTBEAT: Duration = Duration::from_secs(25);
/// Before a socket connects again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a channel may take to be joined, and a message to be heard.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a device heard. It ends with it.
pub(super) struct Device {
    shared: Arc<Shared>,
    _socket: AbortOnDrop<()>,
}

/// Whose device it is.
pub(super) struct Owner {
    pub(super) id: String,
    pub(super) number: u32,
    /// The user at whose public topic it listens.
    pub(super) other: String,
    /// The present token.
    pub(super) token: watch::Receiver<String>,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<HashSet<String>>,
    news: Notify,
    /// Odd while the channel is joined. It grows with each change.
    times: AtomicU64,
    /// Why the last socket ended.
    ended: Mutex<String>,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Yes,
    /// The socket was away meanwhile.
    WasAway,
    No,
}

impl Device {
    pub(super) fn start(client: Client, owner: Owner) -> Self {
        let shared = Arc::new(Shared::default());
        let socket = tokio::spawn(listen(client, owner, Arc::clone(&shared)));
        Self { shared, _socket: AbortOnDrop::new(socket) }
    }

    /// Waits until the channel is joined. Returns what tells whether it stays so.
    pub(super) async fn joined(&self) -> anyhow::Result<u64> {
        let until = Instant::now() + PATIENCE * 4;
        loop {
            let times = self.shared.times.load(Ordering::Acquire);
            if times % 2 == 1 {
                return Ok(times);
            }
            if Instant::now() > until {
                let why = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
                bail!("the channel is not joined: {why}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the message with this mark.
    pub(super) async fn hears(&self, mark: &str, joined: u64, patience: Duration) -> Heard {
        let until = tokio::time::Instant::now() + patience.min(PATIENCE);
        loop {
            let news = self.shared.news.notified();
            if self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).remove(mark) {
                return Heard::Yes;
            }
            if self.shared.times.load(Ordering::Acquire) != joined {
                return Heard::WasAway;
            }
            if tokio::time::timeout_at(until, news).await.is_err() {
                return Heard::No;
            }
        }
    }
}

impl Shared {
    fn hear(&self, mark: &str) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(mark.to_owned());
        self.news.notify_waiters();
    }

    /// Whether the channel is joined from now on.
    fn change(&self, is_joined: bool) {
        if (self.times.load(Ordering::Acquire) % 2 == 1) != is_joined {
            self.times.fetch_add(1, Ordering::AcqRel);
        }
        self.news.notify_waiters();
    }
}

/// Listens as long as the device exists.
async fn listen(client: Client, mut owner: Owner, shared: Arc<Shared>) {
    loop {
        let Err(error) = connect(&client, &mut owner, &shared).await;
        shared.change(false);
        *shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = format!("{error:#}");
        client.tally.retry("live.socket");
        client.turn();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Joins, and hears until the socket ends.
async fn connect(client: &Client, owner: &mut Owner, shared: &Shared) -> anyhow::Result<Infallible> {
    let mut socket = Socket::of_host(client.address()?, client.anon_key()).await?;
    let (own, public) = (format!("chat:{}", owner.id), format!("chat:{}", owner.other));
    let token = owner.token.borrow_and_update().clone();
    // The public one first, so that what comes after the second join is known to be heard by both.
    socket.join(&public, &json!({ "broadcast": { "self": false } }), Some(&token)).await?;
    join_private(&mut socket, &own, &token).await?;
    shared.change(true);
    let mut pulse = interval(HEARTBEAT);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let topic = format!("realtime:{own}");
    loop {
        tokio::select! {
            message = async { anyhow::Ok(socket.next().await?.to_vec()) } => hear(client, owner, shared, &message?, &topic)?,
            _ = pulse.tick() => socket.send(r#"[null,"h","phoenix","heartbeat",{}]"#).await?,
            changed = owner.token.changed() => {
                changed?;
                let token = owner.token.borrow().clone();
                socket.send(&json!(["2", "t", topic, "access_token", { "access_token": token }]).to_string()).await?;
            }
        }
    }
}

async fn join_private(socket: &mut Socket, topic: &str, token: &str) -> anyhow::Result<()> {
    let payload = json!({ "config": { "private": true }, "access_token": token });
    socket.send(&json!(["2", "2", format!("realtime:{topic}"), "phx_join", payload]).to_string()).await?;
    let answer = socket.wait_for(br#""2","2""#).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    ensure!(answer[4]["status"] == "ok", "the join was refused: {answer}");
    Ok(())
}

/// Takes a message. What nobody may hear is counted. An error is that the host closed a channel, which a new socket joins again.
fn hear(client: &Client, owner: &Owner, shared: &Shared, message: &[u8], topic: &str) -> anyhow::Result<()> {
    client.tally.search("live.heard", owner.number, message);
    let message: Value = serde_json::from_slice(message)?;
    let is_ended = message[3] == "phx_close" || (message[3] == "system" && message[4]["status"] == "error");
    ensure!(!is_ended, "the host closed the channel: {message}");
    if message[3] != "broadcast" {
        return Ok(());
    }
    if message[2] != topic {
        client.tally.crossed(&format!("user {} heard at the public topic {}: {message}", owner.number, message[2]));
        return Ok(());
    }
    let payload = &message[4]["payload"];
    if let (Some(run), "complete") = (payload["run_id"].as_str(), payload["type"].as_str().unwrap_or_default()) {
        shared.hear(run);
    }
    for mark in [&payload["mark"], &payload["event"]["mark"]] {
        if let Some(mark) = mark.as_str() {
            shared.hear(mark);
        }
    }
    Ok(())
}

/// Tries to join somebody else's private channel, which has to be refused.
pub(super) async fn intrude(client: &Client, other: &str, token: &str) -> anyhow::Result<()> {
    let mut socket = Socket::of_host(client.address()?, client.anon_key()).await?;
    let payload = json!({ "config": { "private": true }, "access_token": token });
    socket.send(&json!(["2", "2", format!("realtime:chat:{other}"), "phx_join", payload]).to_string()).await?;
    let answer: Value = serde_json::from_slice(&socket.wait_for(br#""2","2""#).await?)?;
    match answer[4]["status"].as_str() {
        Some("error") => Ok(()),
        Some("ok") => {
            client.tally.crossed(&format!("the private channel of {other} was joined by somebody else"));
            Ok(())
        }
        _ => bail!("an unexpected answer: {answer}"),
    }
}
