//! Objects that are the file of a form, as browsers and client packages send them.

use std::fmt::Write as _;

use reqwest::multipart::{Form, Part};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::object_bed::{alice, app, at, connect, get, head, hers, no_bytes_are_left_over, objects, send_form, split};

fn file(bytes: impl Into<Vec<u8>>) -> Part {
    let bytes: Vec<u8> = bytes.into();
    Part::bytes(bytes).file_name("blob").mime_str("image/png").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_count_before_and_after_a_file_of_any_size() {
    let app = app().await;
    for size in [0, 5, 16_384, 16_385, 400_000] {
        let bytes: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
        let fields = |form: Form| form.text("cacheControl", "60").text("metadata", r#"{"a": 1}"#);
        for (n, form) in
            [fields(Form::new()).part("", file(bytes.clone())), fields(Form::new().part("file", file(bytes.clone())))]
                .into_iter()
                .enumerate()
        {
            let name = hers(&format!("{size}-{n}"));
            let sent = send_form(&app, &alice(), &at("files", &name), &[], form).await;
            assert_eq!(sent.status, 200, "{name}: {}", sent.text());
            let read = get(&app, &alice(), &at("files", &name)).await;
            assert!(read.bytes == bytes, "{name}: {} bytes", read.bytes.len());
            assert_eq!(
                (read.header("content-type"), read.header("cache-control")),
                ("image/png", "max-age=60"),
                "{name}"
            );
            let known = get(&app, &alice(), &format!("/storage/v1/object/info/files/{name}")).await;
            assert_eq!(known.json()["metadata"], json!({"a": 1}), "{name}: {}", known.text());
        }
    }
    let form = Form::new().text("userMetadata", "{\"b\":2}").text("contentType", "text/css").part("", file("x"));
    send_form(&app, &alice(), &at("files", &hers("b")), &[], form).await;
    let known = get(&app, &alice(), &format!("/storage/v1/object/info/files/{}", hers("b"))).await.json();
    assert_eq!((&known["metadata"], &known["content_type"]), (&json!({"b": 2}), &json!("text/css")));
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_a_bucket_hold_for_forms() {
    let app = app().await;
    let too_large = "The object exceeded the maximum allowed size";
    for size in [1001, 60_000] {
        let form = Form::new().part("", file(vec![1_u8; size]));
        let sent = send_form(&app, &alice(), &at("small", &hers("a")), &[], form).await;
        sent.assert_error(400, "413", "Payload too large", too_large);
    }
    // A type that comes after the file counts as well, whatever the size of the file.
    for size in [10, 60_000] {
        let form = Form::new().part("", file(vec![1_u8; size])).text("contentType", "text/css");
        let sent = send_form(&app, &alice(), &at("pictures", &hers("a")), &[], form).await;
        sent.assert_error(400, "415", "invalid_mime_type", "mime type text/css is not supported");
    }
    let form = Form::new().part("", file("x"));
    let sent = send_form(&app, &alice(), &at("files", &hers("x/.emptyFolderPlaceholder")), &[], form).await;
    sent.assert_error(400, "413", "Payload too large", too_large);
    let form = Form::new().part("", file(vec![1_u8; 1000]));
    assert_eq!(send_form(&app, &alice(), &at("small", &hers("a")), &[], form).await.status, 200);
    assert_eq!(objects(&app).await, 1);
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_see_what_a_form_says() {
    let app = app().await;
    app.database
        .execute(
            "drop policy own_folder_insert on storage.objects;
             create policy of_a_kind on storage.objects for insert to authenticated with check (
                 user_metadata ->> 'department' = 'engineering' and metadata ->> 'mimetype' like 'image/%'
                 and (metadata ->> 'contentLength')::int <= 100000)",
        )
        .await;
    let refused = "new row violates row-level security policy";
    for (name, metadata, size, is_taken) in [
        ("a", r#"{"department": "engineering"}"#, 10, true),
        ("b", r#"{"department": "sales"}"#, 10, false),
        ("c", r#"{"department": "engineering"}"#, 200_000, false),
    ] {
        let form = Form::new().part("", file(vec![1_u8; size])).text("metadata", metadata);
        let sent = send_form(&app, &alice(), &at("files", name), &[], form).await;
        if is_taken {
            assert_eq!(sent.status, 200, "{}", sent.text());
        } else {
            sent.assert_error(400, "403", "Unauthorized", refused);
        }
    }
    assert_eq!(objects(&app).await, 1);
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_want_too_much_leave_nothing() {
    let app = app().await;
    let path = at("files", &hers("a"));
    let many = (0..11).fold(Form::new(), |form, n| form.text(format!("f{n}"), "x")).part("", file("x"));
    let large = |name: &'static str| Form::new().text(name, "x".repeat(1_100_000)).part("", file("x"));
    let nul = Form::new().text("metadata", r#"{"a": "\u0000"}"#).part("", file("x"));
    let control = Form::new().text("contentType", "text/html\r\nx: y").part("", file("x"));
    for (what, form, status_code) in [
        ("no file", Form::new().text("cacheControl", "60"), "400"),
        ("two files", Form::new().part("", file("x")).part("", file("y")), "400"),
        ("two large files", Form::new().part("", file(vec![1_u8; 50_000])).part("", file("y")), "400"),
        ("many fields", many, "400"),
        ("a large field", large("other"), "413"),
        ("large metadata", large("metadata"), "413"),
        ("a NUL in metadata", nul, "400"),
        ("a type of two lines", control, "400"),
    ] {
        let sent = send_form(&app, &alice(), &path, &[], form).await;
        assert_eq!((sent.status, &sent.json()["statusCode"]), (400, &json!(status_code)), "{what}: {}", sent.text());
    }
    assert_eq!(objects(&app).await, 0);
    no_bytes_are_left_over(&app).await;
}

/// Sends the text as the body of a form, goes away if that is less than was said, and else reads the answer.
async fn send_text(app: &behalf_tests::App, text: &str, length: usize) -> (u16, String) {
    let is_less = text.len() < length;
    let length = format!("content-length: {length}");
    let kind = "content-type: multipart/form-data; boundary=b";
    let mut stream = connect(app).await;
    let head = head(&alice(), "POST", &at("files", &hers("a")), &[kind, &length, "connection: close"]);
    // The host may answer and close before it has read all of it.
    let _ = stream.write_all(format!("{head}{text}").as_bytes()).await;
    if is_less {
        stream.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    split(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_none_leaves_nothing() {
    let app = app().await;
    let part = "--b\r\ncontent-disposition: form-data; name=\"\"; filename=\"x\"\r\n\r\n";
    let mut endless = "--b\r\ncontent-disposition: form-data; name=\"".to_owned();
    for n in 0..60_000 {
        write!(endless, "{n:08}").unwrap();
    }
    let whole = format!("{part}hello\r\n--b--\r\n");
    assert_eq!(send_text(&app, &whole, whole.len()).await.0, 200);
    app.database.execute("update storage.objects set name = 'elsewhere'").await;
    let no_end = format!("{part}hello");
    let no_end_of_much = format!("{part}{}", "x".repeat(100_000));
    for (what, text, length) in [
        ("no boundary", "hello", 5),
        ("nothing", "", 0),
        ("no end", no_end.as_str(), no_end.len()),
        ("no end of a large file", no_end_of_much.as_str(), no_end_of_much.len()),
        ("less than was said", no_end.as_str(), no_end.len() + 100),
        ("an endless header", endless.as_str(), endless.len()),
    ] {
        let (status, answer) = send_text(&app, text, length).await;
        let is_gone = length > text.len() && status == 0;
        assert!(status == 400 || is_gone, "{what}: {status} {answer}");
    }
    assert_eq!(objects(&app).await, 1);
    no_bytes_are_left_over(&app).await;
}
