//! What operators see of a host: one line of the log for each request, call and run, in the format that they chose, and metrics that
//! say what they are and are there from the start.

use behalf_tests::projects::behalf_with;
use behalf_tests::{
    ALICE, App, HostProcess, LogLines, Options, SECRET, ScriptedModel, TestDatabase, Turn, User, eventually,
};
use reqwest::Method;
use serde_json::{Value, json};

/// The lines that hold all of these.
fn lines<'a>(log: &'a str, all: &[&str]) -> Vec<&'a str> {
    log.lines().filter(|line| all.iter().all(|one| line.contains(one))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_call_and_run_is_one_line() {
    let log = LogLines::take();
    let model =
        ScriptedModel::start([Turn::Call(vec![("database_query", json!({"query": "select 1"}))]), Turn::Say("One.")])
            .await;
    let app = App::with(Options { settings: model.settings() }).await;
    let agent = app.agent(&["database_query"]).await;
    let send = async |user: &User, method: Method, path: &str, body: Value| {
        let answer = app.request(user, method, path).json(&body).send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        (id, answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let alice = User::Is(ALICE);
    let call = json!({ "arguments": { "query": "select 1" } });
    let path = "/api/tools/database_query/call";
    let (of_call, status, called) = send(&alice, Method::POST, path, call.clone()).await;
    assert_eq!(status, 200, "{called}");
    let (of_nobody, status, _) = send(&User::Nobody, Method::POST, path, call.clone()).await;
    assert_eq!(status, 401);
    let (of_service, ..) = send(&User::ServiceFor(ALICE), Method::POST, path, call).await;
    let (of_run, status, run) =
        send(&alice, Method::POST, &format!("/api/agents/{agent}/run"), json!({"message": "?"})).await;
    assert_eq!(status, 200, "{run}");
    app.get(&User::Nobody, "/readyz").await;
    let database = app.stop().await;
    let text = log.text();
    for (id, status, caller) in
        [(&of_call, 200, "user"), (&of_nobody, 401, "none"), (&of_service, 200, "service_for_user")]
    {
        let found = lines(&text, &[" INFO ", "behalf::access", "answered", id]);
        assert_eq!(found.len(), 1, "{found:?}");
        for part in [
            format!("http.status={status}"),
            format!("caller.kind=\"{caller}\""),
            "http.route=\"/api/tools/{name}/call\"".to_owned(),
            "http.method=\"POST\"".to_owned(),
            "duration_ms=".to_owned(),
        ] {
            assert!(found[0].contains(&part), "{part}: {}", found[0]);
        }
        assert_eq!(found[0].matches("request.id=").count(), 1, "{}", found[0]);
    }
    assert_eq!(lines(&text, &["behalf::access", "answered", &of_run]).len(), 1);
    assert_eq!(lines(&text, &[" INFO ", "answered", "/readyz"]), Vec::<&str>::new(), "probes are no news");
    let call_id = called["call_id"].as_str().unwrap();
    let calls = lines(&text, &[" INFO ", "a tool call ended", call_id]);
    assert_eq!(calls.len(), 1, "{calls:?}");
    for part in ["tool.name=\"database_query\"", "outcome=\"ok\"", "duration_ms="] {
        assert!(calls[0].contains(part), "{part}: {}", calls[0]);
    }
    let run_id = run["run_id"].as_str().unwrap();
    let of_runs = lines(&text, &[" INFO ", "a tool call ended", run_id]);
    assert!(of_runs.len() == 1 && of_runs[0].contains(&agent), "{of_runs:?}");
    let runs = lines(&text, &[" INFO ", "behalf::runs", "a run ended", run_id]);
    assert_eq!(runs.len(), 1, "{runs:?}");
    for part in [agent.as_str(), "outcome=\"completed\"", "duration_ms=", "steps=2", "calls=1"] {
        assert!(runs[0].contains(part), "{part}: {}", runs[0]);
    }
    drop(database);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_json_has_each_field_once_and_refusals_to_start_as_well() {
    let database = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let settings = [("log", "info".to_owned()), ("log_format", "json".to_owned())];
    let mut host = HostProcess::start_logged(&database, &settings, &file).await;
    let call = host.request(&User::Is(ALICE), Method::POST, "/api/tools/database_query/call");
    let answer = call.json(&json!({ "arguments": { "query": "select 1" } })).send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    host.terminate();
    let text = std::fs::read_to_string(&file).unwrap();
    let parsed: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let line =
        text.lines().find(|line| line.contains("behalf::access") && line.contains(&id)).expect("a line of the request");
    assert_eq!(line.matches(&id).count(), 1, "{line}");
    let stops = parsed.iter().filter(|line| line["fields"]["reason"] == "SIGTERM").count();
    assert_eq!(stops, 1, "{text}");

    let wrong = database.host_url().replace(behalf_tests::LOGIN_PASSWORD, "another-password");
    let base = [
        ("host_database_url", wrong),
        ("tool_database_url", database.tool_url()),
        ("jwt_secret", SECRET.to_owned()),
        ("bind", "127.0.0.1:0".to_owned()),
        ("state_dir", folder.path().display().to_string()),
        ("log_format", "json".to_owned()),
    ];
    let misspelt = [("log_format", "json".to_owned()), ("storag", "on".to_owned())];
    for (settings, said) in [(&base[..], "it is not safe to start"), (&misspelt[..], "BEHALF_STORAGE")] {
        let printed = behalf_with(settings, &["serve"]).await;
        assert!(!printed.ok);
        let last = printed.err.lines().last().expect("it says something");
        for line in printed.err.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"].is_string()), "{line}");
        }
        let last: Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["level"], "ERROR");
        assert!(last["fields"]["message"].as_str().unwrap().contains(said), "{last}");
    }
}

/// The value of a series in the text of `/metrics`.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_they_are_and_are_there_from_the_start() {
    let model = ScriptedModel::start([Turn::Say("One."), Turn::Refuse(400)]).await;
    let app = App::with(Options { settings: model.settings() }).await;
    let metrics = async || app.get(&User::Nobody, "/metrics").await.text;
    let before = metrics().await;
    for series in [
        "behalf_runs_total{status=\"failed\"}",
        "behalf_runs_total{status=\"completed\"}",
        "behalf_letters_total{outcome=\"lost\"}",
        "behalf_runs_taken_over_total",
        "behalf_job_failures_total{job=\"run supervisor\"}",
        "behalf_runs_running",
        "behalf_realtime_slow_sockets_total",
    ] {
        assert_eq!(value(&before, series), Some(0.0), "{series}\n{before}");
    }
    for series in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds", "process_threads"]
    {
        assert!(value(&before, series).is_some_and(|value| value > 0.0), "{series}");
    }
    let (in_use, idle) = ("behalf_host_connections_in_use", "behalf_host_connections_idle");
    assert!(value(&before, in_use).zip(value(&before, idle)).is_some_and(|(one, two)| one + two > 0.0), "{before}");
    // Every metric has a sentence of its own.
    let names = before.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned));
    for name in names {
        assert!(before.lines().any(|line| line.starts_with(&format!("# HELP {name} "))), "{name} has no # HELP");
    }
    let agent = app.agent(&[]).await;
    assert_eq!(app.ask(&User::Is(ALICE), &agent, "?").await.json["content"], "One.");
    app.ask(&User::Is(ALICE), &agent, "?").await;
    eventually("both runs are counted", async || {
        let text = metrics().await;
        value(&text, "behalf_runs_total{status=\"completed\"}") == Some(1.0)
            && value(&text, "behalf_runs_total{status=\"failed\"}") == Some(1.0)
    })
    .await;
    let text = metrics().await;
    let of_model = |name: &str, more: &str| format!("{name}{{model=\"openai/scripted\",{more}}}");
    for (series, least) in [
        (of_model("behalf_model_requests_total", "outcome=\"ok\""), 1.0),
        (of_model("behalf_model_requests_total", "outcome=\"failed\""), 1.0),
        (of_model("behalf_model_tokens_total", "kind=\"prompt\""), 1.0),
        (of_model("behalf_model_tokens_total", "kind=\"completion\""), 1.0),
        ("behalf_run_seconds_count{status=\"completed\"}".to_owned(), 1.0),
        ("behalf_http_request_seconds_count{route=\"/api/agents/{agent}/run\"}".to_owned(), 1.0),
    ] {
        assert!(value(&text, &series).is_some_and(|value| value >= least), "{series}\n{text}");
    }
}
