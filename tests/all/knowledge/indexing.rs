//! How sources become chunks, and what happens to an index whose source, base or configuration changes.

use std::collections::BTreeSet;
use std::time::Duration;

use behalf_tests::{ALICE, BOB, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{Bed, alice, bob, paragraphs};

#[tokio::test(flavor = "multi_thread")]
async fn chunks_say_where_they_are() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({ "indexing_config": { "chunk_size": 40, "chunk_overlap": 0 } })).await;
    let pages =
        ["# Häfen\n\nThe north gate is open.", "## Lights\n\nWhite means open, and red means that it is closed."];
    let source = bed.source(Some(ALICE), "harbour.md", &pages).await;
    let tags = format!("update ai.sources set metadata = '{{\"team\": \"sea\", \"list\": [1]}}' where id = '{source}'");
    bed.database.execute(&tags).await;
    let place = bed.indexed(&alice(), &base, &source).await;
    let path = format!("/api/knowledge-bases/{base}/indexed-sources/{place}/chunks");
    let listed = bed.get(&alice(), &path).await.json;
    let chunks = listed["chunks"].as_array().unwrap();
    assert!(!chunks.is_empty() && listed["total"] == chunks.len(), "{listed}");
    let joined: Vec<char> = pages.join("\n\n").chars().collect();
    for (number, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk["chunk_index"], number);
        let place = |name: &str| usize::try_from(chunk[name].as_u64().unwrap()).unwrap();
        let part: String = joined[place("start_char")..place("end_char")].iter().collect();
        assert_eq!(chunk["text"], part);
        assert!(chunk["tokens"].as_i64() > Some(0) && chunk["meta"]["headings"][0] == "Häfen", "{chunk}");
        assert_eq!((&chunk["meta"]["source_name"], &chunk["meta"]["team"]), (&json!("harbour.md"), &json!("sea")));
    }
    let found = bed.search(&alice(), &base, json!({ "query": "lights", "filter_metadata": { "team": "sea" } })).await;
    assert!(!found.is_empty());
    let none = bed.search(&alice(), &base, json!({ "query": "lights", "filter_metadata": { "team": "land" } })).await;
    assert!(none.is_empty(), "{none:?}");
    let items =
        bed.post(&alice(), &format!("/api/knowledge-bases/{base}/items"), json!({ "source_ids": [source] })).await;
    assert_eq!(
        (&items.json["strategy"], &items.json["items"]),
        (&json!("chunk_embed"), &listed["chunks"]),
        "{}",
        items.text
    );
}

/// Waits until a job has stored a part of its work.
async fn is_under_way(bed: &Bed) {
    let staged = "select count(*) from behalf.staged_chunks";
    eventually("nothing is staged", async || bed.database.value::<i64>(staged).await > 0).await;
}

/// Nothing of a source is left: no chunk, no word, nothing staged, and no job that could make some.
async fn is_empty(bed: &Bed) {
    let left = "select (select count(*) from ai.chunks) + (select count(*) from ai.chunk_words)
        + (select count(*) from behalf.staged_chunks)
        + (select count(*) from behalf.jobs where kind = 'knowledge.index' and state in ('ready', 'delayed', 'running'))";
    eventually("something is left", async || bed.database.value::<i64>(left).await == 0).await;
}

