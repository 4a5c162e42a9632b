//! Hosts that are killed while sources are indexed, and two hosts on one database.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use behalf_tests::{ALICE, App, BOB, HostProcess, Options, TestDatabase, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{PATIENCE, paragraphs, settings, source};
use super::embedder::Embedder;
use crate::sources::hosts::ATTEMPTS;

const DOCUMENTS: usize = 12;
const KILLS: usize = 5;
/// Paragraphs of a document, each a chunk or so.
const PARAGRAPHS: usize = 80;

fn owner(document: usize) -> uuid::Uuid {
    if document.is_multiple_of(2) { ALICE } else { BOB }
}

/// Sends a request until a host answers with success.
async fn insist(url: &str, user: uuid::Uuid, path: &str, body: &Value) -> Value {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        let request = http.post(format!("{url}{path}")).bearer_auth(behalf_tests::app::token(user)).json(body);
        if let Ok(answer) = request.send().await
            && answer.status().is_success()
        {
            return answer.json().await.unwrap();
        }
        assert!(Instant::now() < end, "{path} is not answered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Each chunk of each source is there once, in its order, and says what the source says.
async fn all_are_there_once(database: &TestDatabase, sources: &[String]) {
    let rows: Value = database
        .value(
            "select coalesce(jsonb_object_agg(c.source_id, c.chunks), '{}') from (
                select source_id, jsonb_agg(jsonb_build_array(chunk_index, text, embedding is not null) order by chunk_index) as chunks
                from ai.chunks group by source_id) c",
        )
        .await;
    let found: BTreeMap<String, Vec<(usize, String, bool)>> = serde_json::from_value(rows).unwrap();
    assert_eq!(found.len(), sources.len());
    for (document, id) in sources.iter().enumerate() {
        let chunks = &found[id];
        assert!(chunks.iter().enumerate().all(|(number, chunk)| chunk.0 == number && chunk.2), "document {document}");
        let text: String = chunks.iter().map(|chunk| chunk.1.as_str()).collect::<Vec<_>>().join("\n\n");
        assert_eq!(text, paragraphs(&format!("d{document}p"), PARAGRAPHS).trim_end(), "document {document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_hosts_lose_no_chunk_and_double_none() {
    let database = TestDatabase::create().await;
    database.execute(ATTEMPTS).await;
    let (files, embedder) = (tempfile::tempdir().unwrap(), Embedder::start().await);
    embedder.take(Duration::from_millis(80));
    let settings = settings(&files, Some(&embedder));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut host = HostProcess::start_at(&database, &settings, port).await;
    let url = host.url.clone();
    let body = json!({
        "name": "all", "contributors": "authenticated", "indexing_config": { "chunk_size": 60, "chunk_overlap": 0 }
    });
    let base = insist(&url, ALICE, "/api/knowledge-bases", &body).await["id"].as_str().unwrap().to_owned();
    let mut sources = Vec::new();
    for document in 0..DOCUMENTS {
        let text = paragraphs(&format!("d{document}p"), PARAGRAPHS);
        sources.push(source(&database, Some(owner(document)), &format!("{document}.md"), &[&text]).await);
    }
    for (document, id) in sources.iter().enumerate() {
        let path = format!("/api/knowledge-bases/{base}/sources");
        insist(&url, owner(document), &path, &json!({ "source_id": id })).await;
    }
    let staged = "select count(*) from behalf.staged_chunks";
    for _ in 0..KILLS {
        // Something is under way, so that a kill interrupts it.
        let end = Instant::now() + PATIENCE;
        while database.value::<i64>(staged).await == 0 {
            assert!(Instant::now() < end, "nothing is staged");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        host.kill();
        host = HostProcess::start_at(&database, &settings, port).await;
    }
    embedder.take(Duration::ZERO);
    let open = "select count(*) from ai.indexed_sources where index_status <> 'indexed'";
    let end = Instant::now() + PATIENCE;
    while database.value::<i64>(open).await > 0 {
        assert!(Instant::now() < end, "a source is not indexed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    all_are_there_once(&database, &sources).await;
    let attempts: i64 = database.value("select count(*) from public.attempts where kind = 'knowledge.index'").await;
    let documents = i64::try_from(DOCUMENTS).unwrap();
    assert!(attempts > documents, "no kill met a source that was being indexed: the test has lost its object");
    let chunks: i64 = database.value("select count(*) from ai.chunks").await;
    eprintln!(
        "{DOCUMENTS} documents, {chunks} chunks, {KILLS} kills, {attempts} attempts, {} texts embedded",
        embedder.texts()
    );
    // A host goes on where the one before it ended: a kill costs a batch of each job under way, and not the whole document.
    assert!(embedder.texts() < usize::try_from(2 * chunks).unwrap() + KILLS * 4 * 32, "{}", embedder.texts());
    assert_eq!(database.value::<i64>(staged).await, 0);
    eventually("a job is left", async || {
        database.value::<i64>("select count(*) from behalf.jobs where kind = 'knowledge.index'").await == 0
    })
    .await;
    host.kill();
}

/// An owner has two jobs under way at once on all hosts together, so that one host could do those of two owners.
fn one_of_many(document: usize) -> uuid::Uuid {
    uuid::Uuid::from_u128(0xce11_0000_0000_4000_8000_0000_0000_0000 + (document as u128) % 6)
}

/// Either host indexes what the other was asked to, and shows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cuts_a_document_otherwise_than_the_one_before_it_begins_it_anew() {
    let database = TestDatabase::create().await;
    let (files, embedder) = (tempfile::tempdir().unwrap(), Embedder::start().await);
    embedder.take(Duration::from_millis(300));
    let settings = settings(&files, Some(&embedder));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut host = HostProcess::start_at(&database, &settings, port).await;
    let body = json!({ "name": "all", "indexing_config": { "chunk_size": 60, "chunk_overlap": 0 } });
    let base = insist(&host.url, ALICE, "/api/knowledge-bases", &body).await["id"].as_str().unwrap().to_owned();
    let text = paragraphs("d0p", PARAGRAPHS);
    let document = source(&database, Some(ALICE), "0.md", &[&text]).await;
    let path = format!("/api/knowledge-bases/{base}/sources");
    insist(&host.url, ALICE, &path, &json!({ "source_id": document })).await;
    let staged = "select count(*) from behalf.staged_chunks";
    eventually("nothing is staged", async || database.value::<i64>(staged).await > 0).await;
    host.kill();
    // What an older host would have made of it: one piece is larger, and so the next ones have other places.
    database.execute("update behalf.staged_chunks set text = 'two paragraphs, one below the other'").await;
    embedder.take(Duration::ZERO);
    let _host = HostProcess::start_at(&database, &settings, port).await;
    let open = "select count(*) from ai.indexed_sources where index_status <> 'indexed'";
    let end = Instant::now() + PATIENCE;
    while database.value::<i64>(open).await > 0 {
        assert!(Instant::now() < end, "the source is not indexed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    all_are_there_once(&database, &[document]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_the_work() {
    let (files, embedder) = (tempfile::tempdir().unwrap(), Embedder::start().await);
    embedder.take(Duration::from_millis(50));
    let settings = settings(&files, Some(&embedder));
    let database = TestDatabase::create().await;
    let app = App::on(database.clone(), Options { settings: settings.clone() }).await;
    let other = HostProcess::start(&database, &settings).await;
    let body = json!({
        "name": "both", "contributors": "authenticated", "indexing_config": { "chunk_size": 60, "chunk_overlap": 0 }
    });
    let made = app.post(&User::Is(ALICE), "/api/knowledge-bases", body).await;
    let base = made.json["id"].as_str().unwrap().to_owned();
    let mut sources = Vec::new();
    for document in 0..DOCUMENTS {
        let text = paragraphs(&format!("d{document}p"), PARAGRAPHS);
        let id = source(&database, Some(one_of_many(document)), &format!("{document}.md"), &[&text]).await;
        let path = format!("/api/knowledge-bases/{base}/sources");
        let added = app.post(&User::Is(one_of_many(document)), &path, json!({ "source_id": id })).await;
        assert_eq!(added.status, 201, "{}", added.text);
        sources.push(id);
    }
    let hosts = "select count(distinct host_id) from behalf.jobs where kind = 'knowledge.index' and state = 'running'";
    let mut both = false;
    let open = "select count(*) from ai.indexed_sources where index_status <> 'indexed'";
    eventually("a source is not indexed", async || {
        both |= database.value::<i64>(hosts).await == 2;
        database.value::<i64>(open).await == 0
    })
    .await;
    assert!(both, "one host did everything: the test has lost its object");
    all_are_there_once(&database, &sources).await;
    let path = format!("/api/knowledge-bases/{base}/search");
    let query = json!({ "query": "d3p7", "retrieval_method": "full_text" });
    let there = other.request(&User::Is(one_of_many(3)), Method::POST, &path).json(&query).send().await.unwrap();
    let there: Value = there.json().await.unwrap();
    let here = app.post(&User::Is(one_of_many(3)), &path, query).await.json;
    assert!(here["total_results"].as_i64() > Some(0), "{here}");
    assert_eq!(here, there);
}
