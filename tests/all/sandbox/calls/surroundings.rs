//! The surroundings of a tool: clocks and random numbers, but no environment, no network, and nothing that was not granted.

use behalf_tests::{ALICE, App, BOB, User, guests};
use futures::future::join_all;
use serde_json::json;

use super::{LONG, NOT_GRANTED, SHORT, TRAPPED, database, ends, goes_well, limits};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_may_not_have_is_not_there() {
    let app = App::start().await;
    app.install(guests::HOSTILE, &json!({})).await;
    let told = goes_well(&app, "environment", json!({})).await;
    assert_eq!((&told["variables"], &told["arguments"]), (&json!([]), &json!([])), "{told}");
    assert!(told["directory"].is_null() || told["directory"] == "/", "{told}");
    let thread = goes_well(&app, "spawn_thread", json!({})).await;
    assert!(thread["error"].is_string(), "{thread}");
    let got = goes_well(&app, "grow_memory", json!({})).await;
    assert!((32..64).contains(&got["mib"].as_u64().unwrap()), "{got}");
    goes_well(&app, "log_lines", json!({"count": 50})).await;
    goes_well(&app, "log_forgery", json!({})).await;
    goes_well(&app, "flood_output", json!({"bytes": 4 << 20})).await;
    goes_well(&app, "flood_output", json!({"bytes": 4 << 20, "stream": "stderr"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_has_no_socket_and_no_name_service() {
    let app = App::start().await;
    app.install(guests::SOCKETS, &json!({})).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let packets = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for (tool, arguments) in [
        ("connect", json!({"address": address})),
        ("connect", json!({"address": app.url.trim_start_matches("http://")})),
        ("listen", json!({"address": "127.0.0.1:0"})),
        ("listen", json!({"address": "[::1]:0"})),
        ("send", json!({"address": packets.local_addr().unwrap().to_string()})),
        ("resolve", json!({"name": "localhost"})),
        ("resolve", json!({"name": "example.com"})),
    ] {
        let result = goes_well(&app, tool, arguments.clone()).await;
        assert!(result["error"].is_string() && result["ok"].is_null(), "{tool} {arguments}: {result}");
    }
    let arrived = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await;
    assert!(arrived.is_err(), "a connection arrived");
    assert!(packets.try_recv(&mut [0; 8]).is_err(), "a packet arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_whose_import_was_not_granted_does_not_run() {
    let app = App::start().await;
    app.install(guests::PROBE, &limits(SHORT)).await;
    app.install(guests::SEARCH, &json!({})).await;
    for (tool, arguments) in [
        ("sql", json!({"sql": "select 1"})),
        ("clock", json!({})),
        ("write_then_spin", json!({"sql": "delete from notes"})),
        ("search", json!({"text": "tomatoes"})),
    ] {
        ends(&app, tool, arguments, NOT_GRANTED).await;
    }
    assert_eq!(app.database.value::<i64>("select count(*) from notes").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_instance_remembers_another_call() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(LONG)).await;
    let calls = (0..60).map(|index| {
        let (app, user) = (&app, if index % 2 == 0 { ALICE } else { BOB });
        async move { (user, app.call(&User::Is(user), "remember", json!({})).await) }
    });
    for (user, answer) in join_all(calls).await {
        assert_eq!(answer.result(), &json!({"before": null, "now": format!("authenticated/{user}")}));
    }
    // The memory of a call that failed is not seen by the next one either.
    ends(&app, "sql_many", json!({"statements": [], "end": "trap"}), TRAPPED).await;
    let answer = app.call(&User::Anon, "remember", json!({})).await;
    assert_eq!(answer.result(), &json!({"before": null, "now": "anon/"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_random_numbers_and_standard_output_work() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(SHORT)).await;
    let clock = goes_well(&app, "clock", json!({})).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(clock["unix_seconds"].as_u64().unwrap().abs_diff(now) < 60, "{clock}");
    assert!(clock["slept_ms"].as_u64().unwrap() >= 20, "{clock}");
    let numbers = [goes_well(&app, "random", json!({})).await, goes_well(&app, "random", json!({})).await];
    assert_ne!(numbers[0][0], numbers[1][0]);
    goes_well(&app, "print", json!({"stdout": "hello", "stderr": "\u{0}\u{1b}[2J"})).await;
    goes_well(&app, "sleep", json!({"ms": 10})).await;
    let told = goes_well(&app, "identity", json!({})).await;
    assert_eq!(told["identity"]["subject"], ALICE.to_string());
    assert!(told["remaining_ms"].as_u64().unwrap() <= SHORT, "{told}");
}
