//! Upload requests: their size, grants and form, several at the same time, and those that break off.

use std::io::{Read as _, Write as _};

use behalf_sandbox::MAX_COMPONENT_BYTES;
use behalf_tests::{ALICE, Answer, App, User, components, guests, write_grants};
use futures::future::join_all;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{component, refused, registered};

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_too_large_is_413_and_read_no_further() {
    let app = App::start().await;
    let large = |bytes: usize| {
        let mut body = b"\0asm\x0d\0\x01\0".to_vec();
        body.resize(bytes, 0);
        body
    };
    let raw = |body: Vec<u8>| async {
        let request =
            app.request(&User::Service, Method::POST, "/api/plugins").header("content-type", "application/wasm");
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let words = ["bytes", "40"];
    refused("one byte more", &raw(large(MAX_COMPONENT_BYTES + 1)).await, 413, &words[..1]);
    refused("42 MB", &raw(large(42 << 20)).await, 413, &words[..1]);
    refused("42 MB in a form", &app.upload_bytes(large(42 << 20), &json!({}), "").await, 413, &words[..1]);
    // A body of the allowed size is read; it is refused because it is no component.
    refused("the largest", &raw(large(MAX_COMPONENT_BYTES)).await, 400, &["not valid here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_cannot_be_are_refused() {
    let app = App::start().await;
    let before = registered(&app).await;
    let upload = async |grants: &Value| app.upload(guests::HOSTILE, grants).await;
    for (grants, status, words) in [
        (write_grants(), 422, "does not import behalf:tool/database, so it cannot be granted database"),
        (json!({"http": {"hosts": ["example.com"]}}), 422, "does not import wasi:http/outgoing-handler"),
        (json!({"everything": true}), 400, "unknown field `everything`"),
        (json!({"database": {"access": "admin"}}), 400, "unknown variant `admin`"),
        (json!({"database": "write"}), 400, "grants"),
        (json!(["database"]), 400, "grants"),
        (json!({"limits": {"timeout_ms": -1}}), 400, "grants"),
        (json!({"limits": {"fuel": 1}}), 400, "unknown field `fuel`"),
    ] {
        refused(&grants.to_string(), &upload(&grants).await, status, &[words]);
    }
    for (database, status, words) in [
        (json!({"access": "read", "schemas": ["pg_catalog"]}), 422, "\"pg_catalog\" is not one that this host exposes"),
        (json!({"access": "read", "schemas": ["auth"]}), 422, "\"auth\" is not one that this host exposes"),
        (json!({"access": "read", "schemas": ["public", "ai"], "tables": ["notes"]}), 422, "needs its schema"),
        (
            json!({"access": "read", "schemas": ["public"], "tables": ["auth.users"]}),
            422,
            "\"auth\" is not one that this host exposes",
        ),
        (json!({"access": "read", "schemas": ["public"], "tables": ["a\u{0}b"]}), 400, "NUL"),
        (json!({"access": "read", "max_rows": 4_294_967_296_u64}), 400, "grants"),
    ] {
        let answer = app.upload(guests::PROBE, &json!({ "database": database })).await;
        refused(&database.to_string(), &answer, status, &[words]);
    }
    assert_eq!(registered(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_oddities_is_refused_or_read_rightly() {
    let app = App::start().await;
    let before = registered(&app).await;
    let good = || Part::bytes(components::tool("odd", &json!({"type": "object"}))).file_name("x.wasm");
    let send = async |form: Form| {
        let request = app.request(&User::Service, Method::POST, "/api/plugins").multipart(form);
        Answer::of(request.send().await.unwrap()).await
    };
    for (what, form, words) in [
        ("no component", Form::new().text("grants", "{}"), "there is no component"),
        ("an empty form", Form::new(), ""),
        ("another field", Form::new().part("component", good()).text("owner", "me"), "unknown field \"owner\""),
        (
            "two components",
            Form::new().part("component", good()).part("component", good()),
            "\"component\" was sent twice",
        ),
        ("two grants", Form::new().part("component", good()).text("grants", "{}").text("grants", "{}"), "sent twice"),
        ("grants that are no JSON", Form::new().part("component", good()).text("grants", "{"), "grants"),
        ("a name that is none", Form::new().part("component", good()).text("name", "Not A Name"), "is no plugin name"),
        ("a NUL in the version", Form::new().part("component", good()).text("version", "1\u{0}"), "NUL"),
    ] {
        refused(what, &send(form).await, 400, &[words]);
    }
    for (what, kind, body) in [
        ("no boundary", "multipart/form-data", "--x\r\n"),
        (
            "the wrong boundary",
            "multipart/form-data; boundary=y",
            "--x\r\ncontent-disposition: form-data; name=\"component\"\r\n\r\nx\r\n--x--\r\n",
        ),
        (
            "cut off",
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"component\"\r\n\r\nabc",
        ),
        (
            "a part without a name",
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data\r\n\r\nabc\r\n--x--\r\n",
        ),
    ] {
        let request = app.request(&User::Service, Method::POST, "/api/plugins").header("content-type", kind).body(body);
        refused(what, &Answer::of(request.send().await.unwrap()).await, 400, &[]);
    }
    assert_eq!(registered(&app).await, before);
    // Grants may come before the component, and the part's own content type is ignored.
    let part = good().mime_str("text/html").unwrap();
    let answer = send(Form::new().text("grants", "{}").text("version", "2.0").part("component", part)).await;
    assert_eq!((answer.status, answer.json["version"].as_str()), (201, Some("2.0")), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploads_at_once_one_is_registered() {
    let app = App::start().await;
    let bytes = components::tool("contested", &json!({"type": "object"}));
    let answers = join_all((0..4).map(|_| app.upload_bytes(bytes.clone(), &Value::Null, ""))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    // The same component as two plugins: the first one keeps the short name.
    let answer = app.upload_bytes(bytes.clone(), &json!({}), "?name=another").await;
    let name = &answer.json["tools"][0]["name"];
    assert_eq!((answer.status, name), (201, &json!("another__contested")), "{}", answer.text);
    // Uploads and deletions of one component at the same time: each succeeds or is refused, and no orphan is left.
    let rounds = (0..6).map(|index| {
        let (app, bytes) = (&app, components::tool(&format!("crossing_{}", index % 2), &json!({"type": "object"})));
        async move {
            for _ in 0..4 {
                let answer = app.upload_bytes(bytes.clone(), &json!({}), "").await;
                assert!([201, 409].contains(&answer.status), "{}", answer.text);
                if let Some(id) = answer.json["id"].as_str().filter(|_| answer.status == 201) {
                    let gone =
                        app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{id}"), json!(null)).await;
                    assert_eq!(gone.status, 200, "{}", gone.text);
                }
            }
        }
    });
    join_all(rounds).await;
    let orphans =
        "select count(*) from ai.component c where not exists (select from ai.plugins p where p.digest = c.digest)";
    assert_eq!(app.database.value::<i64>(orphans).await, 0);
    assert_eq!(app.call(&User::Is(ALICE), "contested", json!({})).await.result(), &json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = App::start().await;
    let before = registered(&app).await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let bytes = components::tool("half", &json!({"type": "object"}));
    for kind in ["application/wasm", "multipart/form-data; boundary=x"] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "POST /api/plugins HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            behalf_tests::app::service_key(),
            bytes.len()
        )
        .unwrap();
        stream.write_all(&bytes[..bytes.len() / 2]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // The host ends the connection once it is done with the request.
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert_eq!(app.get(&User::Service, "/api/tools/half").await.status, 404);
    // A client that disconnects while the host asks its component for the definitions.
    tokio::select! {
        answer = app.upload_bytes(component("definitions_spin"), &Value::Null, "") => panic!("{}", answer.text),
        () = app.running(1) => {}
    }
    app.settled().await;
    assert_eq!(registered(&app).await, before);
}
