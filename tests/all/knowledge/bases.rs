//! Bases: what they are told, who has them, and two users who get different answers.

use behalf_tests::{ALICE, BOB, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{Bed, alice, bob, document};

/// Real documents of both users, read, indexed with the model that comes with the host, and asked.
#[tokio::test(flavor = "multi_thread")]
async fn two_users_ask_the_same_and_are_answered_from_their_own_documents() {
    let bed = Bed::local().await;
    let shared = bed.base(&alice(), json!({ "name": "office", "contributors": "authenticated" })).await;
    let of_alice = [("harbour.html", "alice"), ("memo-python-docx.docx", "alice")];
    let of_bob = [("notes.md", "bob"), ("invoice-reportlab.pdf", "bob")];
    let mut own = Vec::new();
    for (user, files) in [(alice(), of_alice), (bob(), of_bob)] {
        let mut ids = Vec::new();
        for (name, _) in files {
            let source = bed.read(&user, name, document(name)).await;
            bed.indexed(&user, &shared, &source).await;
            ids.push(source);
        }
        own.push((user, ids));
    }
    let mut answers = Vec::new();
    for (user, ids) in &own {
        for method in ["hybrid", "vector_search"] {
            let query =
                json!({ "query": "What does the harbour office say?", "retrieval_method": method, "top_k": 20 });
            let found = bed.search(user, &shared, query).await;
            assert!(!found.is_empty(), "{method}");
            for result in &found {
                assert!(ids.iter().any(|id| result["source_id"] == id.as_str()), "a stranger's: {result}");
                assert!(result["meta"]["page"].as_i64() >= Some(1), "{result}");
            }
            let sources: std::collections::BTreeSet<_> = found.iter().map(|one| one["source_id"].to_string()).collect();
            if method == "vector_search" {
                assert_eq!(sources.len(), 2, "each document has a vector: {found:?}");
                answers.push(found[0]["text"].clone());
            }
        }
    }
    assert_ne!(answers[0], answers[1]);
    // A question that only one of them can answer.
    let gate = json!({ "query": "When is the north gate open?", "top_k": 1 });
    let found = bed.search(&alice(), &shared, gate.clone()).await;
    assert!(found[0]["text"].as_str().unwrap().contains("18:00"), "{found:?}");
    let found = bed.search(&bob(), &shared, gate).await;
    assert!(found.iter().all(|result| !result["text"].as_str().unwrap().contains("18:00")), "{found:?}");
    let all = bed.search(&User::Service, &shared, json!({ "query": "harbour", "top_k": 100 })).await;
    let sources: std::collections::BTreeSet<_> = all.iter().map(|one| one["source_id"].to_string()).collect();
    assert!(sources.len() >= 3, "the service role sees both users' documents: {sources:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_role_adds_for_one_user_and_nobody_else_finds_it() {
    let bed = Bed::start().await;
    let base = bed.base(&User::Service, json!({ "name": "project" })).await;
    let source = bed.source(Some(ALICE), "a.md", &["the anchor is red"]).await;
    bed.indexed(&User::Service, &base, &source).await;
    let query = json!({ "query": "anchor" });
    assert_eq!(bed.search(&alice(), &base, query.clone()).await.len(), 1);
    assert_eq!(bed.search(&User::ServiceFor(ALICE), &base, query.clone()).await.len(), 1);
    assert_eq!(bed.search(&User::Service, &base, query.clone()).await.len(), 1);
    // For Bob there is no such base.
    let hidden = bed.ask(&bob(), &base, query.clone()).await;
    assert_eq!((hidden.status, &hidden.json["detail"]), (404, &json!("Knowledge base not found")), "{}", hidden.text);
    assert_eq!(bed.ask(&User::ServiceFor(BOB), &base, query).await.status, 404);
    let owner: Option<uuid::Uuid> =
        bed.database.value(&format!("select owner_id from ai.knowledge_bases where id = '{base}'")).await;
    assert_eq!(owner, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_has_the_platforms_shape() {
    let bed = Bed::start().await;
    let made =
        bed.post(&alice(), "/api/knowledge-bases", json!({ "name": " Handbook ", "description": "rules" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json["id"].as_str().unwrap();
    assert_eq!(made.json["name"], "Handbook");
    let indexing = json!({
        "strategy": "chunk_embed", "chunk_size": 2000, "chunk_overlap": 50, "embedding_model": "openai/words-64"
    });
    assert_eq!(made.json["indexing_config"], indexing);
    let retrieval = json!({
        "method": "hybrid", "top_k": 5, "vector_weight": 0.5, "ts_language": "english", "context_mode": "text"
    });
    assert_eq!(made.json["retrieval_config"], retrieval);
    assert_eq!(made.json["owner_id"], ALICE.to_string());
    let shown = bed.get(&alice(), &format!("/api/knowledge-bases/{id}")).await.json;
    let none = json!({ "indexed": 0, "failed": 0, "pending": 0, "indexing": 0, "cancelled": 0, "total": 0 });
    assert_eq!(shown["source_counts"], none);
    assert_eq!(shown["drift"], json!({ "has_drift": false, "sources": 0, "fields": [] }));
    let path = format!("/api/knowledge-bases/{id}");
    let changed = bed.send(&alice(), Method::PATCH, &path, json!({ "description": null, "name": "Rules" })).await;
    assert_eq!(
        (changed.status, &changed.json["name"], &changed.json["description"]),
        (200, &json!("Rules"), &Value::Null)
    );
    let list = bed.get(&alice(), "/api/knowledge-bases?q=rul&sort=name&order=asc").await.json;
    assert_eq!((list["total"].as_i64(), &list["knowledge_bases"][0]["id"]), (Some(1), &json!(id)), "{list}");
    let empty = bed.get(&alice(), "/api/knowledge-bases?offset=5").await.json;
    assert_eq!(
        (empty["total"].as_i64(), empty["knowledge_bases"].as_array().map(Vec::len)),
        (Some(1), Some(0)),
        "{empty}"
    );
    assert_eq!(bed.get(&bob(), "/api/knowledge-bases").await.json["total"], 0);
    assert!(bed.search(&alice(), id, json!({ "query": "anything" })).await.is_empty());
    let gone = bed.send(&alice(), Method::DELETE, &path, Value::Null).await;
    assert_eq!((gone.status, &gone.json["message"]), (200, &json!("Knowledge base deleted")));
    assert_eq!(bed.get(&alice(), &path).await.status, 404);
    let malformed = bed.get(&alice(), "/api/knowledge-bases/nothing").await;
    assert_eq!((malformed.status, &malformed.json["detail"]), (404, &json!("Invalid knowledge base id")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_base_cannot_be_is_said() {
    let bed = Bed::start().await;
    for (body, status, said) in [
        (json!({ "name": "" }), 400, "name must have"),
        (json!({ "name": "a\nb" }), 400, "name must have"),
        (json!({ "name": "a", "contributors": "everybody" }), 400, "contributors"),
        (json!({ "name": "a", "indexing_config": { "strategy": "other" } }), 400, "Unknown indexing strategy"),
        (json!({ "name": "a", "indexing_config": { "strategy": "graph_index" } }), 501, "does not build graphs"),
        (json!({ "name": "a", "indexing_config": { "strategy": "page_index" } }), 409, "chat model"),
        (json!({ "name": "a", "indexing_config": { "chunk_size": 1 } }), 400, "chunk_size"),
        (json!({ "name": "a", "indexing_config": { "embedding_model": "none/such" } }), 400, "embedding_model"),
        (
            json!({ "name": "a", "retrieval_config": { "method": "tree_search" } }),
            400,
            "Retrieval method 'tree_search' is not compatible with indexing strategy 'chunk_embed'",
        ),
    ] {
        let refused = bed.post(&alice(), "/api/knowledge-bases", body.clone()).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text);
        assert!(refused.json["detail"].as_str().unwrap().contains(said), "{body}: {}", refused.text);
    }
    let base = bed.base(&alice(), json!({})).await;
    for (body, said) in [
        (json!({ "query": " " }), "query"),
        (json!({ "query": "a", "top_k": 0 }), "top_k"),
        (json!({ "query": "a", "retrieval_method": "guess" }), "retrieval_method"),
        (json!({ "query": "a", "retrieval_method": "tree_search" }), "is not compatible"),
        (json!({ "query": "a", "similarity_threshold": 2 }), "similarity_threshold"),
    ] {
        let refused = bed.ask(&alice(), &base, body.clone()).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
        assert!(refused.json["detail"].as_str().unwrap().contains(said), "{body}: {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_defaults_say_what_this_host_can() {
    let bed = Bed::start().await;
    let defaults = bed.get(&alice(), "/api/config/kb-defaults").await;
    assert_eq!(defaults.status, 200, "{}", defaults.text);
    let strategies = defaults.json["strategies"].as_array().unwrap();
    let named: Vec<(&str, bool)> =
        strategies.iter().map(|one| (one["name"].as_str().unwrap(), one["available"].as_bool().unwrap())).collect();
    let wanted = [("chunk_embed", true), ("full_document", true), ("page_index", false), ("doc2json", false)];
    assert_eq!(named, wanted);
    assert_eq!(defaults.json["embedding_model"], "openai/words-64");
    assert_eq!(defaults.json["retrieval_config"]["method"], "hybrid");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_read_sources_of_ones_own_are_taken() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({})).await;
    let path = format!("/api/knowledge-bases/{base}/sources");
    let waiting = bed.source(Some(ALICE), "w.md", &[]).await;
    bed.database.execute(&format!("update ai.sources set extraction_status = 'pending' where id = '{waiting}'")).await;
    let refused = bed.post(&alice(), &path, json!({ "source_id": waiting })).await;
    let said = json!("Source must be extracted first (status: pending)");
    assert_eq!((refused.status, &refused.json["detail"]), (400, &said), "{}", refused.text);
    let others = bed.source(Some(BOB), "b.md", &["text"]).await;
    for source in [others.as_str(), "nothing", "00000000-0000-0000-0000-000000000000"] {
        let refused = bed.post(&alice(), &path, json!({ "source_id": source })).await;
        assert_eq!((refused.status, &refused.json["detail"]), (404, &json!("Source not found")), "{}", refused.text);
    }
    let mine = bed.source(Some(ALICE), "mine.md", &["text"]).await;
    let available = bed.get(&alice(), &format!("/api/knowledge-bases/{base}/available-sources")).await.json;
    assert_eq!((available["total"].as_i64(), &available["sources"][0]["id"]), (Some(1), &json!(mine)), "{available}");
    bed.indexed(&alice(), &base, &mine).await;
    let available = bed.get(&alice(), &format!("/api/knowledge-bases/{base}/available-sources")).await.json;
    assert_eq!(available["total"], 0, "{available}");
    let listed = bed.get(&alice(), &path).await.json;
    let item = &listed["items"][0];
    assert_eq!(
        (&item["source_name"], &item["file_type"], &item["index_status"]),
        (&json!("mine.md"), &json!("md"), &json!("indexed"))
    );
    assert_eq!(
        (&item["chunk_count"], &item["stats"]["chunks"], &item["has_drift"]),
        (&json!(1), &json!(1), &json!(false))
    );
    assert_eq!(bed.get(&alice(), &format!("{path}?status=failed")).await.json["total"], 0);
    assert_eq!(bed.get(&alice(), &format!("{path}?status=odd")).await.status, 400);
}
