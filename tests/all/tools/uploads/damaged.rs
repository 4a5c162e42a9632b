//! Components with random damage: each is accepted or refused, and the host goes on.

use behalf_sandbox::inspect;
use behalf_tests::{ALICE, App, User, components};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::component;

/// Random numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// The component with some of its bytes changed, or without its end.
fn mutated(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if numbers.below(6) == 0 {
        bytes.truncate(numbers.below(bytes.len()));
        return bytes;
    }
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        bytes[at] ^= 1 << numbers.below(8);
    }
    bytes
}

#[test]
fn a_damaged_component_is_read_or_refused_and_nothing_else() {
    let mut numbers = Numbers(20_261_123);
    let (mut read, mut refused) = (0, 0);
    for name in ["definitions_no_schema", "core_module", "arguments_beyond_memory"] {
        let whole = component(name);
        for _ in 0..400 {
            match inspect(&mutated(&whole, &mut numbers)) {
                Ok(_) => read += 1,
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().len() < 700, "{error}");
                }
            }
        }
    }
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused: one of them was not tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_component_harms_the_host_in_no_way() {
    let app = App::start().await;
    let whole = components::tool("damaged", &json!({"type": "object", "properties": {"text": {"type": "string"}}}));
    let mut numbers = Numbers(7);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..30 {
        let uploads = (0..4).map(|index| {
            let bytes = mutated(&whole, &mut numbers);
            let query = format!("?replace=true&name=damaged-{}", round * 4 + index);
            let app = &app;
            async move { app.upload_bytes(bytes, &json!({}), &query).await }
        });
        for answer in join_all(uploads.collect::<Vec<_>>()).await {
            match answer.status {
                201 => accepted += 1,
                400 | 409 => refused += 1,
                other => panic!("{other}: {}", answer.text),
            }
            // A component that was accepted may fail when it is called.
            if answer.status == 201 {
                let name = answer.json["tools"][0]["name"].as_str().unwrap();
                let called = app.call(&User::Is(ALICE), name, json!({"text": "x"})).await;
                assert!([200, 400, 408, 422, 502, 507].contains(&called.status), "{}", called.text);
                let path = format!("/api/plugins/{}", answer.json["id"].as_str().unwrap());
                assert_eq!(app.send(&User::Service, Method::DELETE, &path, json!(null)).await.status, 200);
            }
        }
    }
    assert!(accepted > 5 && refused > 5, "{accepted} accepted, {refused} refused: one of them was not tried");
    app.settled().await;
    let answer = app.call(&User::Is(ALICE), "database_query", json!({"query": "select 1 as one"})).await;
    assert_eq!(answer.result(), &json!([{"one": 1}]));
}
