//! Definitions and schemas of tools: those that cannot be offered to a model, and those that are slow to check.

use std::time::Duration;

use behalf_tests::{ALICE, App, User, components};
use reqwest::Method;
use serde_json::{Value, json};

use super::{refused, registered};
use crate::tools::encoded_chain;

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_cannot_be_offered_are_refused() {
    let app = App::start().await;
    let before = registered(&app).await;
    let below = |level: usize| json!({"$ref": format!("#/$defs/l{}", level + 1)});
    let mut multiplying: serde_json::Map<_, _> =
        (0..6).map(|level| (format!("l{level}"), json!({"anyOf": vec![below(level); 300]}))).collect();
    multiplying.insert("l6".to_owned(), json!({"type": "number"}));
    let deep = (0..40).fold(json!({}), |inner, _| json!({"not": inner}));
    for (what, schema, words) in [
        (
            "references that multiply",
            json!({"type": "object", "$ref": "#/$defs/l0", "$defs": multiplying}),
            "every reference put in its place",
        ),
        ("depth", json!({"type": "object", "not": deep}), "may nest 32 levels"),
        ("size", json!({"type": "object", "enum": vec![0; 6_000]}), "5000 values"),
        ("another type", json!({"type": ["array", "string"]}), "must be \"object\""),
        ("no schemas", json!({"type": "object", "properties": {"a": 7}}), "not a JSON Schema"),
    ] {
        refused(what, &app.upload_bytes(components::tool("schema", &schema), &json!({}), "").await, 400, &[words]);
    }
    let object = json!({"type": "object"});
    for (what, definitions, words) in [
        ("no object", json!([7]), "must be an object"),
        ("no name", json!([{"description": "x", "inputSchema": object}]), "needs a name"),
        ("a long description", json!([{"name": "x", "description": "x".repeat(4_097)}]), "1 to 4096 characters"),
        ("no description", json!([{"name": "x"}]), "needs a description"),
        ("a NUL", json!([{"name": "x", "description": "a\u{0}b"}]), "NUL"),
        (
            "too many",
            json!((0..65).map(|n| json!({"name": format!("x{n}"), "description": "x"})).collect::<Vec<_>>()),
            "1 to 64 tools",
        ),
        (
            "a bad output schema",
            json!([{"name": "x", "description": "x", "outputSchema": {"properties": 1}}]),
            "outputSchema",
        ),
    ] {
        let bytes = components::plugin(&definitions.to_string(), "{}");
        refused(what, &app.upload_bytes(bytes, &json!({}), "").await, 400, &[words]);
    }
    assert_eq!(registered(&app).await, before);
}

