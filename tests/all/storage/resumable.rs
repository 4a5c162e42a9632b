//! Uploads that come in parts, by one client at one host.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_tests::{ALICE, App, Options, TestDatabase, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::folders::{alice, anon, app, app_with, bob, bytes, database, download, hers, his, text, upload};
use super::tus::{Client, PLAIN, SIGNED, metadata, text_in};

/// The row of an object as JSON.
async fn row(database: &TestDatabase, name: &str) -> Value {
    let row: String = database
        .value(&format!(
            "select coalesce((select json_build_object('metadata', metadata, 'user_metadata', user_metadata, 'owner', owner,
                 'owner_id', owner_id)::text from storage.objects where name = '{name}'), 'null')"
        ))
        .await;
    serde_json::from_str(&row).unwrap()
}

async fn uploads(database: &TestDatabase) -> i64 {
    database.value("select count(*) from storage.behalf_uploads").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_parts_becomes_one_object_with_its_last_byte() {
    let app = app().await;
    let (client, name) = (Client::new(&app, alice()), hers("long.txt"));
    let said = metadata(&[
        ("bucketName", "box"),
        ("objectName", &name),
        ("contentType", "text/plain"),
        ("cacheControl", "3600"),
        ("metadata", r#"{"place": "here"}"#),
    ]);
    let begun = client.begin(&said, 11).await;
    let upload = begun.upload();
    assert_eq!((begun.header("upload-offset"), begun.header("tus-resumable")), ("", "1.0.0"));
    assert!(!begun.header("upload-expires").is_empty(), "{begun:?}");
    let looked = client.look(&upload).await;
    assert_eq!((looked.status, looked.offset(), looked.header("upload-length")), (200, 0, "11"));
    assert_eq!((looked.header("upload-metadata"), looked.header("cache-control")), (&*said, "no-store"));
    let first = client.append(&upload, 0, "hello ").await;
    assert_eq!((first.status, first.offset(), first.header("tus-complete")), (204, 6, ""), "{first:?}");
    assert_eq!(client.look(&upload).await.offset(), 6);
    assert_eq!(text(&app, &alice(), "box", &name).await, None, "half an object is none");
    assert_eq!(row(&app.database, &name).await, Value::Null);
    let last = client.append(&upload, 6, "world").await;
    assert_eq!((last.status, last.offset(), last.header("tus-complete")), (204, 11, "1"), "{last:?}");
    assert_eq!(last.header("upload-expires"), "");
    let response = download(&app, &alice(), "box", &name).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("cache-control")), ("text/plain".into(), "max-age=3600".into()));
    assert_eq!(response.text().await.unwrap(), "hello world");
    let row = row(&app.database, &name).await;
    assert_eq!((&row["user_metadata"], &row["metadata"]["size"]), (&json!({"place": "here"}), &json!(11)));
    assert_eq!((&row["owner"], &row["owner_id"]), (&json!(ALICE), &json!(ALICE.to_string())));
}

