//! How a hybrid search puts together what vectors and words say.

use behalf_contracts::{RetrievalQuery, SearchMethod};
use behalf_tests::{ALICE, BOB};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{Bed, alice};
use super::shelf::Shelf;

fn query(text: &str) -> RetrievalQuery {
    RetrievalQuery { text: text.to_owned(), method: Some(SearchMethod::Hybrid), ..RetrievalQuery::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_words_find_counts_with_its_likeness_too_and_what_is_near_with_its_words() {
    let shelf = Shelf::filled().await;
    let vector = [0.5; 24];
    // Two chunks with the vectors of two of Bob's 2,000 that are far from the fifty nearest.
    let near_to = "c.embedding <=> array_fill(0.5::float4, array[24])::vector";
    let (mut placed, mut distances) = (Vec::<Uuid>::new(), Vec::<f64>::new());
    for place in [300, 1_500] {
        let of_bob = format!("ai.chunks c join ai.sources s on s.id = c.source_id where s.owner_id = '{BOB}'");
        let add = format!(
            "insert into ai.chunks (knowledge_base_id, source_id, text, chunk_index, embedding_model, embedding)
             select c.knowledge_base_id, c.source_id, 'zebra zebra', 10, c.embedding_model, c.embedding
             from {of_bob} order by {near_to} offset {place} limit 1 returning id"
        );
        let id: Uuid = shelf.database.value(&add).await;
        distances.push(shelf.database.value(&format!("select {near_to} from ai.chunks c where id = '{id}'")).await);
        placed.push(id);
    }
    let (far, farther, distance, farthest) = (placed[0], placed[1], distances[0], distances[1]);
    let near = shelf.add(BOB, "a zebra among many other words of a chunk that is long", "{}").await;
    let by_words = shelf.words(BOB, "zebra").await;
    assert!(by_words.len() == 3 && by_words[2].chunk_id == near, "{by_words:?}");
    // BM25 of both, out of the form that full text has.
    let bm25 = by_words.iter().map(|chunk| f64::from(chunk.score)).map(|score| score / (1.0 - score));
    let bm25: Vec<f64> = bm25.collect();
    let (found, _) = shelf.find(&shelf.user(BOB).await, &query("zebra"), &vector).await.unwrap();
    let score = |id: Uuid| f64::from(found.iter().find(|chunk| chunk.chunk_id == id).expect("it is found").score);
    // The nearest, at no distance, with less than the best of the words; and the best of the words, on the way to the farthest.
    assert!((score(near) - (0.5 + 0.5 * bm25[2] / bm25[0])).abs() < 1e-4, "{} {bm25:?}", score(near));
    let likeness = (farthest - distance) / farthest;
    assert!(likeness > 0.05 && likeness < 0.95, "{distances:?}");
    assert!((score(far) - (0.5 * likeness + 0.5)).abs() < 1e-4, "{} {likeness}", score(far));
    assert!((score(farther) - 0.5).abs() < 1e-4, "{}", score(farther));
    // Others' chunks are in no score of Alice's.
    let (found, _) = shelf.find(&shelf.user(ALICE).await, &query("zebra"), &vector).await.unwrap();
    assert!(found.iter().all(|chunk| chunk.chunk_id != near && chunk.chunk_id != far));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_may_add_places_in_the_place_of_scores_and_weigh_either_way() {
    let bed = Bed::start().await;
    let mut found: Vec<Vec<Value>> = Vec::new();
    for retrieval in [
        json!({}),
        json!({ "fusion": "scores" }),
        json!({ "fusion": "rrf" }),
        json!({ "vector_weight": 0 }),
        json!({ "vector_weight": 1 }),
    ] {
        let base = bed.base(&alice(), json!({ "retrieval_config": retrieval })).await;
        for text in ["tomato", "tomato leaves that the sun burns", "roses in the garden of the castle"] {
            let source = bed.source(Some(ALICE), "a.md", &[text]).await;
            bed.indexed(&alice(), &base, &source).await;
        }
        found.push(bed.search(&alice(), &base, json!({ "query": "tomato", "top_k": 3 })).await);
    }
    let scores = |found: &[Value]| found.iter().map(|hit| hit["score"].as_f64().unwrap()).collect::<Vec<_>>();
    let close = |found: &[f64], wanted: &[f64]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4);
    assert_eq!(scores(&found[0]), scores(&found[1]), "scores are the default");
    assert!((scores(&found[0])[0] - 1.0).abs() < 1e-3, "{:?}", found[0]);
    let places = scores(&found[2]);
    assert!(close(&places, &[1.0, 61.0 / 62.0, 0.5 * 61.0 / 63.0]), "{places:?}");
    let words = scores(&found[3]);
    assert!(close(&[words[0], words[2]], &[1.0, 0.0]) && words[1] > 0.1 && words[1] < 0.9, "{words:?}");
    let vectors = scores(&found[4]);
    assert!(close(&[vectors[0], vectors[2]], &[1.0, 0.0]) && vectors[1] > 0.1 && vectors[1] < 0.9, "{vectors:?}");
    let refused =
        bed.post(&alice(), "/api/knowledge-bases", json!({ "name": "b", "retrieval_config": { "fusion": "x" } })).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("fusion must be scores or rrf"), "{}", refused.text);
}
