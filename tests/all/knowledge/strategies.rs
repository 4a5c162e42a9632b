//! The strategies beside chunks: whole documents, sections that a model chooses, and JSON that a model reads out.

use behalf_tests::{ALICE, BOB, ScriptedModel, Turn};
use serde_json::json;

use super::bed::{Bed, alice, bob, paragraphs};

async fn with_model(turns: Vec<Turn>) -> (Bed, ScriptedModel) {
    let model = ScriptedModel::start(turns).await;
    let settings = vec![
        ("model_base_url", model.url.clone()),
        ("model_api_key", "key".to_owned()),
        ("model_default", "openai/scripted".to_owned()),
    ];
    (Bed::with(settings).await, model)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_document_is_one_item() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({ "indexing_config": { "strategy": "full_document" } })).await;
    let long = paragraphs("word", 60);
    let source = bed.source(Some(ALICE), "long.md", &[&long, "the end of it"]).await;
    let place = bed.indexed(&alice(), &base, &source).await;
    let texts = bed.texts(&place).await;
    assert!(
        texts.len() == 1 && texts[0].starts_with("word0") && texts[0].ends_with("the end of it"),
        "{}",
        texts.len()
    );
    for method in ["hybrid", "vector_search", "full_text"] {
        let found = bed.search(&alice(), &base, json!({ "query": "word7", "retrieval_method": method })).await;
        assert_eq!(found.len(), 1, "{method}");
        assert_eq!(found[0]["meta"]["pages"], json!([1, 2]), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_chooses_sections_that_the_caller_sees() {
    let turns = vec![
        Turn::Say("It says how the pumps are cleaned."),
        Turn::Say("{\"sections\": [2, 99]}"),
        Turn::Say("no object"),
    ];
    let (bed, model) = with_model(turns).await;
    let indexing = json!({ "strategy": "page_index" });
    let base = bed.base(&alice(), json!({ "indexing_config": indexing, "contributors": "authenticated" })).await;
    let text = format!("# Lamps\n\nShort words on lamps.\n\n# Pumps\n\n{}", paragraphs("pump", 8));
    let source = bed.source(Some(ALICE), "manual.md", &[&text]).await;
    bed.indexed(&alice(), &base, &source).await;
    let others = bed.source(Some(BOB), "b.md", &["# Hidden\n\nBob's words."]).await;
    bed.indexed(&bob(), &base, &others).await;
    let items =
        bed.post(&alice(), &format!("/api/knowledge-bases/{base}/items"), json!({ "source_ids": [source] })).await;
    let nodes = items.json["items"].as_array().unwrap();
    assert_eq!(nodes.len(), 2, "{}", items.text);
    assert_eq!(nodes[0]["meta"]["summary"], "# Lamps\n\nShort words on lamps.");
    assert_eq!(nodes[1]["meta"]["summary"], "It says how the pumps are cleaned.");
    assert_eq!((&nodes[1]["meta"]["node_id"], &nodes[1]["meta"]["title"]), (&json!("0002"), &json!("Pumps")));
    let found = bed.search(&alice(), &base, json!({ "query": "How are pumps cleaned?" })).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["text"].as_str().unwrap().starts_with("# Pumps"), "{found:?}");
    let asked = model.requests().last().unwrap().to_string();
    assert!(asked.contains("Pumps") && asked.contains("cleaned") && !asked.contains("Hidden"), "{asked}");
    let failed = bed.ask(&alice(), &base, json!({ "query": "lamps" })).await;
    assert_eq!(failed.status, 503, "{}", failed.text);
    let refused = bed.ask(&alice(), &base, json!({ "query": "lamps", "retrieval_method": "hybrid" })).await;
    let said = "Retrieval method 'hybrid' is not compatible with indexing strategy 'page_index'";
    assert_eq!((refused.status, &refused.json["detail"]), (400, &json!(said)), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_reads_json_out_of_documents() {
    let turns = vec![Turn::Say("I cannot."), Turn::Say("```json\n{\"total\": 12, \"customer\": \"Lund\"}\n```")];
    let (bed, model) = with_model(turns).await;
    let schema =
        json!({ "type": "object", "properties": { "total": { "type": "number" }, "customer": { "type": "string" } } });
    let indexing = json!({ "strategy": "doc2json", "json_schema": schema });
    let base = bed.base(&alice(), json!({ "indexing_config": indexing })).await;
    let source = bed.source(Some(ALICE), "invoice.md", &["Invoice for Lund. In all: 12"]).await;
    // The first answer is no JSON, so the job is tried again.
    let place = bed.indexed(&alice(), &base, &source).await;
    assert_eq!(bed.texts(&place).await.len(), 1);
    let items =
        bed.post(&alice(), &format!("/api/knowledge-bases/{base}/items"), json!({ "source_ids": [source] })).await;
    assert_eq!(
        items.json["items"][0]["meta"]["extracted_json"],
        json!({ "total": 12, "customer": "Lund" }),
        "{}",
        items.text
    );
    assert_eq!(items.json["strategy"], "doc2json");
    assert_eq!(bed.search(&alice(), &base, json!({ "query": "Lund" })).await.len(), 1);
    let asked = model.requests().last().unwrap().clone();
    assert!(asked["response_format"].to_string().contains("customer"), "{asked}");
}

/// Sections and chunks are searched together by those who search several bases; without a chat model, sections cannot be.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_outlives_its_chat_model() {
    let (bed, _) = with_model(vec![Turn::Refuse(401)]).await;
    let base = bed.base(&alice(), json!({ "indexing_config": { "strategy": "page_index" } })).await;
    let source = bed.source(Some(ALICE), "a.md", &[&paragraphs("pump", 8)]).await;
    let place = bed.add(&alice(), &base, &source).await;
    let ended = bed.ended(&alice(), &base, &place).await;
    assert_eq!(ended["index_status"], "failed", "{ended}");
    assert!(ended["error_message"].as_str().unwrap().starts_with("The chat model could not read it"), "{ended}");
}