/// The client did not hear that its last part had arrived.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_missed_the_last_answer_hears_it_again() {
    let app = app().await;
    let (client, name) = (Client::new(&app, alice()), hers("twice.txt"));
    let upload = client.begin_with(&text_in("box", &name), 5, "whole").await.upload();
    let looked = client.look(&upload).await;
    assert_eq!((looked.status, looked.offset()), (200, 5));
    let again = client.append(&upload, 5, "").await;
    assert_eq!((again.status, again.offset(), again.header("tus-complete")), (204, 5, "1"), "{again:?}");
    let more = client.append(&upload, 5, "more").await;
    assert_eq!(more.status, 413, "{more:?}");
    let ended = client.end(&upload).await;
    assert_eq!((ended.status, &*ended.text), (400, "Cannot terminate an already completed upload"));
    assert_eq!(text(&app, &alice(), "box", &name).await.as_deref(), Some("whole"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_begins_with_bytes_or_without_a_length_or_has_none() {
    let app = app().await;
    let client = Client::new(&app, alice());
    let begun = client.begin_with(&text_in("box", &hers("a")), 11, "hello ").await;
    assert_eq!(begun.offset(), 6);
    assert_eq!(client.append(&begun.upload(), 6, "world").await.status, 204);
    assert_eq!(text(&app, &alice(), "box", &hers("a")).await.as_deref(), Some("hello world"));

    let empty = client.begin(&text_in("box", &hers("empty")), 0).await;
    assert_eq!((empty.status, empty.header("tus-complete")), (201, "1"), "{empty:?}");
    assert_eq!(text(&app, &alice(), "box", &hers("empty")).await.as_deref(), Some(""));

    let request = client.request(Method::POST, PLAIN).header("upload-defer-length", "1");
    let begun = Client::send(request.header("upload-metadata", text_in("box", &hers("later")))).await;
    let upload = begun.upload();
    assert_eq!(client.append(&upload, 0, "hello ").await.offset(), 6);
    let looked = client.look(&upload).await;
    assert_eq!((looked.header("upload-defer-length"), looked.header("upload-length")), ("1", ""));
    let short = Client::send(client.appending(&upload, 6, "").header("upload-length", "5")).await;
    assert_eq!(short.status, 400, "{short:?}");
    let last = Client::send(client.appending(&upload, 6, "world").header("upload-length", "11")).await;
    assert_eq!((last.status, last.offset()), (204, 11), "{last:?}");
    let other = Client::send(client.appending(&upload, 11, "").header("upload-length", "12")).await;
    assert_eq!(other.status, 400, "a length is told once: {other:?}");
    assert_eq!(text(&app, &alice(), "box", &hers("later")).await.as_deref(), Some("hello world"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_at_the_wrong_place_change_nothing() {
    let app = app().await;
    let (client, name) = (Client::new(&app, alice()), hers("a"));
    let upload = client.begin_with(&text_in("box", &name), 11, "hello ").await.upload();
    for offset in [0, 5, 7, 11] {
        let said = client.append(&upload, offset, "w").await;
        assert_eq!((said.status, &*said.text), (409, "Upload-Offset conflict\n"), "{offset}");
    }
    assert_eq!(client.look(&upload).await.offset(), 6);
    let long = client.append(&upload, 6, "worlds").await;
    assert_eq!((long.status, &*long.text), (413, "upload's size exceeded\n"));
    // Without a length of its own, a body shows only as it comes that it is too long.
    let chunks = futures::stream::iter(["wor", "lds"].map(Ok::<_, std::io::Error>));
    let chunked = client.append(&upload, 6, reqwest::Body::wrap_stream(chunks)).await;
    assert_eq!(chunked.status, 413, "{chunked:?}");
    assert_eq!(text(&app, &alice(), "box", &name).await, None);
    let offset = client.look(&upload).await.offset();
    assert!((6..11).contains(&offset), "{offset}");
    assert_eq!(client.append(&upload, offset, &"hello world"[offset..]).await.status, 204);
    assert_eq!(text(&app, &alice(), "box", &name).await.as_deref(), Some("hello world"));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_the_protocol_does_not_know_are_refused() {
    let app = app().await;
    let client = Client::new(&app, alice());
    let upload = client.begin(&text_in("box", &hers("a")), 5).await.upload();
    let missing = Client::send(app.request(&alice(), Method::HEAD, &upload)).await;
    assert_eq!(missing.status, 412);
    let metadata = text_in("box", &hers("b"));
    for (headers, status, text) in [
        (vec![("upload-metadata", &*metadata)], 400, "Upload-Length or Upload-Defer-Length"),
        (vec![("upload-length", "1"), ("upload-defer-length", "1")], 400, "Upload-Length or Upload-Defer-Length"),
        (vec![("upload-length", "1")], 400, "Metadata header is required"),
        (vec![("upload-length", "-1"), ("upload-metadata", "a b c")], 400, "Invalid upload-length upload-metadata"),
        (vec![("upload-length", "01")], 400, "Invalid upload-length"),
        (vec![("upload-length", "99999999999999999999")], 400, "Invalid upload-length"),
        (vec![("upload-defer-length", "2")], 400, "Invalid upload-defer-length"),
        (
            vec![("upload-length", "1"), ("upload-metadata", &*metadata), ("upload-concat", "partial")],
            501,
            "Concatenation",
        ),
    ] {
        let mut request = client.request(Method::POST, PLAIN);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let said = Client::send(request).await;
        assert_eq!(said.status, status, "{headers:?}: {said:?}");
        assert!(said.text.contains(text), "{headers:?}: {said:?}");
    }
    let no_offset = client.request(Method::PATCH, &upload).header("content-type", "application/offset+octet-stream");
    assert_eq!(Client::send(no_offset.body("a")).await.status, 403);
    let no_type = client.request(Method::PATCH, &upload).header("upload-offset", "0").body("a");
    assert_eq!(Client::send(no_type).await.status, 403);
    let wrong_type =
        client.request(Method::PATCH, &upload).header("upload-offset", "0").header("content-type", "text/plain");
    assert_eq!(Client::send(wrong_type.body("a")).await.status, 400);
    assert_eq!(client.look(&upload).await.offset(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_learns_what_the_host_understands() {
    let app = app().await;
    for path in [PLAIN, SIGNED, &format!("{PLAIN}/"), &format!("{PLAIN}/abc")] {
        let said = Client::send(app.request(&User::Nobody, Method::OPTIONS, path)).await;
        assert_eq!((said.status, said.header("tus-version")), (204, "1.0.0"), "{path}: {said:?}");
        assert!(said.header("tus-extension").contains("creation-with-upload"), "{said:?}");
        assert!(said.header("tus-max-size").parse::<u64>().unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_continues_the_upload_of_another() {
    let app = app().await;
    let name = hers("private.txt");
    let client = Client::new(&app, alice());
    let upload = client.begin_with(&text_in("box", &name), 11, "hello ").await.upload();
    for user in [bob(), anon(), User::Service, User::ServiceFor(ALICE)] {
        let other = Client { upsert: true, ..Client::new(&app, user.clone()) };
        for said in [other.look(&upload).await, other.append(&upload, 6, "enemy").await, other.end(&upload).await] {
            assert_eq!(said.status, 404, "{user:?}: {said:?}");
            assert_eq!(said.header("upload-offset"), "", "{user:?}");
        }
    }
    let nobody = Client::new(&app, User::Nobody);
    assert_eq!(nobody.append(&upload, 6, "enemy").await.status, 400);
    let version: String = app.database.value("select id::text from storage.behalf_uploads").await;
    for id in
        [format!("box/{}/{version}", his("private.txt")), format!("attic/{name}/{version}"), "nonsense".to_owned()]
    {
        let id = URL_SAFE_NO_PAD.encode(id);
        for client in [&client, &Client::new(&app, bob())] {
            let said = client.append(&format!("{PLAIN}/{id}"), 6, "enemy").await;
            assert_eq!(said.status, 404, "{said:?}");
        }
    }
    assert_eq!(client.look(&upload).await.offset(), 6);
    assert_eq!(client.append(&upload, 6, "world").await.status, 204);
    assert_eq!(text(&app, &alice(), "box", &name).await.as_deref(), Some("hello world"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_the_object_begins_nothing() {
    let app = app().await;
    let client = Client::new(&app, bob());
    let refused = client.begin(&text_in("box", &hers("a")), 5).await;
    assert_eq!((refused.status, &*refused.text), (403, "new row violates row-level security policy"));
    for (bucket, name, status, text) in [
        ("nowhere", his("a"), 404, "Bucket not found"),
        ("sources", his("a"), 404, "Bucket not found"),
        ("a/b", his("a"), 400, "Bucket name invalid"),
        ("box", "a\u{1f642}".to_owned(), 400, "Invalid key"),
        ("box", "../../escape\\x".to_owned(), 400, "Invalid key"),
        ("small", his("a"), 413, "Maximum size exceeded"),
        ("pictures", his("a"), 415, "is not supported"),
    ] {
        let said = client.begin(&text_in(bucket, &name), 11).await;
        assert_eq!(said.status, status, "{bucket}: {said:?}");
        assert!(said.text.contains(text), "{bucket}: {said:?}");
        assert_eq!(said.header("location"), "", "{bucket}");
    }
    let untyped = metadata(&[("bucketName", "pictures"), ("objectName", &his("a"))]);
    assert_eq!(client.begin(&untyped, 1).await.status, 415, "what has no type is no picture");
    let odd = metadata(&[("bucketName", "box"), ("objectName", &his("a")), ("contentType", "text/html\r\nx: y")]);
    assert_eq!(client.begin(&odd, 1).await.status, 415);
    assert_eq!(uploads(&app.database).await, 0);
    assert_eq!(app.database.value::<i64>("select count(*) from behalf.blobs").await, 0, "no bytes were listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_ended_during_the_upload_counts_at_its_end() {
    let app = app().await;
    let (client, name) = (Client::new(&app, alice()), hers("late.txt"));
    let upload = client.begin_with(&text_in("box", &name), 11, "hello ").await.upload();
    app.database.execute("alter policy own_folder on storage.objects with check (false)").await;
    let last = client.append(&upload, 6, "world").await;
    assert_eq!((last.status, &*last.text), (403, "new row violates row-level security policy"));
    // All bytes are there, and still nobody is told that the upload is done.
    assert_eq!(client.look(&upload).await.status, 403);
    assert_eq!(row(&app.database, &name).await, Value::Null);
    app.database.execute("alter policy own_folder on storage.objects with check (true)").await;
    assert_eq!(client.look(&upload).await.offset(), 11);
    assert_eq!(text(&app, &alice(), "box", &name).await.as_deref(), Some("hello world"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_replaced_only_by_who_says_so() {
    let app = app().await;
    let name = hers("taken.txt");
    upload(&app, &alice(), "box", &name, "the first").await;
    let mut client = Client::new(&app, alice());
    let refused = client.begin(&text_in("box", &name), 5).await;
    assert_eq!((refused.status, &*refused.text), (409, "The resource already exists"));
    client.upsert = true;
    let replaced = client.begin_with(&text_in("box", &name), 10, "the second").await;
    assert_eq!((replaced.status, replaced.header("tus-complete")), (201, "1"), "{replaced:?}");
    assert_eq!(text(&app, &alice(), "box", &name).await.as_deref(), Some("the second"));
    // An object that comes to be during the upload.
    client.upsert = false;
    let other = hers("raced.txt");
    let begun = client.begin(&text_in("box", &other), 5).await.upload();
    upload(&app, &alice(), "box", &other, "raced").await;
    assert_eq!(client.append(&begun, 0, "loses").await.status, 409);
    assert_eq!(text(&app, &alice(), "box", &other).await.as_deref(), Some("raced"));
    client.upsert = true;
    assert_eq!(client.append(&begun, 5, "").await.status, 204);
    assert_eq!(text(&app, &alice(), "box", &other).await.as_deref(), Some("loses"));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_while_bytes_come() {
    let app = app_with(vec![("storage_file_size_limit", "20".to_owned())]).await;
    let client = Client::new(&app, alice());
    let said = client.begin(&text_in("box", &hers("a")), 21).await;
    assert_eq!((said.status, &*said.text), (413, "Maximum size exceeded\n"));
    let request = client.request(Method::POST, PLAIN).header("upload-defer-length", "1");
    let begun = Client::send(request.header("upload-metadata", text_in("small", &hers("b")))).await.upload();
    assert_eq!(client.append(&begun, 0, "12345678901").await.status, 413, "the bucket takes 10 bytes");
    assert_eq!(client.append(&begun, 0, "12345").await.status, 204);
    let told = Client::send(client.appending(&begun, 5, "").header("upload-length", "11")).await;
    assert_eq!((told.status, &*told.text), (413, "Maximum size exceeded\n"));
    let chunks = futures::stream::iter(["12345", "1"].map(Ok::<_, std::io::Error>));
    assert_eq!(client.append(&begun, 5, reqwest::Body::wrap_stream(chunks)).await.status, 413);
    // The bucket takes less than when the upload began.
    let begun = client.begin(&text_in("small", &hers("c")), 10).await.upload();
    app.database.execute("update storage.buckets set file_size_limit = 5 where id = 'small'").await;
    assert_eq!(client.append(&begun, 0, "1234567890").await.status, 413);
    assert_eq!(app.database.value::<i64>("select count(*) from storage.objects").await, 0);
}

/// Lets expired uploads be deleted now.
pub(super) const EXPIRY_IS_DUE: &str = "update behalf.schedules set next_at = now() where kind = 'expire-uploads'";

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_ended_or_expired_leaves_nothing() {
    let database = database().await;
    let one = App::on(database.clone(), Options::default()).await;
    let client = Client::new(&one, alice());
    let ended = client.begin_with(&text_in("box", &hers("a")), 11, "hello ").await.upload();
    let said = client.end(&ended).await;
    assert_eq!((said.status, &*said.text), (204, ""));
    assert_eq!(client.look(&ended).await.status, 404);
    assert_eq!(client.append(&ended, 6, "world").await.status, 404);
    let expired = client.begin_with(&text_in("box", &hers("b")), 11, "hello ").await.upload();
    let done = client.begin_with(&text_in("box", &hers("c")), 5, "whole").await.upload();
    database.execute("update storage.behalf_uploads set expires_at = now()").await;
    for said in [client.look(&expired).await, client.append(&expired, 6, "world").await, client.look(&done).await] {
        assert_eq!(said.status, 410, "{said:?}");
    }
    // One of two hosts deletes them, at the time of this work of the host's own.
    let other = App::on(database.clone(), Options::default()).await;
    database.execute(EXPIRY_IS_DUE).await;
    eventually("they are deleted", async || uploads(&database).await == 0).await;
    eventually("only the whole object has bytes", async || {
        database.value::<i64>("select count(*) from behalf.blobs").await == 1
    })
    .await;
    assert_eq!(bytes(&other, &alice(), "box", &hers("c")).await.as_deref(), Some(&b"whole"[..]));
    assert_eq!(client.look(&expired).await.status, 404);
}
