//! Bodies that lie about their length, are slow, or end in the middle; and many at once.

use std::time::Duration;

use behalf_tests::{ALICE, App, Options, TestDatabase, User, eventually};
use futures::stream::{FuturesUnordered, StreamExt as _};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::object_bed::{
    BUCKETS, alice, app, ask, at, connect, get, head, hers, no_bytes_are_left_over, objects, put, split,
};

/// Begins an upload of alice's with this header of its length, and sends the first half.
async fn half_sent(app: &App, name: &str, length: &str, half: &str) -> TcpStream {
    let mut stream = connect(app).await;
    let head = head(&alice(), "POST", &at("files", &hers(name)), &[length, "connection: close"]);
    stream.write_all(format!("{head}{half}").as_bytes()).await.unwrap();
    stream
}

/// Returns once the host stores bytes of this object.
async fn is_being_stored(app: &App, name: &str) {
    let name = hers(name);
    let listed = format!("select count(*) from behalf.blobs where name = '{name}' and object_id is null");
    eventually("the host takes no bytes", async || app.database.value::<i64>(&listed).await == 1).await;
}

/// What the host answers once it has the rest.
async fn rest(mut stream: TcpStream, rest: &str) -> (u16, String) {
    // A host that has answered already may close before it has read all of it.
    let _ = stream.write_all(rest.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    split(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing() {
    let app = app().await;
    for (name, length, half) in [
        ("a", "content-length: 100000", "x".repeat(50_000)),
        ("b", "content-length: 6", "hello".to_owned()),
        ("c", "content-length: 1", String::new()),
        ("d", "transfer-encoding: chunked", "5\r\nhello\r\n".to_owned()),
        ("e", "transfer-encoding: chunked", "ffff\r\nhello".to_owned()),
    ] {
        let stream = half_sent(&app, name, length, &half).await;
        is_being_stored(&app, name).await;
        drop(stream);
        no_bytes_are_left_over(&app).await;
    }
    assert_eq!(objects(&app).await, 0);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_length_that_is_said_is_the_length_that_is_kept() {
    let app = app().await;
    let stream = half_sent(&app, "a", "content-length: 5", "hello, and more that is no part of it").await;
    assert_eq!(rest(stream, "").await.0, 200);
    assert_eq!(get(&app, &alice(), &at("files", &hers("a"))).await.text(), "hello");
    for length in ["content-length: -1", "content-length: x", "content-length: 1\r\ncontent-length: 2"] {
        let (status, answer) = rest(half_sent(&app, "b", length, "hello").await, "").await;
        assert_eq!(status, 400, "{length}: {answer}");
    }
    // Chunks that do not follow their form end the request.
    let stream = half_sent(&app, "b", "transfer-encoding: chunked", "5\r\nhello\r\nzz\r\n").await;
    let (status, answer) = rest(stream, "").await;
    assert!(matches!(status, 0 | 400), "{status} {answer}");
    assert_eq!(objects(&app).await, 1);
    no_bytes_are_left_over(&app).await;
}

/// The go-ahead is what a client waits for before the first byte.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_not_allowed_is_refused_before_the_first_byte() {
    let app = app().await;
    for (path, length, part) in [
        (at("files", &hers("a")), "content-length: 99999999999999", "The object exceeded the maximum allowed size"),
        (at("small", &hers("a")), "content-length: 1001", "The object exceeded the maximum allowed size"),
        (at("files", "not-hers/a"), "content-length: 10", "new row violates row-level security policy"),
        (at("nowhere", &hers("a")), "content-length: 10", "Bucket not found"),
        (at("files", &hers("%00")), "content-length: 10", "Invalid key"),
    ] {
        let mut stream = connect(&app).await;
        let head = head(&alice(), "POST", &path, &[length, "expect: 100-continue", "connection: close"]);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let (status, body) = split(&answer);
        assert!(status == 400 && body.contains(part), "{path}: {status} {body}");
    }
    assert_eq!(app.database.value::<i64>("select count(*) from behalf.blobs").await, 0, "no bytes were begun");
}

/// The test decides when the next byte comes, so it takes no time.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_holds_no_transaction_and_comes_in_whole() {
    let app = app().await;
    let mut stream = half_sent(&app, "a", "content-length: 20", "").await;
    is_being_stored(&app, "a").await;
    for byte in "0123456789012345678".bytes() {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    app.settled().await;
    let idle =
        "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in trans%'";
    eventually("a transaction is open", async || app.database.value::<i64>(idle).await == 0).await;
    let unseen = get(&app, &alice(), &at("files", &hers("a"))).await;
    unseen.assert_error(400, "404", "not_found", "Object not found");
    assert_eq!(rest(stream, "9").await.0, 200);
    assert_eq!(get(&app, &alice(), &at("files", &hers("a"))).await.text(), "01234567890123456789");
    no_bytes_are_left_over(&app).await;
}

/// An object is visible whole or not at all, and readers of the former one are not disturbed.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_being_replaced_stays_what_it_was() {
    let app = app().await;
    let path = at("files", &hers("a"));
    put(&app, &alice(), &path, "text/plain", b"before").await;
    let mut stream = connect(&app).await;
    let head = head(&alice(), "PUT", &path, &["content-length: 10", "connection: close"]);
    stream.write_all(format!("{head}after").as_bytes()).await.unwrap();
    is_being_stored(&app, "a").await;
    assert_eq!(get(&app, &alice(), &path).await.text(), "before");
    assert_eq!(rest(stream, "wards").await.0, 200);
    assert_eq!(get(&app, &alice(), &path).await.text(), "afterwards");
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_the_bytes_came_counts() {
    let app = app().await;
    // Somebody else was faster.
    let stream = half_sent(&app, "a", "content-length: 10", "hello").await;
    is_being_stored(&app, "a").await;
    put(&app, &alice(), &at("files", &hers("a")), "text/plain", b"faster").await;
    let (status, answer) = rest(stream, "hello").await;
    assert!(status == 400 && answer.contains("The resource already exists"), "{status} {answer}");
    assert_eq!(get(&app, &alice(), &at("files", &hers("a"))).await.text(), "faster");

    // The right was taken away.
    let stream = half_sent(&app, "b", "content-length: 10", "hello").await;
    is_being_stored(&app, "b").await;
    app.database.execute("alter policy own_folder_insert on storage.objects with check (false)").await;
    let (status, answer) = rest(stream, "hello").await;
    assert!(status == 400 && answer.contains("new row violates row-level security policy"), "{status} {answer}");

    // A policy that looks at the size sees the real one.
    app.database
        .execute("alter policy own_folder_insert on storage.objects with check (coalesce((metadata ->> 'size')::int, 0) < 8)")
        .await;
    let stream = half_sent(&app, "c", "transfer-encoding: chunked", "5\r\nhello\r\n").await;
    is_being_stored(&app, "c").await;
    let (status, answer) = rest(stream, "5\r\nhello\r\n0\r\n\r\n").await;
    assert!(status == 400 && answer.contains("new row violates row-level security policy"), "{status} {answer}");

    assert_eq!(objects(&app).await, 1);
    no_bytes_are_left_over(&app).await;
}

/// Each waits for its turn in the line of connections; none is lost without an answer.
#[tokio::test(flavor = "multi_thread")]
async fn many_small_uploads_at_once_all_get_an_answer() {
    const MANY: usize = 1000;
    let app = app().await;
    let mut uploads: FuturesUnordered<_> = (0..MANY)
        .map(|n| {
            let app = &app;
            async move {
                let path = at("files", &format!("{ALICE}/many/{n}"));
                ask(app, &alice(), Method::POST, &path, &[], format!("bytes of {n}")).await
            }
        })
        .collect();
    let (mut taken, mut later) = (0, 0);
    while let Some(reply) = uploads.next().await {
        match reply.status {
            200 => taken += 1,
            // The line was full.
            429 | 503 => later += 1,
            status => panic!("{status}: {}", reply.text()),
        }
    }
    assert_eq!(taken + later, MANY);
    assert!(taken > MANY / 2, "only {taken} of {MANY} were taken");
    assert_eq!(objects(&app).await, i64::try_from(taken).unwrap());
    let last: String = app.database.value("select name from storage.objects order by name limit 1").await;
    let number = last.rsplit('/').next().unwrap().to_owned();
    assert_eq!(get(&app, &alice(), &at("files", &last)).await.text(), format!("bytes of {number}"));
    no_bytes_are_left_over(&app).await;
    app.settled().await;
}

/// The whole body would not fit: it is in pieces of which the host holds a few.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_streams_in_and_out() {
    let app = app().await;
    let piece = bytes::Bytes::from(vec![42_u8; 64 * 1024]);
    let pieces = 40 * 16;
    let path = at("files", &hers("large"));
    let body = futures::stream::iter((0..pieces).map({
        let piece = piece.clone();
        move |_| Ok::<_, std::io::Error>(piece.clone())
    }));
    let sent = ask(&app, &alice(), Method::POST, &path, &[], reqwest::Body::wrap_stream(body)).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    let response = app.request(&alice(), Method::GET, &path).send().await.unwrap();
    let length = u64::try_from(piece.len() * pieces).unwrap();
    assert_eq!(response.content_length(), Some(length));
    let (mut bytes, mut seen) = (response.bytes_stream(), 0);
    while let Some(part) = bytes.next().await {
        let part = part.unwrap();
        assert!(part.iter().all(|byte| *byte == 42));
        seen += part.len() as u64;
    }
    assert_eq!(seen, length);

    // A reader that goes away in the middle disturbs nobody.
    let mut response = app.request(&alice(), Method::GET, &path).send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    tokio::time::timeout(Duration::from_mins(1), app.settled()).await.unwrap();
    no_bytes_are_left_over(&app).await;
}

/// In the form of this API, as every other failure of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_is_answered_in_the_form_of_storage() {
    let database = TestDatabase::create().await;
    database.execute(BUCKETS).await;
    let app = App::on(database, Options { settings: vec![("client_stall_seconds", "1".to_owned())] }).await;
    let length = "content-length: 100";
    for (user, method, path, more, part) in [
        (alice(), "POST", at("files", &hers("a")), vec![length], "hello".to_owned()),
        (
            alice(),
            "POST",
            at("files", &hers("a")),
            vec![length, "content-type: multipart/form-data; boundary=b"],
            "--b\r\n".to_owned(),
        ),
        (
            User::Service,
            "POST",
            "/storage/v1/bucket".to_owned(),
            vec![length, "content-type: application/json"],
            "{".to_owned(),
        ),
    ] {
        let mut stream = connect(&app).await;
        let head = head(&user, method, &path, &[more, vec!["connection: close"]].concat());
        stream.write_all(format!("{head}{part}").as_bytes()).await.unwrap();
        let (status, body) = rest(stream, "").await;
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        let seen = ["statusCode", "error", "code"].map(|name| json[name].as_str().unwrap_or_default());
        assert_eq!((status, seen), (408, ["408", "Request Timeout", "RequestTimeout"]), "{path}: {body}");
        assert!(json["message"].as_str().is_some_and(|text| text.contains("did not arrive in time")), "{body}");
    }
    assert_eq!(objects(&app).await, 0);
    no_bytes_are_left_over(&app).await;
}

/// What came of a part is kept, as where the connection breaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_stalls_is_answered_in_the_form_of_tus_and_goes_on() {
    use base64::Engine as _;
    let database = TestDatabase::create().await;
    database.execute(BUCKETS).await;
    let app = App::on(database, Options { settings: vec![("client_stall_seconds", "1".to_owned())] }).await;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let metadata = format!("bucketName {},objectName {}", encode("files"), encode(&hers("a")));
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", "10"), ("upload-metadata", metadata.as_str())];
    let begun = ask(&app, &alice(), Method::POST, "/storage/v1/upload/resumable", &headers, "").await;
    let place = begun.header("location").strip_prefix(&app.url).unwrap().to_owned();
    let part = ["tus-resumable: 1.0.0", "upload-offset: 0", "content-type: application/offset+octet-stream"];
    let more = [&part[..], &["content-length: 10", "connection: close"]].concat();
    let mut stream = connect(&app).await;
    stream.write_all(format!("{}01234", head(&alice(), "PATCH", &place, &more)).as_bytes()).await.unwrap();
    let (status, body) = rest(stream, "").await;
    assert!(status == 408 && body.contains("did not arrive in time") && !body.starts_with('{'), "{status} {body}");
    let known = ask(&app, &alice(), Method::HEAD, &place, &[("tus-resumable", "1.0.0")], "").await;
    assert_eq!(known.header("upload-offset"), "5");
    let headers =
        [("tus-resumable", "1.0.0"), ("upload-offset", "5"), ("content-type", "application/offset+octet-stream")];
    assert_eq!(ask(&app, &alice(), Method::PATCH, &place, &headers, "56789").await.status, 204);
    assert_eq!(get(&app, &alice(), &at("files", &hers("a"))).await.text(), "0123456789");
}
