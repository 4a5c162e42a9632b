//! Files that are no plugins: components with wrong definitions or imports, and files that are no components.

use behalf_tests::{ALICE, Answer, App, User, eventually};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{component, refused, registered};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plugin_is_refused_with_the_reason() {
    let app = App::start().await;
    let before = registered(&app).await;
    let cases: &[(&str, &[&str])] = &[
        ("wrong_world", &["does not export behalf:tool/tool@0.1.1"]),
        ("wrong_signature", &["expected `string` found `u32`"]),
        ("empty_component", &["does not export behalf:tool/tool@0.1.1", "it exports nothing"]),
        ("plain_module", &["it exports nothing"]),
        ("unknown_import", &["elsewhere:power/root", "which this host does not have"]),
        ("newer_import", &["behalf:tool/caller@0.2.0", "which this host does not have"]),
        ("definitions_panic", &["`definitions` failed", "crashed"]),
        ("definitions_beyond_memory", &["`definitions` failed"]),
        ("definitions_query", &["`definitions` failed", "without any capability"]),
        ("definitions_identity", &["`definitions` failed", "without any capability"]),
        ("definitions_invalid_json", &["must return a JSON array"]),
        ("definitions_not_array", &["must return a JSON array", "not an array"]),
        ("definitions_none", &["1 to 64 tools", "has 0"]),
        ("definitions_bad_schema", &["inputSchema", "bad_schema", "not a JSON Schema"]),
        ("definitions_scalar_schema", &["scalar_schema", "its type must be \"object\""]),
        ("definitions_wrong_names", &["is no tool name", "[a-z][a-z0-9_]{0,63}"]),
        ("definitions_duplicate", &["two tools are named \"twice\""]),
        ("definitions_large", &["returned more than"]),
        ("definitions_many", &[]),
        ("definitions_deep_schema", &["must return a JSON array", "recursion limit"]),
        ("definitions_slow_schema", &["inputSchema"]),
        ("memory_huge", &["memory"]),
        ("table_huge", &[]),
        ("tables_many", &[]),
        ("memories_many", &["instances"]),
        ("instances_multiply", &["instances; instantiate less"]),
        ("types_double", &["type size"]),
    ];
    for (name, words) in cases {
        let answer = app.upload_bytes(component(name), &json!({}), "").await;
        refused(name, &answer, 400, words);
    }
    // The name of another plugin is taken, and where a full name is too long for models, that of its tool too.
    let taken = component("definitions_taken");
    let long = format!("?name={}", "o".repeat(60));
    for (query, words) in [
        ("", &["a plugin named \"database-query\" is registered"][..]),
        (long.as_str(), &["\"database_query\" belongs to plugin database-query"][..]),
    ] {
        refused(query, &app.upload_bytes(taken.clone(), &json!({}), query).await, 409, words);
    }
    assert_eq!(registered(&app).await, before);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_never_comes_to_its_definitions_holds_up_nobody() {
    let app = App::start().await;
    let before = registered(&app).await;
    let names = ["initializer_spins", "start_spins", "definitions_spin", "definitions_grow"];
    let none = json!({});
    let uploads = join_all(names.map(|name| app.upload_bytes(component(name), &none, "")));
    let others = async {
        eventually("one of them runs", async || app.state.tools.sandbox().running_calls() > 0).await;
        for _ in 0..2 {
            assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
            let answer = app.call(&User::Is(ALICE), "database_query", json!({"query": "select 1 as one"})).await;
            assert_eq!(answer.result(), &json!([{"one": 1}]));
        }
        assert_ne!(app.state.tools.sandbox().running_calls(), 0, "they ended, so this shows nothing");
    };
    let (answers, ()) = futures::join!(uploads, others);
    for (name, answer) in names.iter().zip(&answers) {
        let words = if *name == "definitions_grow" { "bytes of memory" } else { "took longer than 5000 ms" };
        refused(name, answer, 400, &["`definitions` failed", words]);
    }
    assert_eq!(registered(&app).await, before);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_registered_is_what_was_said_once() {
    let app = App::start().await;
    // A tool without a schema accepts any object; a core module is turned into a component.
    for name in ["definitions_no_schema", "definitions_change", "core_module", "arguments_beyond_memory"] {
        let answer = app.upload_bytes(component(name), &json!({}), "").await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
    }
    let changing = app.get(&User::Service, "/api/tools/changing").await.json["description"].clone();
    for _ in 0..3 {
        assert_eq!(app.get(&User::Is(ALICE), "/api/tools/changing").await.json["description"], changing);
    }
    assert_eq!(app.call(&User::Is(ALICE), "core_module", json!({})).await.result(), &json!({}));
    let answer = app.call(&User::Is(ALICE), "no_schema", json!({"anything": [1]})).await;
    assert_eq!(answer.result(), &json!({}));
    let answer = app.call(&User::Is(ALICE), "misplaced", json!({})).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (502, Some("trapped")), "{}", answer.text);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_component_at_all_is_refused() {
    let app = App::start().await;
    let before = registered(&app).await;
    let mut native = std::fs::read("/proc/self/exe").unwrap();
    native.truncate(1 << 20);
    let compiled = std::path::Path::new(behalf_tests::app::STATE_DIR).join("compiled");
    let cwasm = std::fs::read_dir(compiled)
        .unwrap()
        .flatten()
        .find(|entry| entry.path().extension().is_some_and(|end| end == "cwasm"));
    let cwasm = std::fs::read(cwasm.unwrap().path()).unwrap();
    assert_eq!((&native[..4], &cwasm[..4]), (&b"\x7fELF"[..], &b"\x7fELF"[..]));
    for (what, bytes, words) in [
        ("nothing", Vec::new(), "there is no component"),
        ("a native program", native, "not a WebAssembly component"),
        ("compiled code", cwasm, "not a WebAssembly component"),
        ("text", b"(component)".to_vec(), "not a WebAssembly component"),
        ("half a magic number", b"\0as".to_vec(), "not a WebAssembly component"),
        ("a header alone", b"\0asm\x0d\0\x01\0".to_vec(), "does not export"),
        ("a header of a later version", b"\0asm\x0e\0\x01\0".to_vec(), "not a WebAssembly component"),
        ("an empty module", b"\0asm\x01\0\0\0".to_vec(), "it exports nothing"),
        ("half a module", b"\0asm\x01\0\0\0\x01\x7f".to_vec(), "core module"),
        ("zeros", vec![0; 4096], "not a WebAssembly component"),
        ("noise after a header", [&b"\0asm\x0d\0\x01\0"[..], &[0xff; 64]].concat(), "not valid here"),
    ] {
        let form = app.upload_bytes(bytes.clone(), &json!({}), "").await;
        refused(what, &form, 400, &[words]);
        let request =
            app.request(&User::Service, Method::POST, "/api/plugins").header("content-type", "application/wasm");
        refused(what, &Answer::of(request.body(bytes).send().await.unwrap()).await, 400, &[words]);
    }
    assert_eq!(registered(&app).await, before);
}

/// A reference that leads out of the schema or back to itself is not followed: what it stands for passes unchecked, and that is told.
#[tokio::test(flavor = "multi_thread")]
async fn references_that_lead_nowhere_are_not_followed_and_told() {
    let app = App::start().await;
    for (name, tool, reason) in [
        ("definitions_remote_schema", "local_file", "points out of the schema"),
        ("definitions_circular_schema", "circular", "leads back to itself"),
    ] {
        let made = app.upload_bytes(component(name), &json!({}), "").await;
        assert_eq!(made.status, 201, "{}", made.text);
        let tools = made.json["tools"].as_array().unwrap();
        let told = tools.iter().find(|one| one["name"] == tool).unwrap()["unchecked"].clone();
        assert!(told[0]["pointer"].as_str().unwrap().ends_with("/$ref"), "{told}");
        assert!(told[0]["reason"].as_str().unwrap().contains(reason), "{told}");
        assert_eq!(app.call(&User::Is(ALICE), tool, json!({"text": "x"})).await.status, 200, "{tool}");
    }
}
