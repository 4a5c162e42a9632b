//! Objects are sent, read and described.

use behalf_tests::{ALICE, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::object_bed::{alice, app, ask, at, bob, get, hers, no_bytes_are_left_over, objects, put};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_back_as_it_was_sent() {
    let app = app().await;
    let path = at("files", &hers("cat.png"));
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let metadata = "eyJhdXRob3IiOiJhbGljZSJ9";
    let headers = [
        ("content-type", "image/png"),
        ("cache-control", "max-age=77"),
        ("x-metadata", metadata),
        ("x-robots-tag", "noindex, nofollow"),
    ];
    let sent = ask(&app, &alice(), Method::POST, &path, &headers, bytes.clone()).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert_eq!(sent.json()["Key"], format!("files/{}", hers("cat.png")));
    let id: String = app.database.value("select id::text from storage.objects").await;
    assert_eq!(sent.json()["Id"], id);

    for path in [&path, &path.replace("/object/", "/object/authenticated/")] {
        let read = get(&app, &alice(), path).await;
        assert_eq!(read.status, 200, "{}", read.text());
        assert!(read.bytes == bytes, "{path}");
        let tag = read.header("etag").to_owned();
        assert!(tag.len() == 34 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-length", "300000"),
            ("cache-control", "max-age=77"),
            ("x-robots-tag", "noindex, nofollow"),
            ("accept-ranges", "bytes"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(read.header(name), value, "{name}");
        }
        assert!(read.header("last-modified").ends_with(" GMT"), "{:?}", read.headers);
        let head = ask(&app, &alice(), Method::HEAD, path, &[], "").await;
        assert_eq!((head.status, head.bytes.len()), (200, 0));
        for name in ["etag", "content-type", "content-length", "cache-control", "last-modified", "x-robots-tag"] {
            assert_eq!(head.header(name), read.header(name), "{name}");
        }
    }

    let kept: Value = app.database.value("select metadata from storage.objects").await;
    assert_eq!((&kept["size"], &kept["contentLength"]), (&json!(300_000), &json!(300_000)), "{kept}");
    assert_eq!((&kept["mimetype"], &kept["httpStatusCode"]), (&json!("image/png"), &json!(200)), "{kept}");
    assert_eq!(kept["cacheControl"], "max-age=77", "{kept}");
    let owner: String = app.database.value("select owner_id from storage.objects where owner::text = owner_id").await;
    assert_eq!(owner, ALICE.to_string());
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_an_object_is_told_to_whoever_may_read_it() {
    let app = app().await;
    let name = hers("a/b.txt");
    let headers = [("content-type", "text/plain"), ("x-metadata", "eyJhIjpbMV19")];
    ask(&app, &alice(), Method::POST, &at("files", &name), &headers, "12345").await;
    for path in
        [format!("/storage/v1/object/info/files/{name}"), format!("/storage/v1/object/info/authenticated/files/{name}")]
    {
        let known = get(&app, &alice(), &path).await;
        let json = known.json();
        assert_eq!(known.status, 200, "{}", known.text());
        assert_eq!((&json["name"], &json["bucket_id"], &json["size"]), (&json!(name), &json!("files"), &json!(5)));
        assert_eq!((&json["content_type"], &json["metadata"]), (&json!("text/plain"), &json!({"a": [1]})));
        assert_eq!(json["cache_control"], "no-cache");
        assert_eq!(json["etag"], known.header("etag"));
        assert!(json["created_at"].as_str().unwrap().ends_with('Z') && json["version"].is_string(), "{json}");
        assert_eq!(ask(&app, &alice(), Method::HEAD, &path, &[], "").await.status, 200);
        let hidden = get(&app, &bob(), &path).await;
        hidden.assert_error(400, "404", "not_found", "Object not found");
    }
    let stranger = get(&app, &User::Nobody, &format!("/storage/v1/object/info/files/{name}")).await;
    stranger.assert_error(400, "404", "Bucket not found", "Bucket not found");
    let public = get(&app, &User::Nobody, &format!("/storage/v1/object/info/public/files/{name}")).await;
    public.assert_error(400, "404", "Bucket not found", "Bucket not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_written_twice_only_where_that_was_asked_for() {
    let app = app().await;
    let path = at("files", &hers("a.txt"));
    put(&app, &alice(), &path, "text/plain", b"one").await;
    let again = ask(&app, &alice(), Method::POST, &path, &[], "two").await;
    again.assert_error(400, "409", "Duplicate", "The resource already exists");
    let again = ask(&app, &alice(), Method::POST, &path, &[("x-upsert", "false")], "two").await;
    again.assert_error(400, "409", "Duplicate", "The resource already exists");
    assert_eq!(get(&app, &alice(), &path).await.text(), "one");

    let id = |sent: &super::object_bed::Reply| sent.json()["Id"].as_str().map(str::to_owned);
    let upsert = ask(&app, &alice(), Method::POST, &path, &[("x-upsert", "true")], "three").await;
    assert_eq!(get(&app, &alice(), &path).await.text(), "three");
    let update = ask(&app, &alice(), Method::PUT, &path, &[("content-type", "text/css")], "four").await;
    assert_eq!((update.status, id(&update)), (200, id(&upsert)), "{}", update.text());
    let read = get(&app, &alice(), &path).await;
    assert_eq!((read.text().as_str(), read.header("content-type")), ("four", "text/css"));
    assert_eq!(objects(&app).await, 1);
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_takes_what_its_limits_say() {
    let app = app().await;
    let small = at("small", &hers("a.bin"));
    let too_large = ("Payload too large", "The object exceeded the maximum allowed size");
    put(&app, &alice(), &small, "application/octet-stream", &[7; 1000]).await;
    let sent = ask(&app, &alice(), Method::PUT, &small, &[], vec![7_u8; 1001]).await;
    sent.assert_error(400, "413", too_large.0, too_large.1);
    // Without a length, the bytes are counted as they come.
    let pieces = futures::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 100])));
    let sent = ask(&app, &alice(), Method::PUT, &small, &[], reqwest::Body::wrap_stream(pieces)).await;
    sent.assert_error(400, "413", too_large.0, too_large.1);

    let picture = at("pictures", &hers("a"));
    put(&app, &alice(), &picture, "image/png", b"x").await;
    put(&app, &alice(), &picture, "text/plain", b"x").await;
    for kind in ["text/css", "text/plain;charset=utf-8", "IMAGE/png", "application/octet-stream"] {
        let sent = ask(&app, &alice(), Method::PUT, &picture, &[("content-type", kind)], "x").await;
        sent.assert_error(400, "415", "invalid_mime_type", &format!("mime type {kind} is not supported"));
    }
    for kind in ["nonsense", "image/\tpng", "image/png, text/html"] {
        let sent = ask(&app, &alice(), Method::PUT, &picture, &[("content-type", kind)], "x").await;
        sent.assert_error(400, "415", "invalid_mime_type", "Invalid Content-Type header");
    }
    let folder = at("pictures", &hers("new/.emptyFolderPlaceholder"));
    put(&app, &alice(), &folder, "application/x-anything", b"").await;
    let sent = ask(&app, &alice(), Method::PUT, &folder, &[], "x").await;
    sent.assert_error(400, "413", too_large.0, too_large.1);

    let missing = ask(&app, &alice(), Method::POST, &at("nowhere", &hers("a")), &[], "x").await;
    missing.assert_error(400, "404", "Bucket not found", "Bucket not found");
    let robots = ask(&app, &alice(), Method::PUT, &small, &[("x-robots-tag", "sometimes")], "x").await;
    let why = "Invalid X-Robots-Tag header: Invalid X-Robots-Tag rule: \"sometimes\"";
    robots.assert_error(400, "400", "invalid_x_robots_tag", why);
    assert_eq!(objects(&app).await, 3);
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_bucket_is_open_to_readers_and_to_nobody_who_writes() {
    let app = app().await;
    put(&app, &alice(), &at("open", &hers("a.txt")), "text/plain", b"hello").await;
    put(&app, &alice(), &at("files", &hers("a.txt")), "text/plain", b"secret").await;
    let open = [
        format!("/storage/v1/object/public/open/{}", hers("a.txt")),
        format!("/storage/v1/object/open/{}?t=123", hers("a.txt")),
    ];
    for path in &open {
        for user in [User::Nobody, User::Anon, bob(), User::Token("nonsense".to_owned())] {
            let read = get(&app, &user, path).await;
            assert_eq!((read.status, read.text().as_str()), (200, "hello"), "{path} {user:?}");
            let head = ask(&app, &user, Method::HEAD, path, &[], "").await;
            assert_eq!((head.status, head.header("content-length")), (200, "5"), "{path} {user:?}");
        }
    }
    for user in [User::Nobody, User::Anon, bob()] {
        let closed = get(&app, &user, &format!("/storage/v1/object/public/files/{}", hers("a.txt"))).await;
        closed.assert_error(400, "404", "Bucket not found", "Bucket not found");
        let missing = get(&app, &user, "/storage/v1/object/public/open/none.txt").await;
        missing.assert_error(400, "404", "not_found", "Object not found");
    }
    let written = ask(&app, &bob(), Method::PUT, &at("open", &hers("a.txt")), &[], "mine").await;
    assert_eq!(written.status, 400, "{}", written.text());
    assert_eq!(get(&app, &User::Nobody, &open[0]).await.text(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_has_the_name_that_its_address_says() {
    let app = app().await;
    let path = format!("/storage/v1/object/public/open/{}", hers("a.txt"));
    put(&app, &alice(), &at("open", &hers("a.txt")), "text/plain", b"hello").await;
    for (query, header) in [
        ("", ""),
        ("?download", "attachment;"),
        ("?download=", "attachment;"),
        ("?download=cat.txt", "attachment; filename=cat.txt; filename*=UTF-8''cat.txt"),
        (
            "?download=a%22%3B%20b%0d%0ax:%20y%C3%A9",
            "attachment; filename=a%22%3B%20b%0D%0Ax%3A%20y%C3%A9; filename*=UTF-8''a%22%3B%20b%0D%0Ax%3A%20y%C3%A9",
        ),
    ] {
        let read = get(&app, &User::Nobody, &format!("{path}{query}")).await;
        assert_eq!((read.status, read.header("content-disposition")), (200, header), "{query}");
        assert_eq!(read.headers.get("x"), None);
    }
}

/// Buckets may have names that begin other addresses.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_may_be_called_public() {
    let app = app().await;
    app.database.execute("insert into storage.buckets (id, name) values ('public', 'public'), ('info', 'info')").await;
    for bucket in ["public", "info"] {
        let path = at(bucket, &hers("folder/a.txt"));
        put(&app, &alice(), &path, "text/plain", b"x").await;
        let made: String =
            app.database.value(&format!("select name from storage.objects where bucket_id = '{bucket}'")).await;
        assert_eq!(made, hers("folder/a.txt"));
        let read = get(&app, &alice(), &at("authenticated", &format!("{bucket}/{made}"))).await;
        assert_eq!((read.status, read.text().as_str()), (200, "x"), "{}", read.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_bytes_is_no_object_and_says_so() {
    let app = app().await;
    let name = hers("gone.txt");
    app.database
        .execute(&format!(
            "insert into storage.objects (bucket_id, name, metadata) values ('files', '{name}', '{{\"size\": 3}}')"
        ))
        .await;
    for headers in [vec![], vec![("range", "bytes=0-1")]] {
        let read = ask(&app, &alice(), Method::GET, &at("files", &name), &headers, "").await;
        read.assert_error(400, "404", "Not found", "The resource was not found");
        assert_eq!(read.header("cache-control"), "no-store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_in_another_form_are_not_made_and_nobody_learns_more_by_asking() {
    let app = app().await;
    put(&app, &alice(), &at("files", &hers("a.png")), "image/png", b"x").await;
    put(&app, &alice(), &at("open", &hers("a.png")), "image/png", b"x").await;
    let render = |kind: &str, bucket: &str, query: &str| {
        format!("/storage/v1/render/image/{kind}/{bucket}/{}{query}", hers("a.png"))
    };
    for (user, path) in [
        (alice(), render("authenticated", "files", "?width=10&height=0&resize=cover")),
        (User::Nobody, render("public", "open", "?width=10&format=webp&quality=20")),
    ] {
        let answer = get(&app, &user, &path).await;
        assert_eq!((answer.status, &answer.json()["statusCode"]), (501, &json!("501")), "{}", answer.text());
        assert!(answer.text().contains("does not transform images"), "{}", answer.text());
    }
    let hidden = get(&app, &bob(), &render("authenticated", "files", "?width=10")).await;
    hidden.assert_error(400, "404", "not_found", "Object not found");
    let closed = get(&app, &User::Nobody, &render("public", "files", "")).await;
    closed.assert_error(400, "404", "Bucket not found", "Bucket not found");
    for query in ["?width=-1", "?height=x", "?quality=19", "?quality=101", "?resize=none", "?format=exe"] {
        let wrong = get(&app, &User::Nobody, &render("public", "open", query)).await;
        assert_eq!((wrong.status, &wrong.json()["statusCode"]), (400, &json!("400")), "{query}: {}", wrong.text());
    }
}