/// What generators write and no validator of ours can check. The rest of each schema is checked.
#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_generators_are_taken_and_what_is_not_checked_is_told() {
    let app = App::start().await;
    let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}});
    let schema = json!({
        "$id": "https://example.com/tool.json", "$schema": "http://json-schema.org/draft-07/schema#",
        "type": ["object", "null"],
        "properties": {
            "email": {"type": "string", "pattern": "^(?!\\.)[a-z.]+@[a-z.]+$"},
            "pair": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "additionalItems": false},
            "age": {"type": "number", "minimum": 0, "exclusiveMinimum": true},
            "list": {"$ref": "#/$defs/node"},
            "any": {"type": "any"},
        },
        "required": ["email"],
        "$defs": {"node": node},
    });
    let made = app.upload_bytes(components::tool("generated", &schema), &json!({}), "").await;
    assert_eq!(made.status, 201, "{}", made.text);
    let told = made.json["tools"][0]["unchecked"].as_array().unwrap();
    let pointers: std::collections::BTreeSet<_> = told.iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    let expected = ["/$defs/node/properties/next/$ref", "/properties/any/type", "/properties/email/pattern"];
    assert_eq!(pointers, expected.into());
    let call = async |more: Value| {
        let mut arguments = json!({"email": "a@b"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.call(&User::Is(ALICE), "generated", arguments).await.status
    };
    assert_eq!(
        call(json!({"any": [1], "age": 0.5, "list": {"n": 1, "next": {"n": "x"}}, "pair": ["a", 1]})).await,
        200
    );
    for bad in [json!({"email": 1}), json!({"age": 0}), json!({"pair": [1, "a"]}), json!({"list": {"n": "x"}})] {
        assert_eq!(call(bad.clone()).await, 400, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_that_multiply_are_refused() {
    let app = App::start().await;
    for (what, schema, words) in [
        ("references that multiply when they are decoded", encoded_chain(29), "every reference put in its place"),
        (
            "patterns that multiply",
            json!({"type": "object", "$ref": "#/$defs/l0", "$defs": {
                "l0": {"allOf": vec![json!({"$ref": "#/$defs/l1"}); 600]}, "l1": {"pattern": "a"}}}),
            "512 patterns",
        ),
        (
            "a question that doubles at each level",
            (0..14).fold(
                json!({"type": "object"}),
                |inner, _| json!({"type": "object", "allOf": [inner], "unevaluatedProperties": false}),
            ),
            "every reference put in its place",
        ),
    ] {
        refused(what, &app.upload_bytes(components::tool("schema", &schema), &json!({}), "").await, 400, &[words]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_arguments_is_bounded() {
    let app = App::start().await;
    let many =
        json!({"type": "object", "properties": {"list": {"items": {"allOf": vec![json!({"type": "number"}); 2_000]}}}});
    let pattern = json!({"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}});
    let slow = json!({"type": "object", "properties": {"text": {"pattern": "[ab]*a[ab]{400}[^ab][a-z]*"}}});
    for (name, schema) in [("many", many), ("pattern", pattern), ("slow", slow)] {
        let answer = app.upload_bytes(components::tool(name, &schema), &json!({}), "").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    assert_eq!(app.call(&User::Is(ALICE), "many", json!({"list": [1, 2, 3]})).await.result(), &json!({}));
    let answer = app.call(&User::Is(ALICE), "many", json!({"list": vec![1; 500_000]})).await;
    refused("many", &answer, 400, &["too many for this schema"]);
    let answer = app.call(&User::Is(ALICE), "pattern", json!({"text": format!("{}b", "a".repeat(400_000))})).await;
    refused("pattern", &answer, 400, &["/text", "does not match"]);
    let answer = app.call(&User::Is(ALICE), "slow", json!({"text": "ab".repeat(900_000)})).await;
    refused("slow", &answer, 400, &["/text", "send less"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_check_holds_up_no_other_request() {
    let app = App::start().await;
    let many =
        json!({"type": "object", "properties": {"list": {"items": {"allOf": vec![json!({"type": "number"}); 2_000]}}}});
    // References are decoded once, by the host: what was meant is checked, and a decoy beside it is not.
    for (name, schema) in [("many", many), ("chain", encoded_chain(6))] {
        let answer = app.upload_bytes(components::tool(name, &schema), &json!({}), "").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    assert_eq!(app.call(&User::Is(ALICE), "chain", json!({"n": 1})).await.result(), &json!({}));
    refused("chain", &app.call(&User::Is(ALICE), "chain", json!({"n": "x"})).await, 400, &["/n"]);
    let definition = app.get(&User::Service, "/api/tools/chain").await;
    assert_eq!(definition.json["input_schema"], encoded_chain(6), "models see what the author wrote");

    let list = json!({"list": vec![1; 4_500]});
    let calls = futures::future::join_all((0..6).map(|_| app.call(&User::Is(ALICE), "many", list.clone())));
    let health = async {
        for _ in 0..20 {
            let asked = app.request(&User::Nobody, Method::GET, "/healthz").send();
            let answer = tokio::time::timeout(Duration::from_secs(10), asked).await.expect("an answer").unwrap();
            assert_eq!(answer.status(), 200);
        }
    };
    let (calls, ()) = tokio::join!(calls, health);
    // All six fit; those that found no place within ten seconds say that they may try again.
    for answer in calls {
        assert!(answer.status == 200 || (answer.status == 503 && answer.json["code"] == "busy"), "{}", answer.text);
    }
    assert_eq!(app.call(&User::Is(ALICE), "many", json!({"list": [Value::Null]})).await.status, 400);
}