/// A base with a source that takes its embedder a while.
async fn slow(bed: &Bed) -> (String, String, String) {
    bed.embedder.take(Duration::from_millis(200));
    let base = bed.base(&alice(), json!({ "indexing_config": { "chunk_size": 40, "chunk_overlap": 0 } })).await;
    let source = bed.source(Some(ALICE), "long.md", &[&paragraphs("word", 400)]).await;
    let place = bed.add(&alice(), &base, &source).await;
    is_under_way(bed).await;
    (base, source, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn indexing_is_followed_and_cancelled() {
    let bed = Bed::start().await;
    let (base, source, place) = slow(&bed).await;
    let path = format!("/api/knowledge-bases/{base}/sources/{place}");
    let shown = bed.get(&alice(), &path).await.json;
    assert_eq!(shown["index_status"], "indexing", "{shown}");
    assert!(shown["stats"]["done"].as_i64() > Some(0) && shown["percent"].as_i64() < Some(100), "{shown}");
    let (user, events) = (alice(), format!("{path}/events"));
    let (follower, cancelled) = tokio::join!(bed.get(&user, &events), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bed.post(&alice(), &format!("{path}/cancel"), json!({})).await
    });
    assert_eq!((cancelled.status, &cancelled.json["index_status"]), (200, &json!("cancelled")), "{}", cancelled.text);
    let events: Vec<Value> = follower
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["index_status"], "indexing", "{events:?}");
    assert_eq!(events.last().unwrap()["index_status"], "cancelled", "{events:?}");
    is_empty(&bed).await;
    assert_eq!(bed.get(&alice(), &path).await.json["index_status"], "cancelled");
    let again = bed.post(&alice(), &format!("{path}/cancel"), json!({})).await;
    assert_eq!(again.status, 409, "{}", again.text);
    bed.embedder.take(Duration::ZERO);
    bed.indexed(&alice(), &base, &source).await;
    assert!(bed.texts(&place).await.len() > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_or_source_that_is_deleted_meanwhile_leaves_nothing() {
    let bed = Bed::start().await;
    let (base, ..) = slow(&bed).await;
    let gone = bed.send(&alice(), Method::DELETE, &format!("/api/knowledge-bases/{base}"), Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    is_empty(&bed).await;
    let (_, source, _) = slow(&bed).await;
    let gone = bed.send(&alice(), Method::DELETE, &format!("/api/sources/{source}"), Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    is_empty(&bed).await;
    let (base, _, place) = slow(&bed).await;
    let path = format!("/api/knowledge-bases/{base}/sources/{place}");
    let gone = bed.send(&alice(), Method::DELETE, &path, Value::Null).await;
    assert_eq!((gone.status, &gone.json["deleted_indexed_source_id"]), (200, &json!(place)), "{}", gone.text);
    is_empty(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_said_and_can_be_repaired() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({})).await;
    let source = bed.source(Some(ALICE), "a.md", &["the anchor is red"]).await;
    bed.embedder.refuse(true);
    let place = bed.add(&alice(), &base, &source).await;
    let ended = bed.ended(&alice(), &base, &place).await;
    assert_eq!(ended["index_status"], "failed", "{ended}");
    let said = ended["error_message"].as_str().unwrap();
    assert!(said.starts_with("No vectors could be made:") && !said.contains("127.0.0.1"), "{said}");
    let shown = bed.get(&alice(), &format!("/api/knowledge-bases/{base}")).await.json;
    assert_eq!(shown["source_counts"]["failed"], 1);
    bed.embedder.refuse(false);
    let reindex =
        bed.post(&alice(), &format!("/api/knowledge-bases/{base}/reindex"), json!({ "failed_only": true })).await;
    assert_eq!(
        (reindex.status, &reindex.json["count"], &reindex.json["scope"]),
        (202, &json!(1), &json!("failed")),
        "{}",
        reindex.text
    );
    assert_eq!(bed.ended(&alice(), &base, &place).await["index_status"], "indexed");
    let none =
        bed.post(&alice(), &format!("/api/knowledge-bases/{base}/reindex"), json!({ "failed_only": true })).await;
    assert_eq!((&none.json["status"], &none.json["count"]), (&json!("nothing_to_do"), &json!(0)), "{}", none.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_read_anew_is_indexed_anew() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({})).await;
    let source = bed.source(Some(ALICE), "a.md", &["the anchor is red"]).await;
    let place = bed.indexed(&alice(), &base, &source).await;
    // What another base has by SQL alone is no matter of the host's.
    bed.database
        .execute(&format!(
            "with b as (insert into ai.knowledge_bases (name, owner_id) values ('by hand', '{ALICE}') returning id)
             insert into ai.indexed_sources (knowledge_base_id, source_id) select b.id, '{source}' from b"
        ))
        .await;
    bed.database
        .execute(&format!(
            "update ai.sources set extraction_status = 'extracting' where id = '{source}';
             update ai.source_pages set text = 'the anchor is blue' where source_id = '{source}';
             update ai.sources set extraction_status = 'extracted' where id = '{source}'"
        ))
        .await;
    // Nobody meets a base without the document meanwhile.
    eventually("it is not indexed anew", async || {
        let found = bed.search(&alice(), &base, json!({ "query": "anchor" })).await;
        assert_eq!(found.len(), 1, "{found:?}");
        bed.texts(&place).await == ["the anchor is blue"]
    })
    .await;
    let by_hand = "select count(*) from ai.indexed_sources where index_status = 'pending' and job_id is null and wanted_at is null";
    assert_eq!(bed.database.value::<i64>(by_hand).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_sql_added_get_vectors_and_changed_ones_another() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({})).await;
    let source = bed.source(Some(ALICE), "a.md", &[]).await;
    bed.database
        .execute(&format!(
            "insert into ai.chunks (knowledge_base_id, source_id, text) values ('{base}', '{source}', 'an anchor of iron'),
                 ('{base}', '{source}', 'a lamp of glass')"
        ))
        .await;
    let without = "select count(*) from ai.chunks where embedding is null";
    eventually("a chunk has no vector", async || bed.database.value::<i64>(without).await == 0).await;
    // A source without a place in the base makes the base visible to nobody but its owner.
    let query = json!({ "query": "lamp glass", "retrieval_method": "vector_search", "top_k": 1 });
    let found = bed.search(&alice(), &base, query.clone()).await;
    assert_eq!(found[0]["text"], "a lamp of glass", "{found:?}");
    bed.database.execute("update ai.chunks set text = 'a rope of hemp' where text like '%lamp%'").await;
    assert_eq!(bed.database.value::<i64>(without).await, 1, "the vector of another text stayed");
    eventually("a chunk has no vector", async || bed.database.value::<i64>(without).await == 0).await;
    let query = json!({ "query": "rope hemp", "retrieval_method": "vector_search", "top_k": 1 });
    let found = bed.search(&alice(), &base, query).await;
    assert_eq!(found[0]["text"], "a rope of hemp", "{found:?}");
}

/// A base goes from one model to another while it is searched: every search finds every document.
#[tokio::test(flavor = "multi_thread")]
async fn another_model_leaves_no_gap() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({})).await;
    for number in 0..4 {
        let source = bed.source(Some(ALICE), &format!("{number}.md"), &[&format!("anchor number {number}")]).await;
        bed.indexed(&alice(), &base, &source).await;
    }
    let path = format!("/api/knowledge-bases/{base}");
    let model = json!({ "indexing_config": { "embedding_model": "words-32" } });
    let changed = bed.send(&alice(), Method::PATCH, &path, model).await;
    assert_eq!(changed.json["indexing_config"]["embedding_model"], "openai/words-32", "{}", changed.text);
    let drift = bed.get(&alice(), &path).await.json["drift"].clone();
    assert_eq!(drift, json!({ "has_drift": true, "sources": 4, "fields": ["embedding_model"] }));
    bed.embedder.take(Duration::from_millis(400));
    let begun = bed.post(&alice(), &format!("{path}/reindex"), json!({})).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let models = "select array_agg(distinct m.name order by m.name) from ai.chunks c join ai.embedding_models m on m.id = c.embedding_model";
    // Searches ask the slow server as well, so somebody else looks whether chunks of both models are there meanwhile.
    let both = eventually("chunks of both models are there", async || {
        bed.database.value::<Vec<String>>(models).await.len() == 2
    });
    let searches = eventually("they are not indexed anew", async || {
        let names: Vec<String> = bed.database.value(models).await;
        for method in ["vector_search", "hybrid", "full_text"] {
            let query = json!({ "query": "anchor", "retrieval_method": method, "top_k": 10 });
            let found = bed.search(&alice(), &base, query).await;
            // A source that gets its new chunks between the statements for both models can be there twice.
            let found: BTreeSet<_> = found.iter().map(|chunk| chunk["text"].to_string()).collect();
            assert_eq!(found.len(), 4, "{method}, with chunks of {names:?}");
        }
        names == ["openai/words-32"]
    });
    tokio::join!(both, searches);
    assert_eq!(bed.get(&alice(), &path).await.json["drift"]["has_drift"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_language_of_words_changes_at_once() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({})).await;
    let source = bed.source(Some(ALICE), "a.md", &["Die Häuser stehen am Wasser"]).await;
    bed.indexed(&alice(), &base, &source).await;
    let query = json!({ "query": "Haus", "retrieval_method": "full_text" });
    assert!(bed.search(&alice(), &base, query.clone()).await.is_empty());
    let german = json!({ "retrieval_config": { "ts_language": "german" } });
    let changed = bed.send(&alice(), Method::PATCH, &format!("/api/knowledge-bases/{base}"), german).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(bed.search(&alice(), &base, query).await.len(), 1);
}

/// What was deleted is in no table, and after VACUUM in no index: what an index still held would be read and found dead.
#[tokio::test(flavor = "multi_thread")]
async fn deletion_is_complete() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({ "indexing_config": { "chunk_size": 40 } })).await;
    let kept = bed.source(Some(ALICE), "kept.md", &["a lamp of glass"]).await;
    bed.indexed(&alice(), &base, &kept).await;
    let source = bed.source(Some(ALICE), "secret.md", &[&paragraphs("canary", 60)]).await;
    bed.indexed(&alice(), &base, &source).await;
    assert!(!bed.search(&User::Service, &base, json!({ "query": "canary7" })).await.is_empty());
    bed.send(&alice(), Method::DELETE, &format!("/api/sources/{source}"), Value::Null).await;
    for table in ["ai.chunks", "ai.chunk_words", "behalf.staged_chunks", "ai.source_pages", "ai.indexed_sources"] {
        let column = if table == "ai.chunk_words" { "words" } else { "t" };
        let left = format!("select count(*) from {table} t where {column}::text like '%canary%'");
        assert_eq!(bed.database.value::<i64>(&left).await, 0, "{table}");
    }
    for method in ["hybrid", "vector_search", "full_text"] {
        let query = json!({ "query": "canary7", "retrieval_method": method, "top_k": 100 });
        let found = bed.search(&User::Service, &base, query).await;
        assert!(found.iter().all(|one| one["source_id"] == kept.as_str()), "{method}: {found:?}");
    }
    // VACUUM takes what is gone out of all indexes of a table; those by key tell how many entries they have.
    let entries = "select array_agg(distinct c.reltuples)::float8[] from pg_class c where c.oid in (
        select indexrelid from pg_index where indrelid in ('ai.chunks'::regclass, 'ai.chunk_words'::regclass) and indisprimary)";
    eventually("an index has entries of what is gone", async || {
        bed.database.execute("vacuum (index_cleanup on) ai.chunks").await;
        bed.database.execute("vacuum (index_cleanup on) ai.chunk_words").await;
        bed.database.value::<Vec<f64>>(entries).await == [1.0]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_sources_of_one_owner_wait_and_what_is_indexed_anew_goes_on_bit_by_bit() {
    let bed = Bed::with(vec![("jobs_max_waiting", "3".to_owned())]).await;
    let base = bed.base(&alice(), json!({ "contributors": "authenticated" })).await;
    let path = format!("/api/knowledge-bases/{base}/sources");
    let add = async |user: &User, owner: Uuid, name: &str| {
        let source = bed.source(Some(owner), name, &["a lamp of glass"]).await;
        bed.post(user, &path, json!({ "source_id": source })).await
    };
    bed.embedder.take(Duration::from_secs(3));
    let mut taken = 0;
    let refused = loop {
        let added = add(&alice(), ALICE, &format!("{taken}.md")).await;
        if added.status != 201 {
            break added;
        }
        taken += 1;
        assert!(taken < 50, "any number may wait");
    };
    let sentence = "3 sources wait to be indexed, and no more may; come back when some are";
    assert_eq!((refused.status, &refused.json["detail"]), (429, &json!(sentence)), "{}", refused.text);
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.indexed_sources").await, taken);
    assert_eq!(add(&bob(), BOB, "his.md").await.status, 201);
    bed.embedder.take(Duration::ZERO);
    let open = async || {
        let open = "select count(*) from ai.indexed_sources where index_status <> 'indexed'";
        let jobs = "select count(*) from behalf.jobs where kind = 'knowledge.index'";
        bed.database.value::<i64>(open).await + bed.database.value::<i64>(jobs).await
    };
    eventually("a source is not indexed", async || open().await == 0).await;
    let path = format!("/api/knowledge-bases/{base}/reindex");
    let begun = bed.post(&alice(), &path, json!({})).await;
    let jobs = begun.json["task_ids"].as_array().map(Vec::len);
    assert_eq!((begun.status, &begun.json["count"], jobs), (202, &json!(taken + 1), Some(3)), "{}", begun.text);
    eventually("a source is not indexed anew", async || open().await == 0).await;
}
