//! Components that can never be called are refused, and what is imported and not granted is named with its grant.

use behalf_tests::{ALICE, App, User, components, guests};
use serde_json::json;

use super::{refused, registered};

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_imports_what_no_host_links_is_refused_with_what_to_change() {
    let app = App::start().await;
    let before = registered(&app).await;
    for (interface, function, advice) in [
        ("wasi:http/incoming-handler@0.2.0", "handle", "called through its export `tool` alone"),
        ("wasi:cli/nowhere@0.2.0", "go", "build it without what uses wasi:cli/nowhere@0.2.0"),
        ("wasi:clocks/wall-clock@0.2.0", "set", "build it without what uses wasi:clocks/wall-clock@0.2.0"),
        ("wasi:random/random@0.2.0", "get-random-u64", "build it without what uses wasi:random/random@0.2.0"),
    ] {
        let answer = app.upload_bytes(components::importing(interface, function), &json!({}), "").await;
        let named = format!("it imports `{function}` of {interface}");
        refused(interface, &answer, 400, &[&named, "does not have in this form", advice]);
        assert!(!answer.text.contains("in the linker"), "{}", answer.text);
    }
    assert_eq!(registered(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_without_its_grant_says_which_interface_takes_which_grant() {
    let app = App::start().await;
    app.install(guests::HTTP, &json!({})).await;
    app.install(guests::SEARCH, &json!({})).await;
    for (tool, arguments, interface, grant) in [
        ("fetch", json!({"url": "http://example.com"}), "wasi:http/outgoing-handler@", "`http`"),
        ("search", json!({"text": "leave"}), "behalf:tool/knowledge@", "`knowledge`"),
    ] {
        let answer = app.call(&User::Is(ALICE), tool, arguments).await;
        assert_eq!((answer.status, &answer.json["code"]), (403, &json!("not_granted")), "{tool}: {}", answer.text);
        let said = answer.json["detail"].as_str().unwrap();
        assert!(said.contains(interface) && said.contains(grant) && !said.contains("linker"), "{tool}: {said}");
    }
}
