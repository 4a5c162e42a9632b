//! Recipe 2: a chatbot whose tools know the user.

use anyhow::{Context, ensure};
use rand::Rng;
use reqwest::Method;
use serde_json::json;

use super::has_own;
use crate::cli::bench::soak::client::Request;
use crate::cli::bench::soak::outside::TOOL;
use crate::cli::bench::soak::person::{Person, World};

/// Runs of a session, after which it is deleted.
const RUNS: u32 = 10;

/// Keeps an article.
pub(super) async fn save(person: &Person) -> anyhow::Result<()> {
    let id = person.articles.get(rand::rng().random_range(0..person.articles.len().max(1))).context("no article")?;
    let body =
        json!({ "id": id, "title": "Anchors", "body": format!("Anchors are red. The berth is {}.", person.canary) });
    let token = person.token();
    let request = Request::post("chatbot.save", "/rest/v1/articles?on_conflict=id", &token, body);
    let answer =
        person.client.send(request.header("prefer", "resolution=merge-duplicates, return=representation")).await?;
    has_own(person, &answer.text)
}

/// The model's SQL reads the articles of the user of the run.
pub(super) async fn query(person: &mut Person, world: &World) -> anyhow::Result<()> {
    save(person).await?;
    let query = json!({ "query": "select title, body from articles limit 3" });
    let agent = world.agents()?.librarian.clone();
    let content = chat("chatbot.query", person, world, &agent, &format!("/database_query {query}")).await?;
    has_own(person, &content)
}

/// The server of a custom tool is told by an assertion who asks.
pub(super) async fn call_tool(person: &mut Person, world: &World) -> anyhow::Result<()> {
    let message = format!("/{TOOL} {}", json!({ "query": person.canary }));
    let agent = world.agents()?.librarian.clone();
    let content = chat("chatbot.call_tool", person, world, &agent, &message).await?;
    has_own(person, &content)
}

/// Sends a message in the session with an agent, and reads the stream.
async fn chat(
    operation: &'static str,
    person: &mut Person,
    world: &World,
    agent: &str,
    message: &str,
) -> anyhow::Result<String> {
    let token = person.token();
    let session = person.sessions.get(agent).cloned();
    let body = json!({ "message": message, "session_id": session.as_ref().map(|(session, _)| session) });
    let request = Request::post(operation, format!("/api/agents/{agent}/run/stream"), &token, body).once();
    let streamed = person.client.stream(request).await?;
    ensure!(streamed.content.starts_with("completed "), "the run did not succeed: {}", streamed.content);
    world.tell(person.number, |known| {
        known.run.clone_from(&streamed.run);
        known.session.clone_from(&streamed.session);
    });
    let runs = session.map_or(1, |(_, runs)| runs + 1);
    if runs < RUNS {
        person.sessions.insert(agent.to_owned(), (streamed.session, runs));
    } else {
        let path = format!("/api/sessions/{}", streamed.session);
        let delete = Request::new(operation, Method::DELETE, path, &token).accepting(&[404]);
        person.client.send(delete).await?;
        person.sessions.remove(agent);
    }
    Ok(streamed.content)
}

/// What was said in one of the user's sessions.
pub(super) async fn history(person: &Person) -> anyhow::Result<()> {
    let token = person.token();
    for (session, runs) in person.sessions.values() {
        let path = format!("/api/sessions/{session}/messages?limit=200");
        let answer = person.client.send(Request::get("chatbot.history", path, &token)).await?;
        has_own(person, &answer.text)?;
        let messages = answer.json()?["messages"].as_array().map_or(0, Vec::len);
        ensure!(messages == usize::try_from(*runs)? * 2, "{runs} runs, and {messages} messages: {}", answer.text);
    }
    Ok(())
}
