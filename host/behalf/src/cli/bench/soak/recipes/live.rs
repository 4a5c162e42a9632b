//! Recipe 4: a run on all devices of a user.

use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::json;
use uuid::Uuid;

use super::{content_of, has_own};
use crate::cli::bench::soak::channel::Heard;
use crate::cli::bench::soak::client::Request;
use crate::cli::bench::soak::person::{Person, World};

/// How long a stored message may take to be heard.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is waited for a message that is not stored.
const SHORT: Duration = Duration::from_secs(2);

/// A run of the user's, which the user's device hears to its end. A device that was away reads what it missed.
pub(super) async fn run(person: &Person, world: &World) -> anyhow::Result<()> {
    let (token, joined) = (person.token(), person.device.joined().await?);
    let message = format!("/echo {}", json!({ "text": format!("Remember berth {}.", person.canary) }));
    let path = format!("/api/agents/{}/run", world.agents()?.writer);
    let request = Request::post("live.run", path, &token, json!({ "message": message })).once();
    let answer = person.client.send(request).await?.json()?;
    has_own(person, content_of(&answer)?)?;
    let run = answer["run_id"].as_str().unwrap_or_default();
    match person.device.hears(run, joined, PATIENCE).await {
        Heard::Yes => return Ok(()),
        Heard::No => bail!("the device did not hear the end of {run}"),
        Heard::WasAway => person.client.tally.read_later(),
    }
    let events = Request::get("live.run", format!("/api/agents/runs/{run}/events"), &token);
    let missed = person.client.stream(events).await?;
    ensure!(missed.content.starts_with("completed "), "the run did not succeed: {}", missed.content);
    has_own(person, &missed.content)
}

/// As in the cookbook: the back end stores an event, and a trigger sends it.
pub(super) async fn stored(person: &Person, world: &World) -> anyhow::Result<()> {
    let (token, joined) = (person.token(), person.device.joined().await?);
    let mark = Uuid::new_v4();
    let payload = json!({ "event": "chunk", "mark": mark, "content": person.canary });
    let row = json!({ "id": mark, "user_id": person.id, "payload": payload });
    let request = Request::post("live.stored", "/rest/v1/chat_messages?on_conflict=id", &world.service_key, row);
    person.client.send(request.header("prefer", "resolution=ignore-duplicates")).await?;
    match person.device.hears(&mark.to_string(), joined, PATIENCE).await {
        Heard::Yes => return Ok(()),
        Heard::No => bail!("the device did not hear the row {mark}"),
        Heard::WasAway => person.client.tally.read_later(),
    }
    let path = format!("/rest/v1/chat_messages?id=eq.{mark}&select=payload");
    let missed = person.client.send(Request::get("live.stored", path, &token)).await?;
    has_own(person, &missed.text)
}

/// As in the cookbook: the back end sends an event itself. Nothing stores it, so a kill of a host may lose it.
pub(super) async fn broadcast(person: &Person, world: &World) -> anyhow::Result<()> {
    let joined = person.device.joined().await?;
    let mark = Uuid::new_v4().to_string();
    let payload = json!({ "mark": mark, "content": person.canary });
    let message =
        json!({ "topic": format!("chat:{}", person.id), "event": "chunk", "payload": payload, "private": true });
    let body = json!({ "messages": [message] });
    let path = "/realtime/v1/api/broadcast";
    person.client.send(Request::post("live.broadcast", path, &world.service_key, body)).await?;
    let heard = person.device.hears(&mark, joined, SHORT).await;
    person.client.tally.sent(heard == Heard::Yes);
    Ok(())
}
