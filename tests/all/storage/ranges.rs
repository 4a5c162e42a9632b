//! Parts of objects, and objects that the client has already.

use behalf_tests::User;
use reqwest::Method;

use super::object_bed::{Reply, alice, app, ask, at, get, hers, put};

#[tokio::test(flavor = "multi_thread")]
async fn one_part_is_sent_and_what_names_none_is_refused() {
    let app = app().await;
    let path = at("files", &hers("a.txt"));
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    put(&app, &alice(), &path, "text/plain", &bytes).await;
    for (range, part, header) in [
        ("bytes=0-0", 0..1, "bytes 0-0/100000"),
        ("bytes=10-19", 10..20, "bytes 10-19/100000"),
        ("bytes=99990-", 99_990..100_000, "bytes 99990-99999/100000"),
        ("bytes=-5", 99_995..100_000, "bytes 99995-99999/100000"),
        ("bytes=-200000", 0..100_000, "bytes 0-99999/100000"),
        ("bytes=99999-9007199254740991", 99_999..100_000, "bytes 99999-99999/100000"),
        ("bytes=1000-80000", 1000..80_001, "bytes 1000-80000/100000"),
    ] {
        let read = ask(&app, &alice(), Method::GET, &path, &[("range", range)], "").await;
        assert_eq!((read.status, read.header("content-range")), (206, header), "{range}");
        assert_eq!(read.header("content-length"), part.len().to_string(), "{range}");
        assert!(read.bytes == bytes[part], "{range}");
    }
    for range in [
        "bytes=100000-",
        "bytes=5-4",
        "bytes=-0",
        "bytes=-",
        "bytes=0-18446744073709551616",
        "bytes=18446744073709551615-18446744073709551615",
        "bytes=0-1,2-3",
        "bytes=0-99999,0-99999,0-99999",
        "bytes=a-b",
        "lines=0-1",
        "nonsense",
    ] {
        let read = ask(&app, &alice(), Method::GET, &path, &[("range", range)], "").await;
        read.assert_error(416, "416", "invalid_range", "invalid range provided");
        assert_eq!(read.header("content-range"), "bytes */100000", "{range}");
    }
    put(&app, &alice(), &path, "text/plain", b"").await;
    assert_eq!(get(&app, &alice(), &path).await.bytes, b"");
    let none = ask(&app, &alice(), Method::GET, &path, &[("range", "bytes=0-")], "").await;
    assert_eq!((none.status, none.header("content-range")), (416, "bytes */0"), "{}", none.text());
}

/// Whoever may change a row may make it say anything of the size.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_lies_about_its_size_changes_no_part() {
    let app = app().await;
    let path = at("files", &hers("a.txt"));
    put(&app, &alice(), &path, "text/plain", b"0123456789").await;
    for size in ["5", "100", "-1", "\"x\"", "null", "18446744073709551615"] {
        app.database
            .execute(&format!("update storage.objects set metadata = jsonb_set(metadata, '{{size}}', '{size}')"))
            .await;
        for (range, status, body) in [("bytes=7-", 206, "789"), ("bytes=-2", 206, "89"), ("bytes=10-", 416, "")] {
            let read = ask(&app, &alice(), Method::GET, &path, &[("range", range)], "").await;
            assert_eq!(read.status, status, "{size} {range}: {}", read.text());
            if status == 206 {
                assert_eq!(read.text(), body, "{size} {range}");
            }
        }
        assert_eq!(get(&app, &alice(), &path).await.text(), "0123456789", "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_the_bytes_gets_none() {
    let app = app().await;
    put(&app, &alice(), &at("open", &hers("a.txt")), "text/plain", b"hello").await;
    let path = format!("/storage/v1/object/public/open/{}", hers("a.txt"));
    let first = get(&app, &User::Nobody, &path).await;
    let (tag, modified) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
    let again = async |headers: Vec<(&'static str, String)>| -> Reply {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask(&app, &User::Nobody, Method::GET, &path, &headers, "").await
    };
    for headers in [
        vec![("if-none-match", tag.clone())],
        vec![("if-none-match", format!("\"x\", W/{tag}"))],
        vec![("if-none-match", "*".to_owned())],
        vec![("if-modified-since", modified.clone())],
        vec![("if-none-match", tag.clone()), ("range", "bytes=0-1".to_owned())],
    ] {
        let read = again(headers.clone()).await;
        assert_eq!((read.status, read.bytes.len()), (304, 0), "{headers:?}");
        assert_eq!((read.header("etag"), read.header("cache-control")), (tag.as_str(), "no-cache"), "{headers:?}");
    }
    for headers in [
        vec![("if-none-match", "\"x\"".to_owned())],
        vec![("if-none-match", "\"x\"".to_owned()), ("if-modified-since", modified.clone())],
        vec![("if-modified-since", "Thu, 12 Aug 2021 16:00:00 GMT".to_owned())],
        vec![("if-modified-since", "nonsense".to_owned())],
        vec![("range", "bytes=0-1".to_owned()), ("if-range", "\"x\"".to_owned())],
    ] {
        let read = again(headers.clone()).await;
        assert_eq!((read.status, read.text().as_str()), (200, "hello"), "{headers:?}");
    }
    let changed = again(vec![("if-none-match", "\"x\"".to_owned())]).await;
    assert_eq!(changed.header("cache-control"), "no-cache, stale-while-revalidate=30");
    let part = again(vec![("range", "bytes=0-1".to_owned()), ("if-range", tag.clone())]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "he"));

    put(&app, &alice(), &at("open", &hers("a.txt")), "text/plain", b"other").await;
    let read = again(vec![("if-none-match", tag)]).await;
    assert_eq!((read.status, read.text().as_str()), (200, "other"));
}
