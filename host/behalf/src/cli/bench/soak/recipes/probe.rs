//! What a user may not do: everything that is known of somebody else by name is asked for, and has to be refused.

use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use crate::cli::bench::soak::channel::intrude;
use crate::cli::bench::soak::client::Request;
use crate::cli::bench::soak::person::{Person, World};

const PROBE: &str = "probe.others";

/// Asks for the things of somebody else.
pub(super) async fn others(person: &Person, world: &World) -> anyhow::Result<()> {
    let Some(other) = world.other_than(person.number) else { return Ok(()) };
    let token = person.token();
    let base = format!("/api/knowledge-bases/{}", world.knowledge_base);
    let mut requests = vec![
        Request::get(PROBE, format!("/api/agents/runs/{}", other.run), &token),
        Request::get(PROBE, format!("/api/sessions/{}/messages", other.session), &token),
        Request::get(PROBE, format!("/api/sources/{}/page-texts", other.source), &token),
        Request::get(PROBE, format!("/storage/v1/object/authenticated/attachments/{}", other.file), &token),
        Request::post(PROBE, format!("{base}/sources"), &token, json!({ "source_id": other.source })),
        Request::new(PROBE, Method::DELETE, format!("/api/sources/{}", other.source), &token),
        Request::get(PROBE, "/api/sources", &token).header("x-behalf-act-as", other.id.clone()),
    ];
    let forged = json!({ "id": uuid::Uuid::new_v4(), "owner_id": other.id, "title": "x", "body": "x" });
    requests.push(Request::post(PROBE, "/rest/v1/articles", &token, forged));
    // What is not known yet has no name to ask for.
    let is_known = !other.run.is_empty() && !other.file.is_empty() && !other.source.is_empty();
    for request in requests.into_iter().filter(|_| is_known) {
        let answer = person.client.ask(&request).await?;
        if (200..300).contains(&answer.status) {
            let told = format!(
                "{}: user {} got {} of {}: {}",
                request.what(),
                person.number,
                answer.status,
                other.id,
                answer.text
            );
            person.client.tally.crossed(&told);
        } else {
            ensure!(
                [400, 401, 403, 404].contains(&answer.status),
                "{}: {} {}",
                request.what(),
                answer.status,
                answer.text
            );
        }
    }
    nothing_is_found(person, &other.id, &base).await?;
    intrude_somewhere(person, &other.id).await
}

/// Lists and searches that name the other find nothing of theirs; the answers are searched for their word as all are.
async fn nothing_is_found(person: &Person, other: &str, base: &str) -> anyhow::Result<()> {
    let token = person.token();
    let rows = Request::get(PROBE, format!("/rest/v1/articles?owner_id=eq.{other}"), &token);
    let query = json!({ "arguments": { "query": format!("select * from articles where owner_id = '{other}'") } });
    let tool = Request::post(PROBE, "/api/tools/database_query/call", &token, query);
    let list = json!({ "prefix": other, "limit": 100, "offset": 0 });
    let files = Request::post(PROBE, "/storage/v1/object/list/attachments", &token, list);
    for (request, empty) in [(rows, "[]"), (tool, r#""result":[]"#), (files, "[]")] {
        let answer = person.client.ask(&request).await?;
        ensure!(answer.status == 200, "{}: {} {}", request.what(), answer.status, answer.text);
        if !answer.text.contains(empty) {
            person.client.tally.crossed(&format!(
                "{}: user {} was told of {other}: {}",
                request.what(),
                person.number,
                answer.text
            ));
        }
    }
    let body = json!({ "query": "canary", "top_k": 100 });
    person.client.send(Request::post(PROBE, format!("{base}/search"), &token, body)).await?;
    Ok(())
}

/// A host may be gone at this moment; then the next one is tried.
async fn intrude_somewhere(person: &Person, other: &str) -> anyhow::Result<()> {
    let token = person.token();
    let mut last = Ok(());
    for _ in 0..10 {
        last = intrude(&person.client, other, &token).await;
        if last.is_ok() {
            break;
        }
        person.client.tally.retry(PROBE);
        person.client.turn();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    last
}
