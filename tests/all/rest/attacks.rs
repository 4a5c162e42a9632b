//! SQL through every place where a request can put a word, and requests that want too much.

use behalf_tests::{App, User};
use reqwest::Method;
use serde_json::json;

use super::{alice, app, bob, percent, send};

/// Texts that mean something if they reach the text of a statement.
const HOSTILE: [&str; 8] = [
    "'; reset role; --",
    "\"; reset role; --",
    "1) union select title from tasks --",
    "\\'; drop table tasks; --",
    "$$; drop table tasks; $$",
    "x\" from pg_authid --",
    "%00",
    "pg_catalog.pg_sleep(10)",
];

/// Nothing of bob's was shown, and nothing was changed.
async fn nothing_happened(app: &App) {
    assert_eq!(app.database.value::<i64>("select count(*) from tasks where title <> 'x'").await, 3);
    let mine = app.get(&bob(), "/rest/v1/tasks?select=title").await;
    assert_eq!(mine.json, json!([{"title": "mend brakes"}]));
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_cannot_become_sql() {
    let app = app().await;
    for hostile in HOSTILE {
        let text = if hostile == "%00" { hostile.to_owned() } else { percent(hostile) };
        for query in [
            format!("select={text}"),
            format!("select=a:{text}"),
            format!("select={text}:title"),
            format!("select=title::{text}"),
            format!("select=data-%3E{text}"),
            format!("select=lists({text})"),
            format!("select=lists!{text}(name)"),
            format!("select={text}(name)"),
            format!("order={text}"),
            format!("order=title.{text}"),
            format!("limit={text}"),
            format!("offset={text}"),
            format!("{text}=eq.1"),
            format!("title={text}"),
            format!("title=eq.{text}"),
            format!("title=in.({text})"),
            format!("title=fts({text}).x"),
            format!("or=({text})"),
            format!("or=(title.eq.{text})"),
            format!("lists.name=eq.{text}&select=*,lists(*)"),
            format!("on_conflict={text}"),
            format!("columns={text}"),
        ] {
            for (method, body) in [(Method::GET, ""), (Method::PATCH, "{}")] {
                let answer = send(&app, &alice(), method, &format!("/rest/v1/tasks?{query}"), &[], body).await.answer;
                assert!(answer.status < 500, "{query}: {} {}", answer.status, answer.text);
                assert!(!answer.text.contains("brakes"), "{query}: {}", answer.text);
            }
        }
        for path in [format!("/rest/v1/{text}"), format!("/rest/v1/rpc/{text}"), format!("/rest/v1/rpc/add?{text}=1")] {
            let answer = app.get(&alice(), &path).await;
            assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
        }
    }
    nothing_happened(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_bodies_cannot_become_sql() {
    let app = app().await;
    for hostile in HOSTILE {
        for name in ["accept", "prefer", "range", "range-unit", "accept-profile", "x-any", "cookie", "user-agent"] {
            let answer = send(&app, &alice(), Method::GET, "/rest/v1/tasks", &[(name, hostile)], "").await.answer;
            assert!(answer.status < 500 && !answer.text.contains("brakes"), "{name}: {hostile}: {}", answer.text);
        }
        let object = json!({ hostile: 1, "title": hostile }).to_string();
        for (kind, body) in [
            ("application/json", object.as_str()),
            ("application/json", hostile),
            ("text/csv", &format!("title,\"{}\"\nx,y\n", hostile.replace('"', "\"\""))),
            ("application/x-www-form-urlencoded", &format!("{}=1", percent(hostile))),
            (hostile, "{}"),
        ] {
            let headers = [("content-type", kind), ("content-profile", "public")];
            let answer = send(&app, &alice(), Method::POST, "/rest/v1/tasks", &headers, body).await.answer;
            assert!((400..500).contains(&answer.status), "{kind} {body}: {} {}", answer.status, answer.text);
        }
    }
    nothing_happened(&app).await;
}

/// What a path says reaches a function of the app as text.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_bound_as_text() {
    let app = app().await;
    let seen = app.get(&alice(), "/rest/v1/rpc/wh'o").await;
    assert_eq!(seen.status, 404, "{}", seen.text);
    let seen = app.get(&alice(), "/rest/v1/rpc/%77ho").await;
    assert_eq!(seen.json["path"], "/rpc/%77ho", "{}", seen.text);
    nothing_happened(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_keys_are_not_the_clients_to_choose() {
    let app = app().await;
    for name in ["role", "x-role", "x-hasura-role", "x-forwarded-user"] {
        let seen = send(&app, &alice(), Method::GET, "/rest/v1/rpc/who", &[(name, "service_role")], "").await.answer;
        assert_eq!(seen.json["role"], "authenticated", "{}", seen.text);
    }
    let client = reqwest::Client::new();
    let wrong = client
        .get(format!("{}/rest/v1/tasks", app.url))
        .header("apikey", "another-key")
        .bearer_auth(behalf_tests::app::token(behalf_tests::ALICE));
    let wrong = behalf_tests::Answer::of(wrong.send().await.unwrap()).await;
    super::assert_error(&wrong, 401, "PGRST301");
    let asked =
        send(&app, &alice(), Method::GET, "/rest/v1/tasks", &[("x-behalf-act-as", &behalf_tests::BOB.to_string())], "")
            .await;
    super::assert_error(&asked.answer, 403, "42501");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_want_too_much_are_refused_quickly() {
    let app = app().await;
    let deep = format!("/rest/v1/tasks?and=({}id.eq.1{})", "and(".repeat(10_000), ")".repeat(10_000));
    let answer = app.get(&alice(), &deep).await;
    assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text);
    let cycle = format!("/rest/v1/tasks?select={}id{}", "lists(tasks(".repeat(200), "))".repeat(200));
    let answer = app.get(&alice(), &cycle).await;
    assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text);
    // A megabyte is more than the host reads of a request's head; as much as it reads is answered.
    let long = |bytes: usize| format!("/rest/v1/tasks?select=id&id=in.({}1)", "1,".repeat(bytes / 2));
    assert_eq!(status_of_head(&app, &long(1_000_000)).await, 431);
    let answer = app.get(&alice(), &long(50_000)).await;
    assert_eq!((answer.status, &answer.json), (200, &json!([{"id": 1}])), "{}", answer.text);
    let many = format!("/rest/v1/tasks?select=id&or=({}id.eq.1)", "id.eq.1,".repeat(6_000));
    let answer = app.get(&alice(), &many).await;
    assert_eq!((answer.status, &answer.json), (200, &json!([{"id": 1}])), "{}", answer.text);
    // More of everything than a statement can have parameters.
    let names: serde_json::Map<_, _> = (0..65_536).map(|n| (format!("a{n}"), json!(n))).collect();
    for path in ["/rest/v1/tasks", "/rest/v1/rpc/add"] {
        let answer = app.post(&alice(), path, json!(names)).await;
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
    }
    let csv = format!("{}z\n{}1", "a,".repeat(65_536), "1,".repeat(65_536));
    let answer =
        send(&app, &alice(), Method::POST, "/rest/v1/tasks", &[("content-type", "text/csv")], &csv).await.answer;
    assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text);
    let wide: Vec<_> = (0..70_000).map(|n| json!({ "title": n.to_string(), "list_id": 2 })).collect();
    let answer = app.post(&alice(), "/rest/v1/tasks?select=id", json!(wide)).await;
    assert!(answer.status < 500, "{} {}", answer.status, answer.text);
    assert_eq!(app.get(&User::Service, "/rest/v1/lists?select=id").await.status, 200);
}

/// Each embedded row has all rows of the other table once more, so three levels of a list of a thousand tasks are 10^9 rows.
#[tokio::test(flavor = "multi_thread")]
async fn embeddings_that_multiply_rows_are_ended_within_the_bounds_of_a_request() {
    let settings = vec![("rest_max_answer_bytes", "1000000".to_owned()), ("rest_timeout_seconds", "2".to_owned())];
    let app = super::app_with(settings).await;
    app.database.execute("insert into tasks (list_id, owner_id, title) select 1, owner_id, 'x' from lists, generate_series(1, 1000) where id = 1").await;
    let levels = "lists(tasks(lists(tasks(lists(tasks(id))))))";
    let answer = app.get(&alice(), &format!("/rest/v1/tasks?select=id,{levels}")).await;
    let code = answer.json["code"].as_str();
    assert!(matches!((answer.status, code), (413, Some("54000")) | (500, Some("57014"))), "{} {code:?}", answer.status);
    app.settled().await;
    let few = app.get(&alice(), "/rest/v1/lists?select=id,tasks(id)&tasks.limit=2").await;
    assert_eq!(few.json[0]["tasks"].as_array().map(Vec::len), Some(2), "{}", few.text);
    nothing_happened(&app).await;
}

/// The status of a request whose head the host may not read to its end: a client that is still sending then hears nothing.
async fn status_of_head(app: &App, path: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stream = tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    tokio::spawn(async move { writes.write_all(head.as_bytes()).await });
    let mut first = [0; 12];
    reads.read_exact(&mut first).await.unwrap();
    std::str::from_utf8(&first[9..]).unwrap().parse().unwrap()
}
