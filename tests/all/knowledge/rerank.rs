//! A model that reads the best results again: what it is sent, whose order counts, and what a search is worth without it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use behalf_tests::ALICE;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use serde_json::{Value, json};

use super::bed::{Bed, alice, bob};

/// What the model does.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Does {
    /// It finds the shortest document the best.
    Read,
    Fail,
    Redirect,
    AnswerGarbage,
    AnswerOtherJson,
    LeaveOneOut,
    NameOneTwice,
    NameAnother,
    AnswerHalf,
    Hang,
    HangInItsMiddle,
}

/// A request: its header `Authorization`, and its body.
type Asked = (Option<String>, Value);

/// The endpoint.
#[derive(Clone)]
struct Model {
    does: Arc<AtomicU8>,
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

impl Model {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/rerank", listener.local_addr().unwrap());
        let model = Self { does: Arc::default(), asked: Arc::default(), url };
        let app = axum::Router::new().route("/v1/rerank", post(answer)).with_state(model.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        model
    }

    fn now(&self, does: Does) {
        self.does.store(does as u8, Ordering::SeqCst);
    }

    /// The requests since the last look.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("rerank_url", self.url.clone()),
            ("rerank_api_key", "the-key".to_owned()),
            ("rerank_model", "the-model".to_owned()),
            ("rerank_seconds", "1".to_owned()),
        ]
    }

    async fn bed(&self) -> Bed {
        let mut settings = self.settings();
        settings.push(("http_allow_private", "127.0.0.1".to_owned()));
        Bed::with(settings).await
    }
}

