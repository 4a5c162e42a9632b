//! How many uploads a host takes at the same time, of one caller and of all; and thousands of small ones at once.

use behalf_tests::{ALICE, App, BOB, Options, TestDatabase, User, eventually};
use futures::stream::{FuturesUnordered, StreamExt as _};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::object_bed::{
    BUCKETS, Reply, alice, ask, at, bob, connect, get, head, hers, no_bytes_are_left_over, objects, split,
};

async fn with(settings: &[(&'static str, &str)]) -> App {
    let database = TestDatabase::create().await;
    database.execute(BUCKETS).await;
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    App::on(database, Options { settings }).await
}

/// A name in bob's folder.
fn his(name: &str) -> String {
    format!("{BOB}/{name}")
}

/// Begins uploads, one for each name, and returns once the host takes the bytes of all of them.
async fn begin(app: &App, user: &User, names: &[String]) -> Vec<TcpStream> {
    let mut begun = Vec::new();
    for name in names {
        let mut stream = connect(app).await;
        let head = head(user, "POST", &at("files", name), &["content-length: 10", "connection: close"]);
        stream.write_all(format!("{head}hello").as_bytes()).await.unwrap();
        begun.push(stream);
    }
    let all = i64::try_from(names.len()).unwrap();
    let taken = "select count(*) from behalf.blobs where object_id is null and released_at is null";
    eventually("the host takes no bytes", async || app.database.value::<i64>(taken).await == all).await;
    begun
}

/// Sends the rest of an upload, and returns the status of the answer.
async fn end(mut stream: TcpStream) -> u16 {
    stream.write_all(b"again").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    split(&answer).0
}

async fn upload(app: &App, user: &User, name: &str) -> Reply {
    ask(app, user, Method::POST, &at("files", name), &[], "hello").await
}

/// A resumable upload with its bytes.
async fn upload_by_tus(app: &App, user: &User, name: &str) -> Reply {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let metadata = format!("bucketName {},objectName {}", encode("files"), encode(name));
    let headers = [
        ("tus-resumable", "1.0.0"),
        ("upload-length", "5"),
        ("upload-metadata", metadata.as_str()),
        ("content-type", "application/offset+octet-stream"),
    ];
    ask(app, user, Method::POST, "/storage/v1/upload/resumable", &headers, "hello").await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_has_no_more_uploads_at_once_than_the_setting_says() {
    let app = with(&[("storage_uploads_user", "3")]).await;
    let begun = begin(&app, &alice(), &["a", "b", "c"].map(hers)).await;
    let refused = upload(&app, &alice(), &hers("d")).await;
    let message = "Too many uploads at the same time. Please wait for some of them to end.";
    refused.assert_error(429, "429", "too_many_requests", message);
    assert_eq!(refused.header("retry-after"), "1");
    let refused = upload_by_tus(&app, &alice(), &hers("d")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{}", refused.text());
    // Nothing else of hers is held up, and nobody else is.
    assert_eq!(get(&app, &alice(), &at("files", &hers("d"))).await.status, 400);
    assert_eq!(upload(&app, &bob(), &his("a")).await.status, 200);
    assert_eq!(upload_by_tus(&app, &bob(), &his("b")).await.status, 201);
    let mut begun = begun.into_iter();
    assert_eq!(end(begun.next().unwrap()).await, 200);
    assert_eq!(upload(&app, &alice(), &hers("d")).await.status, 200);
    // Who goes away gives the place back as well.
    drop(begun);
    no_bytes_are_left_over(&app).await;
    for name in ["e", "f", "g"] {
        assert_eq!(upload_by_tus(&app, &alice(), &hers(name)).await.status, 201);
    }
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_takes_no_more_uploads_at_once_than_the_setting_says() {
    let app = with(&[("storage_uploads", "3"), ("max_wait_seconds", "0")]).await;
    let begun = begin(&app, &alice(), &["a", "b", "c"].map(hers)).await;
    let refused = upload(&app, &bob(), &his("a")).await;
    let message = "The server takes no more uploads right now. Please try again later.";
    refused.assert_error(503, "503", "too_many_requests", message);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(upload_by_tus(&app, &bob(), &his("a")).await.status, 503);
    // Lists and downloads need no place.
    assert_eq!(get(&app, &bob(), "/storage/v1/bucket").await.status, 200);
    for stream in begun {
        assert_eq!(end(stream).await, 200);
    }
    assert_eq!(upload(&app, &bob(), &his("a")).await.status, 200);
    app.settled().await;
}

/// Uploads that wait have read nothing of their bodies, and go on when there is a place.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_wait_for_a_place() {
    let app = with(&[("storage_uploads", "3")]).await;
    let begun = begin(&app, &alice(), &["a", "b", "c"].map(hers)).await;
    let mut waiting = connect(&app).await;
    let head = head(&bob(), "POST", &at("files", &his("a")), &["content-length: 10", "connection: close"]);
    waiting.write_all(format!("{head}hello").as_bytes()).await.unwrap();
    // A caller who asks for something else is answered meanwhile.
    assert_eq!(get(&app, &bob(), "/storage/v1/bucket").await.status, 200);
    let begun_by_bob = format!("select count(*) from behalf.blobs where name = '{}'", his("a"));
    assert_eq!(app.database.value::<i64>(&begun_by_bob).await, 0);
    for stream in begun {
        assert_eq!(end(stream).await, 200);
    }
    assert_eq!(end(waiting).await, 200);
    app.settled().await;
}

/// Sends so many small uploads at once, and counts those that were taken and those that were refused with a reason to come again.
async fn many(app: &App, user: &User, folder: &str, count: usize) -> (usize, usize) {
    let mut uploads: FuturesUnordered<_> = (0..count)
        .map(|n| async move {
            let path = at("files", &format!("{folder}/many/{n}"));
            ask(app, user, Method::POST, &path, &[], format!("bytes of {n}")).await
        })
        .collect();
    let (mut taken, mut later) = (0, 0);
    while let Some(reply) = uploads.next().await {
        match reply.status {
            200 => taken += 1,
            429 | 503 => {
                assert_eq!(reply.json()["error"], "too_many_requests", "{}", reply.text());
                assert_eq!(reply.header("retry-after"), "1");
                later += 1;
            }
            status => panic!("{status}: {}", reply.text()),
        }
    }
    (taken, later)
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_small_uploads_at_once_are_taken_or_told_to_come_later() {
    const MANY: usize = 3_000;
    let (soft, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE).unwrap();
    rlimit::setrlimit(rlimit::Resource::NOFILE, hard.min(soft.max(20_000)), hard).unwrap();
    let unlimited = [
        ("rate_limit_user", "0"),
        ("rate_limit_anon", "0"),
        ("storage_uploads_user", "2000"),
        ("max_wait_seconds", "60"),
    ];
    let app = with(&unlimited).await;
    let (hers, his) = (ALICE.to_string(), BOB.to_string());
    let (alice, bob) = (alice(), bob());
    let (of_alice, of_bob) = futures::join!(many(&app, &alice, &hers, MANY), many(&app, &bob, &his, 200));
    assert_eq!(of_alice.0 + of_alice.1, MANY);
    assert!(of_alice.0 >= 2_000, "{of_alice:?}");
    assert_eq!(of_bob, (200, 0), "the other user is served");
    assert_eq!(objects(&app).await, i64::try_from(of_alice.0 + 200).unwrap());
    // The same again: those that are there already are taken for nothing, and all of the rest are.
    no_bytes_are_left_over(&app).await;
    app.settled().await;
}
