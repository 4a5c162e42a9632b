//! Names, types and addresses that try to reach what is not theirs.

use behalf_tests::{ALICE, BOB, User};
use reqwest::Method;
use serde_json::json;

use super::object_bed::{alice, app, ask, at, bob, get, hers, no_bytes_are_left_over, objects, put, raw};

/// A name is only a name: it is compared as it is, and no path of the host is made of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_in_a_name_leads_nowhere() {
    let app = app().await;
    put(&app, &bob(), &at("files", &format!("{BOB}/secret.txt")), "text/plain", b"of bob").await;
    for (n, (path, name)) in [
        (format!("{ALICE}/../{BOB}/secret.txt"), format!("{ALICE}/../{BOB}/secret.txt")),
        (format!("{ALICE}/%2e%2e/{BOB}/a.txt"), format!("{ALICE}/../{BOB}/a.txt")),
        (format!("{ALICE}/%2E%2E%2F{BOB}%2Fb.txt"), format!("{ALICE}/../{BOB}/b.txt")),
        (format!("{ALICE}/./a.txt"), format!("{ALICE}/./a.txt")),
        (format!("{ALICE}//etc/passwd"), format!("{ALICE}//etc/passwd")),
        (format!("{ALICE}%2Fa.txt"), format!("{ALICE}/a.txt")),
        (format!("{ALICE}/{}etc/passwd", "../".repeat(40)), format!("{ALICE}/{}etc/passwd", "../".repeat(40))),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!("bytes {n}");
        let (status, answer) = raw(&app, &alice(), "POST", &at("files", &path), &body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let found: i64 = app
            .database
            .value(&format!("select count(*) from storage.objects where bucket_id = 'files' and name = '{name}'"))
            .await;
        assert_eq!(found, 1, "{name}");
        let (status, answer) = raw(&app, &alice(), "GET", &at("files", &path), "").await;
        assert_eq!((status, answer.as_str()), (200, body.as_str()), "{path}");
        assert_ne!(raw(&app, &bob(), "GET", &at("files", &path), "").await.0, 200, "{path}");
    }
    let (status, answer) = raw(&app, &bob(), "GET", &at("files", &format!("{BOB}/secret.txt")), "").await;
    assert_eq!((status, answer.as_str()), (200, "of bob"));
    // Nothing but blobs by their ids is in the store, so no name of theirs was made there.
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_object_may_have_are_refused_everywhere() {
    let app = app().await;
    for (name, shown) in [
        ("a%00b", "a\0b"),
        ("a%0ab", "a\nb"),
        ("a%5cb", "a\\b"),
        ("%c3%a9", "é"),
        ("e%cc%81", "e\u{301}"),
        ("%ef%bc%8f", "\u{ff0f}"),
        ("a%22b", "a\"b"),
        ("a%7fb", "a\u{7f}b"),
        ("a%25b", "a%b"),
        ("a%3cb%3e", "a<b>"),
        ("a%23b", "a#b"),
    ] {
        for (method, kind) in [("POST", ""), ("PUT", ""), ("GET", ""), ("GET", "authenticated/"), ("GET", "info/")] {
            let path = at(&format!("{kind}files"), &format!("{ALICE}/{name}"));
            let (status, answer) = raw(&app, &alice(), method, &path, "").await;
            let json: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
            assert_eq!(status, 400, "{method} {path}: {answer}");
            assert_eq!((&json["statusCode"], &json["code"]), (&json!("400"), &json!("InvalidKey")), "{method} {path}");
            assert_eq!(json["message"], format!("Invalid key: {ALICE}/{shown}"), "{method} {path}");
        }
    }
    for broken in ["%ff%fe", "%c3", "%80"] {
        let (status, answer) = raw(&app, &alice(), "POST", &at("files", &format!("{ALICE}/{broken}")), "x").await;
        assert_eq!(status, 400, "{broken}: {answer}");
    }
    for bucket in ["files%2f", "%2e%2e%2ffiles", "fi%00les", "%c3%a9"] {
        for method in ["POST", "GET"] {
            let (status, answer) = raw(&app, &alice(), method, &at(bucket, &hers("a")), "x").await;
            assert_eq!(status, 400, "{method} {bucket}: {answer}");
        }
    }
    assert_eq!(objects(&app).await, 0);
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_refused_and_the_longest_is_kept() {
    let app = app().await;
    for (length, is_taken) in [(1024, true), (1025, false), (2000, false), (20_000, false)] {
        let name = hers(&"x".repeat(length - ALICE.to_string().len() - 1));
        assert_eq!(name.len(), length);
        let sent = ask(&app, &alice(), Method::POST, &at("files", &name), &[], "x").await;
        assert_eq!(sent.status == 200, is_taken, "{length}: {}", sent.text());
        let read = get(&app, &alice(), &at("files", &name)).await;
        assert_eq!(read.status == 200, is_taken, "{length}");
        if !is_taken {
            assert_eq!((sent.status, &sent.json()["code"]), (400, &json!("InvalidKey")), "{length}");
            assert_eq!((read.status, &read.json()["code"]), (400, &json!("InvalidKey")), "{length}");
        }
    }
    no_bytes_are_left_over(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_file_systems_hold_for_one_are_two() {
    let app = app().await;
    let names = ["a.txt", "A.txt", "a.TXT", "dir", "dir/", "dir//", "dir/.", "a.txt ", " a.txt", "a.txt."];
    for name in names {
        let path = at("files", &hers(&name.replace(' ', "%20")));
        let (status, answer) = raw(&app, &alice(), "POST", &path, name).await;
        assert_eq!(status, 200, "{name:?}: {answer}");
    }
    assert_eq!(objects(&app).await, i64::try_from(names.len()).unwrap());
    for name in names {
        let (status, answer) = raw(&app, &alice(), "GET", &at("files", &hers(&name.replace(' ', "%20"))), "").await;
        assert_eq!((status, answer.as_str()), (200, name), "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_folder_is_closed_and_does_not_tell_what_is_in_it() {
    let app = app().await;
    let refused = "new row violates row-level security policy";
    put(&app, &alice(), &at("files", &hers("a.txt")), "text/plain", b"hers").await;
    for bucket in ["files", "other"] {
        for name in ["a.txt", "none.txt"] {
            let path = at(bucket, &hers(name));
            for headers in [vec![], vec![("x-upsert", "true")]] {
                let sent = ask(&app, &bob(), Method::POST, &path, &headers, "x").await;
                sent.assert_error(400, "403", "Unauthorized", refused);
                let sent = ask(&app, &User::Anon, Method::POST, &path, &headers, "x").await;
                sent.assert_error(400, "403", "Unauthorized", refused);
            }
            let sent = ask(&app, &bob(), Method::PUT, &path, &[], "x").await;
            sent.assert_error(400, "403", "Unauthorized", refused);
            for user in [bob(), User::Anon] {
                for kind in ["", "authenticated/", "info/", "info/authenticated/"] {
                    let read = get(&app, &user, &at(&format!("{kind}{bucket}"), &hers(name))).await;
                    read.assert_error(400, "404", "not_found", "Object not found");
                }
                let head = ask(&app, &user, Method::HEAD, &path, &[], "").await;
                assert_eq!((head.status, head.headers.get("etag")), (400, None));
            }
            let read = get(&app, &User::Nobody, &path).await;
            read.assert_error(400, "404", "Bucket not found", "Bucket not found");
        }
    }
    assert_eq!(get(&app, &alice(), &at("files", &hers("a.txt"))).await.text(), "hers");
    assert_eq!(objects(&app).await, 1);
    no_bytes_are_left_over(&app).await;
}

/// The platform's own bucket is there for nobody, whoever they are and whatever rows say.
#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_bucket_is_out_of_reach() {
    let app = app().await;
    for user in [alice(), User::Service, User::Anon] {
        for (method, path) in [
            (Method::POST, at("sources", &hers("a"))),
            (Method::PUT, at("sources", &hers("a"))),
            (Method::GET, at("sources", &hers("a"))),
            (Method::GET, at("authenticated/sources", &hers("a"))),
            (Method::GET, at("public/sources", &hers("a"))),
            (Method::GET, at("info/sources", &hers("a"))),
            (Method::GET, at("info/public/sources", &hers("a"))),
            (Method::GET, format!("/storage/v1/render/image/public/sources/{}", hers("a"))),
        ] {
            let answer = ask(&app, &user, method.clone(), &path, &[], "x").await;
            answer.assert_error(400, "404", "Bucket not found", "Bucket not found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_bucket_serves_no_page_that_runs() {
    let app = app().await;
    let page = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (kind, sent, is_bound) in [
        ("text/html", "text/plain", false),
        ("TEXT/HTML; charset=utf-8", "text/plain", false),
        ("image/svg+xml", "image/svg+xml", true),
        ("application/xhtml+xml", "application/xhtml+xml", true),
        ("text/xml", "text/xml", true),
        ("multipart/related", "multipart/related", true),
        ("image/png", "image/png", false),
        ("application/pdf", "application/pdf", false),
        ("video/mp4", "video/mp4", false),
    ] {
        put(&app, &alice(), &at("open", &hers("x")), kind, page).await;
        let path = format!("/storage/v1/object/public/open/{}", hers("x"));
        for (method, range) in [(Method::GET, None), (Method::GET, Some("bytes=0-")), (Method::HEAD, None)] {
            let headers: Vec<(&str, &str)> = range.map(|range| ("range", range)).into_iter().collect();
            let read = ask(&app, &User::Nobody, method, &path, &headers, "").await;
            assert_eq!(read.header("content-type"), sent, "{kind}");
            assert_eq!(read.header("x-content-type-options"), "nosniff", "{kind}");
            let policy = read.header("content-security-policy");
            assert_eq!(
                policy.contains("default-src 'none'") && policy.contains("sandbox"),
                is_bound,
                "{kind}: {policy}"
            );
            assert!(!policy.contains("allow-scripts"), "{kind}: {policy}");
        }
    }
    // Whoever may change a row may make it say any type.
    for kind in ["image/png, text/html", "text/html\\r\\nx-evil: 1", "", "image/png,application/xhtml+xml", "\u{e9}"] {
        app.database
            .execute(&format!(
                "update storage.objects set metadata = jsonb_set(metadata, '{{mimetype}}', '\"{kind}\"')"
            ))
            .await;
        let read = get(&app, &User::Nobody, &format!("/storage/v1/object/public/open/{}", hers("x"))).await;
        let is_bound = read.header("content-security-policy").contains("sandbox");
        let is_plain = matches!(read.header("content-type"), "text/plain" | "application/octet-stream");
        assert!(read.status == 200 && (is_bound || is_plain), "{kind}: {:?}", read.headers);
        assert_eq!(read.header("x-content-type-options"), "nosniff", "{kind}");
        assert_eq!(read.headers.get("x-evil"), None);
    }
}

/// Rows are made by whoever may insert them; bytes are named only by who uploaded them, for what they were uploaded.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_cannot_name_bytes_of_another_object() {
    let app = app().await;
    put(&app, &bob(), &at("files", &format!("{BOB}/secret.txt")), "text/plain", b"of bob").await;
    let version: String = app.database.value("select version from storage.objects").await;
    let mut owner = app.database.owner().await;
    for statement in [
        format!(
            "insert into storage.objects (bucket_id, name, version) values ('files', '{}', '{version}')",
            hers("x")
        ),
        format!("insert into storage.objects (bucket_id, name, version) values ('files', '{}', 'any')", hers("x")),
    ] {
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut owner).await;
        assert!(refused.is_err(), "{statement}");
    }
    assert_eq!(objects(&app).await, 1);
}