async fn answer(State(model): State<Model>, headers: HeaderMap, body: String) -> Response {
    let asked: Value = serde_json::from_str(&body).unwrap();
    let key = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let lengths: Vec<usize> =
        asked["documents"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().len()).collect();
    model.asked.lock().unwrap().push((key, asked));
    let of = |status: u16, body: Body| {
        let answer = Response::builder().status(status).header("content-type", "application/json");
        answer.header("location", "/v1/elsewhere").body(body).unwrap()
    };
    let place = |index: usize, length: usize| json!({ "index": index, "relevance_score": 1.0 / f64::from(u32::try_from(length).unwrap()) });
    let mut results: Vec<Value> = lengths.iter().enumerate().map(|(index, length)| place(index, *length)).collect();
    let half = Bytes::from_static(b"{\"results\": [{\"index\": 0, \"releva");
    match model.does.load(Ordering::SeqCst) {
        d if d == Does::Fail as u8 => return of(500, Body::from(r#"{"results": []}"#)),
        d if d == Does::Redirect as u8 => return of(302, Body::empty()),
        d if d == Does::AnswerGarbage as u8 => return of(200, Body::from(vec![0xff; 100_000])),
        d if d == Does::AnswerOtherJson as u8 => return of(200, Body::from(r#"{"results": [{"score": 1}]}"#)),
        d if d == Does::AnswerHalf as u8 => return of(200, Body::from(half)),
        d if d == Does::Hang as u8 => std::future::pending().await,
        d if d == Does::HangInItsMiddle as u8 => {
            let begun = stream::once(async move { Ok::<_, std::io::Error>(half) });
            return of(200, Body::from_stream(begun.chain(stream::pending())));
        }
        d if d == Does::LeaveOneOut as u8 => drop(results.pop()),
        d if d == Does::NameOneTwice as u8 => results[1] = results[0].clone(),
        d if d == Does::NameAnother as u8 => results[1] = place(99, 1),
        _ => {}
    }
    of(200, Body::from(json!({ "results": results, "usage": { "total_tokens": 1 } }).to_string()))
}

/// Documents of which words find the longest the best.
const TEXTS: [&str; 3] =
    ["tomato soup", "tomato and tomato, said the cook", "tomato tomato tomato, and basil with tomato tomato"];

/// A base with these documents of Alice's and one of Bob's.
async fn base(bed: &Bed, reranker: Value) -> String {
    let retrieval = json!({ "method": "full_text", "reranker": reranker });
    let body = json!({ "contributors": "authenticated", "retrieval_config": retrieval });
    let base = bed.base(&alice(), body).await;
    for (number, text) in TEXTS.iter().enumerate() {
        let source = bed.source(Some(ALICE), &format!("{number}.md"), &[text]).await;
        bed.indexed(&alice(), &base, &source).await;
    }
    let hidden = bed.source(Some(behalf_tests::BOB), "bob.md", &["a tomato of Bob's"]).await;
    bed.indexed(&bob(), &base, &hidden).await;
    base
}

/// What a search for tomatoes finds: texts with their scores, and what it says of the model.
async fn found(bed: &Bed, base: &str, top_k: u32) -> (Vec<(String, f64)>, Value) {
    let answer = bed.ask(&alice(), base, json!({ "query": "tomato", "top_k": top_k })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let results = answer.json["results"].as_array().unwrap().iter();
    let results = results.map(|hit| (hit["text"].as_str().unwrap().to_owned(), hit["score"].as_f64().unwrap()));
    (results.collect(), answer.json["reranked"].clone())
}

fn texts(found: &[(String, f64)]) -> Vec<&str> {
    found.iter().map(|(text, _)| text.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_reads_the_best_chunks_of_the_caller_again_and_its_order_counts() {
    let model = Model::start().await;
    let bed = model.bed().await;
    let plain = base(&bed, Value::Null).await;
    let (found_by_words, reranked) = found(&bed, &plain, 2).await;
    assert_eq!(texts(&found_by_words), [TEXTS[2], TEXTS[1]]);
    assert_eq!((reranked, model.asked().len()), (Value::Null, 0), "this base wants none");
    let base = base(&bed, json!({ "candidates": 3 })).await;
    let (found_again, reranked) = found(&bed, &base, 2).await;
    assert_eq!((texts(&found_again), reranked), (vec![TEXTS[0], TEXTS[1]], json!(true)));
    assert!((found_again[0].1 - 1.0 / 11.0).abs() < 1e-6, "the score is the model's: {found_again:?}");
    let asked = model.asked();
    let wanted = json!({
        "model": "the-model", "query": "tomato", "top_n": 3, "documents": [TEXTS[2], TEXTS[1], TEXTS[0]]
    });
    assert_eq!(asked, [(Some("Bearer the-key".to_owned()), wanted)], "nothing of Bob's is sent");
    // A base may name another model of the endpoint, and fewer candidates than there are results are as many.
    let named = self::base(&bed, json!({ "model": "another", "candidates": 1 })).await;
    assert_eq!(texts(&found(&bed, &named, 2).await.0), [TEXTS[1], TEXTS[2]]);
    let (_, asked) = model.asked().remove(0);
    assert_eq!((&asked["model"], &asked["top_n"]), (&json!("another"), &json!(2)));
    // Nothing is read where nothing was found.
    let nothing = bed.ask(&alice(), &base, json!({ "query": "nowhere" })).await;
    assert_eq!((nothing.status, &nothing.json["results"]), (200, &json!([])));
    assert_eq!(model.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_or_is_slow_leaves_a_search_as_it_is_without_it_and_the_answer_says_so() {
    let model = Model::start().await;
    let bed = model.bed().await;
    let (plain, base) = (base(&bed, Value::Null).await, base(&bed, json!({})).await);
    let without = found(&bed, &plain, 3).await.0;
    for does in [
        Does::Fail,
        Does::Redirect,
        Does::AnswerGarbage,
        Does::AnswerOtherJson,
        Does::LeaveOneOut,
        Does::NameOneTwice,
        Does::NameAnother,
        Does::AnswerHalf,
        Does::Hang,
        Does::HangInItsMiddle,
    ] {
        model.now(does);
        assert_eq!(found(&bed, &base, 3).await, (without.clone(), json!(false)), "{does:?}");
        assert_eq!(model.asked().len(), 1, "{does:?}");
    }
    model.now(Does::Read);
    let (found, reranked) = found(&bed, &base, 3).await;
    assert_eq!((texts(&found), reranked), (vec![TEXTS[0], TEXTS[1], TEXTS[2]], json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_in_a_private_network_that_nobody_allowed_is_not_asked() {
    let model = Model::start().await;
    let bed = Bed::with(model.settings()).await;
    let base = base(&bed, json!({})).await;
    let (found, reranked) = found(&bed, &base, 2).await;
    assert_eq!((texts(&found), reranked), (vec![TEXTS[2], TEXTS[1]], json!(false)));
    assert_eq!(model.asked().len(), 0);
}
