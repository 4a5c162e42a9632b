//! Objects are moved, copied and deleted.

use behalf_tests::{ALICE, Answer, App, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::folders::{
    alice, anon, app, app_with, assert_refused, bob, bytes, download, hers, his, post, request, send, swept_soon, text,
    upload,
};

fn way(from: (&str, &str), to: (&str, &str)) -> Value {
    json!({"bucketId": from.0, "sourceKey": from.1, "destinationBucket": to.0, "destinationKey": to.1})
}

async fn blobs(app: &App) -> i64 {
    app.database.value("select count(*) from behalf.blobs").await
}

async fn delete(app: &App, user: &User, bucket: &str, names: &[&str]) -> Answer {
    send(app, user, Method::DELETE, &format!("/object/{bucket}"), Some(json!({ "prefixes": names }))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_object_keeps_its_bytes_and_leaves_its_old_name() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "moved").await;
    let version = "select version from storage.objects";
    let before: String = app.database.value(version).await;
    let body = json!({"bucketId": "box", "sourceKey": hers("a"), "destinationKey": hers("sub/b c")});
    let answer = post(&app, &alice(), "/object/move", body).await;
    assert_eq!((answer.status, &answer.json["message"]), (200, &json!("Successfully moved")), "{}", answer.text);
    assert_eq!(text(&app, &alice(), "box", &hers("a")).await, None);
    assert_eq!(text(&app, &alice(), "box", &hers("sub/b c")).await.as_deref(), Some("moved"));
    let across = way(("box", &hers("sub/b c")), ("attic", &hers("a")));
    assert_eq!(post(&app, &alice(), "/object/move", across).await.status, 200);
    assert_eq!(text(&app, &alice(), "box", &hers("sub/b c")).await, None);
    assert_eq!(text(&app, &alice(), "attic", &hers("a")).await.as_deref(), Some("moved"));
    assert_eq!((app.database.value::<String>(version).await, blobs(&app).await), (before, 1), "bytes are not copied");
    // What is moved onto itself stays.
    let same = way(("attic", &hers("a")), ("attic", &hers("a")));
    assert_eq!(post(&app, &alice(), "/object/move", same).await.status, 200);
    assert_eq!(text(&app, &alice(), "attic", &hers("a")).await.as_deref(), Some("moved"));
    // The old name is free, and the bytes of the moved object are not the new one's.
    upload(&app, &alice(), "box", &hers("a"), "other").await;
    assert_eq!(delete(&app, &alice(), "box", &[&hers("a")]).await.json.as_array().unwrap().len(), 1);
    assert_eq!(text(&app, &alice(), "attic", &hers("a")).await.as_deref(), Some("moved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_moves_what_is_not_theirs_or_to_where_they_may_not_write() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "hers").await;
    upload(&app, &bob(), "box", &his("b"), "his").await;
    upload(&app, &bob(), "box", &his("c"), "also his").await;
    for (user, from, to, status, error) in [
        (bob(), hers("a"), his("stolen"), "404", "not_found"),
        (bob(), hers("none"), his("stolen"), "404", "not_found"),
        (anon(), hers("a"), "public".to_owned(), "404", "not_found"),
        (bob(), his("b"), hers("planted"), "403", "Unauthorized"),
        (bob(), his("b"), his("c"), "409", "Duplicate"),
    ] {
        for bucket in ["box", "attic"] {
            if bucket == "attic" && error == "Duplicate" {
                continue;
            }
            let answer = post(&app, &user, "/object/move", way(("box", &from), (bucket, &to))).await;
            assert_refused(&answer, status, error);
        }
    }
    for (from, to) in [("nowhere", "box"), ("box", "nowhere"), ("sources", "box"), ("box", "sources")] {
        let answer = post(&app, &bob(), "/object/move", way((from, &his("b")), (to, &his("z")))).await;
        assert_eq!((answer.status, &answer.json["statusCode"]), (400, &json!("404")), "{from} {to}: {}", answer.text);
    }
    for name in ["", "a\\b", "a\u{0}b"] {
        assert_eq!(post(&app, &bob(), "/object/move", way(("box", &his("b")), ("box", name))).await.status, 400);
    }
    assert_eq!(text(&app, &alice(), "box", &hers("a")).await.as_deref(), Some("hers"));
    assert_eq!(text(&app, &bob(), "box", &his("b")).await.as_deref(), Some("his"));
    assert_eq!(text(&app, &bob(), "box", &his("c")).await.as_deref(), Some("also his"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_bytes_of_its_own_and_the_metadata_that_is_asked_for() {
    let app = app_with(vec![swept_soon()]).await;
    let said = "eyJwbGFjZSI6ImhlcmUifQ=="; // {"place":"here"}
    let sent = request(&app, &alice(), Method::POST, &format!("/object/box/{}", hers("a")))
        .header("content-type", "text/plain")
        .header("cache-control", "max-age=60")
        .header("x-metadata", said)
        .body("copied");
    assert_eq!(sent.send().await.unwrap().status(), 200);
    let answer = post(&app, &alice(), "/object/copy", way(("box", &hers("a")), ("attic", &hers("b")))).await;
    let copied = &answer.json;
    assert_eq!((answer.status, &copied["Key"]), (200, &json!(format!("attic/{}", hers("b")))), "{}", answer.text);
    assert_eq!(
        (&copied["Id"], &copied["bucket_id"], &copied["name"]),
        (&copied["id"], &json!("attic"), &json!(hers("b")))
    );
    assert_eq!((&copied["owner"], &copied["user_metadata"]), (&json!(ALICE), &json!({"place": "here"})));
    assert_eq!((&copied["metadata"]["mimetype"], &copied["metadata"]["size"]), (&json!("text/plain"), &json!(6)));
    assert_eq!(blobs(&app).await, 2);
    assert_eq!(delete(&app, &alice(), "box", &[&hers("a")]).await.status, 200);
    assert_eq!(text(&app, &alice(), "attic", &hers("b")).await.as_deref(), Some("copied"));
    // Onto itself, with other metadata. What is not named stays.
    let mut body = way(("attic", &hers("b")), ("attic", &hers("b")));
    body["copyMetadata"] = json!(false);
    body["metadata"] = json!({"cacheControl": "max-age=999"});
    assert_refused(&post(&app, &alice(), "/object/copy", body.clone()).await, "409", "Duplicate");
    let again = request(&app, &alice(), Method::POST, "/object/copy").header("x-upsert", "true").json(&body);
    let answer = Answer::of(again.send().await.unwrap()).await;
    assert_eq!((answer.status, &answer.json["user_metadata"]), (200, &Value::Null), "{}", answer.text);
    let response = download(&app, &alice(), "attic", &hers("b")).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("cache-control")), ("text/plain".into(), "max-age=999".into()));
    assert_eq!(response.text().await.unwrap(), "copied");
    eventually("the bytes that nothing names are deleted", async || blobs(&app).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_copies_what_they_may_not_read_or_to_where_they_may_not_write() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "hers").await;
    upload(&app, &bob(), "box", &his("b"), "his").await;
    upload(&app, &bob(), "box", &his("c"), "also his").await;
    for (user, from, to, status, error) in [
        (bob(), hers("a"), his("stolen"), "404", "not_found"),
        (bob(), hers("none"), his("stolen"), "404", "not_found"),
        (anon(), hers("a"), "public".to_owned(), "404", "not_found"),
        (bob(), his("b"), hers("planted"), "403", "Unauthorized"),
        (bob(), his("b"), hers("a"), "403", "Unauthorized"),
        (bob(), his("b"), his("c"), "409", "Duplicate"),
    ] {
        let body = way(("box", &from), ("box", &to));
        let answer = post(&app, &user, "/object/copy", body.clone()).await;
        assert_refused(&answer, status, error);
        if error != "Duplicate" {
            let forced = request(&app, &user, Method::POST, "/object/copy").header("x-upsert", "true").json(&body);
            assert_refused(&Answer::of(forced.send().await.unwrap()).await, status, error);
        }
    }
    // What a bucket does not take comes there neither by a copy nor by a move.
    for path in ["/object/copy", "/object/move"] {
        let answer = post(&app, &bob(), path, way(("box", &his("b")), ("pictures", &his("b")))).await;
        assert_refused(&answer, "415", "invalid_mime_type");
    }
    let big = hers("big");
    upload(&app, &alice(), "box", &big, "more than ten bytes").await;
    let answer = post(&app, &alice(), "/object/copy", way(("box", &big), ("small", &big))).await;
    assert_refused(&answer, "413", "Payload too large");
    let mut odd = way(("box", &his("b")), ("box", &his("d")));
    odd["copyMetadata"] = json!(false);
    odd["metadata"] = json!({"mimetype": "text/html\r\nx: y"});
    assert_eq!(post(&app, &bob(), "/object/copy", odd).await.status, 400);
    assert_eq!(app.database.value::<i64>("select count(*) from storage.objects").await, 4);
    assert_eq!(blobs(&app).await, 4, "a refused copy leaves no bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_is_gone_with_its_bytes() {
    let app = app_with(vec![swept_soon()]).await;
    upload(&app, &alice(), "box", &hers("a"), "gone").await;
    let path = format!("/object/box/{}", hers("a"));
    let answer = send(&app, &alice(), Method::DELETE, &path, None).await;
    assert_eq!((answer.status, &answer.json), (200, &json!({"message": "Successfully deleted"})));
    assert_eq!(bytes(&app, &alice(), "box", &hers("a")).await, None);
    eventually("the bytes are deleted", async || blobs(&app).await == 0).await;
    assert_refused(&send(&app, &User::Service, Method::DELETE, &path, None).await, "404", "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_deletes_or_learns_of_what_they_may_not_see() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "hers").await;
    let mut answers = Vec::new();
    for name in ["a", "none"] {
        for user in [bob(), anon()] {
            let answer = send(&app, &user, Method::DELETE, &format!("/object/box/{}", hers(name)), None).await;
            assert_refused(&answer, "403", "Unauthorized");
            answers.push(answer.text);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let nobody = send(&app, &User::Nobody, Method::DELETE, &format!("/object/box/{}", hers("a")), None).await;
    assert_eq!(nobody.status, 400);
    app.database.execute("create policy read_all on storage.objects for select to authenticated using (true)").await;
    let seen = send(&app, &bob(), Method::DELETE, &format!("/object/box/{}", hers("a")), None).await;
    assert_refused(&seen, "403", "Unauthorized");
    assert_eq!(text(&app, &alice(), "box", &hers("a")).await.as_deref(), Some("hers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_names_those_are_deleted_that_the_caller_may_delete() {
    let app = app().await;
    for name in ["a", "b"] {
        upload(&app, &alice(), "box", &hers(name), "hers").await;
    }
    upload(&app, &bob(), "box", &his("a"), "his").await;
    let odd = hers("c\"},{\\");
    let names = [&*hers("a"), &*his("a"), &*hers("none"), &*odd, "", "%", &*format!("{ALICE}/")];
    let answer = delete(&app, &alice(), "box", &names).await;
    let deleted = answer.json.as_array().unwrap();
    assert_eq!((answer.status, deleted.len(), &deleted[0]["name"]), (200, 1, &json!(hers("a"))), "{}", answer.text);
    assert_eq!((&deleted[0]["bucket_id"], &deleted[0]["metadata"]["size"]), (&json!("box"), &json!(4)));
    for (user, bucket) in [(anon(), "box"), (bob(), "box"), (alice(), "nowhere")] {
        let answer = delete(&app, &user, bucket, &[&hers("b")]).await;
        assert_eq!((answer.status, &answer.json), (200, &json!([])), "{user:?}");
    }
    assert_eq!(text(&app, &alice(), "box", &hers("b")).await.as_deref(), Some("hers"));
    assert_eq!(text(&app, &bob(), "box", &his("a")).await.as_deref(), Some("his"));
    assert_refused(&delete(&app, &alice(), "box", &[]).await, "400", "Error");
    let many: Vec<String> = (0..1200).map(|n| hers(&format!("many-{n}"))).chain([hers("b")]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(delete(&app, &alice(), "box", &many).await.json.as_array().unwrap().len(), 1);
    let refused = delete(&app, &alice(), "sources", &["a"]).await;
    assert_refused(&refused, "404", "Bucket not found");
}
