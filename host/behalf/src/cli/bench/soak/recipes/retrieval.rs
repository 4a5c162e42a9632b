//! Recipe 1: answers from a user's own documents.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{content_of, has_own};
use crate::cli::bench::soak::client::Request;
use crate::cli::bench::soak::person::{Person, World};

const QUESTION: &str = "Which colour has the anchor of the boat?";

/// Chunks by `/rest/v1`, with the user's token.
async fn chunks(operation: &'static str, person: &Person, world: &World) -> anyhow::Result<Vec<Value>> {
    let path = format!(
        "/rest/v1/chunks?select=id,text,score,source_id,meta&knowledge_base_id=eq.{}&order=score.desc&limit=10",
        world.knowledge_base
    );
    let token = person.token();
    let request = Request::get(operation, path, &token).header("accept-profile", "ai");
    let answer = person.client.send(request.header("behalf-query", "anchor%20boat")).await?;
    has_own(person, &answer.text)?;
    Ok(answer.json()?.as_array().context("no list")?.clone())
}

pub(super) async fn read(person: &Person, world: &World) -> anyhow::Result<()> {
    chunks("retrieval.read", person, world).await.map(drop)
}

pub(super) async fn search(person: &Person, world: &World) -> anyhow::Result<()> {
    let (path, token) = (format!("/api/knowledge-bases/{}/search", world.knowledge_base), person.token());
    let body = json!({ "query": QUESTION, "top_k": 10 });
    let answer = person.client.send(Request::post("retrieval.search", path, &token, body)).await?;
    has_own(person, &answer.text)
}

/// The user's own run searches for them.
pub(super) async fn ask(person: &Person, world: &World) -> anyhow::Result<()> {
    let (path, token) = (format!("/api/agents/{}/run", world.agents()?.reader), person.token());
    let request = Request::post("retrieval.ask", path, &token, json!({ "message": QUESTION })).once();
    let run = person.client.send(request).await?.json()?;
    has_own(person, content_of(&run)?)?;
    let text = |field: &str| run[field].as_str().unwrap_or_default().to_owned();
    world.tell(person.number, |known| (known.run, known.session) = (text("run_id"), text("session_id")));
    Ok(())
}

/// As in the cookbook: chunks are read as the user, and carried to a run of the back end.
pub(super) async fn carry(person: &Person, world: &World) -> anyhow::Result<()> {
    let chunks = chunks("retrieval.carry", person, world).await?;
    let items: Vec<_> = chunks
        .iter()
        .map(|chunk| json!({ "text": chunk["text"], "source_id": chunk["source_id"], "meta": chunk["meta"] }))
        .collect();
    let path = format!("/api/agents/{}/run", world.agents()?.reader);
    let body = json!({ "message": QUESTION, "context_items": items });
    let request = Request::post("retrieval.carry", path, &world.service_key, body).once();
    let run = person.client.send(request).await?.json()?;
    has_own(person, content_of(&run)?)?;
    ensure!(run["retrieved_items"].as_array().is_some_and(|given| given.len() == items.len()), "other items: {run}");
    Ok(())
}
