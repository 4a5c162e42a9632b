//! Files that the host fetches: from addresses, and from the app's own objects.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use behalf_tests::{ALICE, Answer, User};
use futures::stream;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::bed::{Bed, alice, bob};
use super::documents::{pdf, words};

/// A server on this machine, which counts what it is asked.
struct Site {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Site {
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().route("/{*what}", get(answer)).with_state(Arc::clone(&asked));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, asked }
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// What a path of the server gives.
async fn answer(State(asked): State<Arc<AtomicUsize>>, Path(what): Path<String>, headers: HeaderMap) -> Response {
    asked.fetch_add(1, Ordering::Relaxed);
    let typed = |kind: &str, bytes: Vec<u8>| ([("content-type", kind.to_owned())], bytes).into_response();
    match what.split_once('/').unwrap_or((&what, "")) {
        ("page", _) => typed("text/html; charset=utf-8", format!("<h1>{}</h1>", words("page", 1)).into_bytes()),
        ("sitemap.xml" | "sitemaps", _) => {
            let host = headers["host"].to_str().unwrap();
            typed("application/xml", sitemap(&what, &format!("http://{host}")).into_bytes())
        }
        ("pdf", name) => typed("application/octet-stream", pdf(name, 2)),
        ("to", address) => Redirect::temporary(address).into_response(),
        ("loop", count) => Redirect::temporary(&format!("/loop/{count}x")).into_response(),
        ("endless", _) => {
            let pieces = stream::repeat_with(|| Ok::<_, Infallible>(vec![b'x'; 64 * 1024]));
            ([("content-type", "text/plain")], Body::from_stream(pieces)).into_response()
        }
        ("slow", _) => {
            let pieces = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Some((Ok::<_, Infallible>(vec![b'x']), ()))
            });
            ([("content-type", "text/plain")], Body::from_stream(pieces)).into_response()
        }
        ("long", _) => {
            let headers = [("content-type", "text/plain"), ("content-length", "99999999999")];
            (headers, Body::from_stream(stream::iter([Ok::<_, Infallible>(vec![b'x'; 10])]))).into_response()
        }
        ("cut", _) => {
            let headers = [("content-type", "text/plain"), ("content-length", "1000")];
            (headers, Body::from_stream(stream::iter([Ok(vec![b'x'; 10]), Err("cut")]))).into_response()
        }
        ("program", _) => typed("application/x-msdownload", b"MZ".to_vec()),
        ("nothing", _) => typed("text/plain", Vec::new()),
        ("status", number) => StatusCode::from_u16(number[..3].parse().unwrap()).unwrap().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The sitemaps of the server.
fn sitemap(what: &str, site: &str) -> String {
    let list = |outer: &str, inner: &str, addresses: &[String]| {
        let all = addresses.iter().map(|address| format!("<{inner}><loc>{address}</loc></{inner}>"));
        format!("<?xml version=\"1.0\"?><{outer}>{}</{outer}>", all.collect::<String>())
    };
    let pages = |pages: &[&str]| {
        let own = pages.iter().map(|page| format!("{site}/{page}"));
        // Not of this site, or not of the web.
        let others =
            ["http://127.0.0.1:1/page", "https://127.0.0.1/page", "file:///etc/passwd", "http://10.0.0.1/page"];
        list("urlset", "url", &others.map(str::to_owned).into_iter().chain(own).collect::<Vec<_>>())
    };
    match what {
        "sitemap.xml" => pages(&["page/a?x=1&amp;y=2", "page/a?x=1&amp;y=2", "pdf/b.pdf", "status/404"]),
        "sitemaps/index.xml" => {
            let others = ["http://127.0.0.1:1/sitemap.xml", "http://10.0.0.1/sitemap.xml"].map(str::to_owned);
            let own = ["status/500", "sitemaps/index.xml", "sitemaps/1.xml", "sitemaps/2.xml", "endless/x.xml"];
            let own = own.map(|path| format!("{site}/{path}"));
            list("sitemapindex", "sitemap", &[others.as_slice(), &own].concat())
        }
        "sitemaps/1.xml" => pages(&["pdf/1.pdf", "pdf/2.pdf"]),
        "sitemaps/2.xml" => pages(&["pdf/3.pdf", "pdf/1.pdf"]),
        "sitemaps/foreign.xml" => pages(&[]),
        "sitemaps/laughs.xml" => {
            let entities =
                format!("<!DOCTYPE d [<!ENTITY a '{}'><!ENTITY b SYSTEM 'file:///etc/passwd'>]>", "x".repeat(1_000));
            format!("{entities}<urlset><url><loc>{site}/&a;&b;</loc></url></urlset>")
        }
        _ => String::new(),
    }
}

/// A host that may reach this server, though it is on a private address.
async fn bed(site: &Site) -> Bed {
    let reached = format!("127.0.0.1:{}", site.port);
    Bed::with(vec![("http_allow_private", reached), ("sources_max_bytes", "2000000".to_owned())]).await
}

async fn import(bed: &Bed, user: &User, urls: &[&str]) -> Answer {
    bed.post(user, "/api/sources/import-url", json!({"mode": "urls", "urls": urls})).await
}

/// Imports one address, and returns the source once it ended.
async fn imported(bed: &Bed, url: &str) -> Value {
    let answer = import(bed, &alice(), &[url]).await;
    assert_eq!(answer.status, 201, "{url}: {}", answer.text);
    bed.ended(&alice(), answer.json["sources"][0]["id"].as_str().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_becomes_a_source_of_its_importer() {
    let site = Site::start().await;
    let bed = bed(&site).await;
    let (page, file) = (site.at("page/of/a/site"), site.at("pdf/report.pdf"));
    let answer = import(&bed, &alice(), &[&page, &file]).await;
    assert_eq!((answer.status, &answer.json["count"]), (201, &json!(2)), "{}", answer.text);
    for (number, (url, text)) in [(&page, words("page", 1)), (&file, words("report.pdf", 2))].into_iter().enumerate() {
        let new = &answer.json["sources"][number];
        assert_eq!(new["url"], **url);
        let id = new["id"].as_str().unwrap();
        let source = bed.ended(&alice(), id).await;
        assert_eq!(source["extraction_status"], "extracted", "{source}");
        assert_eq!(source["metadata"]["source_url"], **url);
        assert_eq!(source["owner_id"], ALICE.to_string());
        let texts = bed.texts(&alice(), id).await;
        assert!(texts.concat().contains(&text), "{texts:?}");
        assert_eq!(bed.get(&bob(), &format!("/api/sources/{id}")).await.status, 404);
    }
    // By a redirect within what may be reached.
    let source = imported(&bed, &site.at(&format!("to/{}", site.at("pdf/by-redirect.pdf")))).await;
    assert_eq!(source["extraction_status"], "extracted", "{source}");
    bed.has_no_other_bytes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_of_the_web_is_refused_at_once() {
    let site = Site::start().await;
    let bed = bed(&site).await;
    let with_password = format!("http://user:secret@127.0.0.1:{}/page", site.port);
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/a.txt",
        "gopher://127.0.0.1:70/1",
        "data:text/plain,hello",
        "javascript:alert(1)",
        "http://",
        "//example.com/a.txt",
        "example.com/a.txt",
        "",
        "http://exa mple.com/",
        &with_password,
        &format!("http://example.com/{}", "x".repeat(20_000)),
    ] {
        let refused = import(&bed, &alice(), &[url]).await;
        assert_eq!(refused.status, 400, "{url}: {}", refused.text);
        // One bad address among good ones takes all with it.
        let refused = import(&bed, &alice(), &[&site.at("page"), url]).await;
        assert_eq!(refused.status, 400, "{url}: {}", refused.text);
    }
    for body in [
        json!({}),
        json!({"urls": []}),
        json!({"mode": "urls"}),
        json!({"mode": "urls", "urls": "http://example.com"}),
        json!({"mode": "urls", "urls": vec!["http://example.com/a.txt"; 1_000]}),
        json!({"mode": "none", "urls": ["http://example.com/a.txt"]}),
    ] {
        let refused = bed.post(&alice(), "/api/sources/import-url", body.clone()).await;
        assert!(matches!(refused.status, 400 | 422), "{body}: {}", refused.text);
    }
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.sources").await, 0);
    assert_eq!(site.asked(), 0);
}

async fn import_site(bed: &Bed, url: &str, max_pages: usize) -> Answer {
    let body = json!({"mode": "sitemap", "url": url, "max_pages": max_pages});
    bed.post(&alice(), "/api/sources/import-url", body).await
}

fn urls(answer: &Answer, site: &Site) -> Vec<String> {
    assert_eq!(answer.status, 201, "{}", answer.text);
    let sources = answer.json["sources"].as_array().unwrap();
    assert_eq!(answer.json["count"], sources.len());
    let own = |source: &Value| source["url"].as_str().unwrap().replace(&site.at(""), "");
    sources.iter().map(own).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_that_a_sitemap_names_become_sources() {
    let site = Site::start().await;
    let bed = bed(&site).await;
    // The address of any page leads to the usual sitemap.
    let answer = import_site(&bed, &site.at("page/any"), 10).await;
    assert_eq!(urls(&answer, &site), ["page/a?x=1&y=2", "pdf/b.pdf", "status/404"]);
    for (number, (status, code)) in
        [("extracted", Value::Null), ("extracted", Value::Null), ("failed", json!("http_status"))]
            .into_iter()
            .enumerate()
    {
        let source = bed.ended(&alice(), answer.json["sources"][number]["id"].as_str().unwrap()).await;
        assert_eq!((&source["extraction_status"], &source["error_code"]), (&json!(status), &code), "{source}");
    }
    let answer = import_site(&bed, &site.at("sitemaps/index.xml"), 10).await;
    assert_eq!(urls(&answer, &site), ["pdf/1.pdf", "pdf/2.pdf", "pdf/3.pdf"]);
    let answer = import_site(&bed, &site.at("sitemaps/index.xml"), 1).await;
    assert_eq!(urls(&answer, &site), ["pdf/1.pdf"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sitemap_of_a_site_adds_nothing() {
    let (site, closed) = (Site::start().await, Site::start().await);
    let bed = bed(&site).await;
    for (url, status) in [
        (site.at("sitemaps/foreign.xml"), 422),
        (site.at("sitemaps/laughs.xml"), 422),
        (site.at("page/x.xml"), 422),
        (site.at("nothing/x.xml"), 422),
        (site.at("endless/x.xml"), 422),
        (site.at("status/404/x.xml"), 502),
        (site.at("loop/x.xml"), 502),
        (closed.at("sitemap.xml"), 400),
        (site.at(&format!("to/{}", closed.at("sitemap.xml"))), 400),
        ("http://169.254.169.254/sitemap.xml".to_owned(), 400),
    ] {
        let refused = import_site(&bed, &url, 10).await;
        assert_eq!(refused.status, status, "{url}: {}", refused.text);
        assert!(!refused.text.contains("passwd") && !refused.text.contains("127.0.0.1"), "{}", refused.text);
    }
    assert_eq!(closed.asked(), 0, "the server was reached");
    let crawl = json!({"mode": "crawl", "url": site.at("page/a")});
    assert_eq!(bed.post(&alice(), "/api/sources/import-url", crawl).await.status, 501);
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.sources").await, 0);
}

/// The host that may reach one private server reaches no other, by whatever name.
#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_reached_by_no_name_and_no_redirect() {
    let (open, closed) = (Site::start().await, Site::start().await);
    let bed = bed(&open).await;
    let port = closed.port;
    let names = [
        format!("http://127.0.0.1:{port}/page"),
        format!("http://localhost:{port}/page"),
        format!("http://LOCALHOST.:{port}/page"),
        format!("http://[::1]:{port}/page"),
        format!("http://[::ffff:127.0.0.1]:{port}/page"),
        format!("http://[64:ff9b::7f00:1]:{port}/page"),
        format!("http://2130706433:{port}/page"),
        format!("http://0x7f000001:{port}/page"),
        format!("http://0177.0.0.1:{port}/page"),
        format!("http://127.1:{port}/page"),
        format!("http://0.0.0.0:{port}/page"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/a.txt".to_owned(),
        "http://192.168.1.1/a.txt".to_owned(),
        "http://[fd00::1]/a.txt".to_owned(),
    ];
    for name in names {
        for url in [name.clone(), open.at(&format!("to/{name}"))] {
            let answer = import(&bed, &alice(), &[&url]).await;
            if answer.status == 400 {
                continue;
            }
            assert_eq!(answer.status, 201, "{url}: {}", answer.text);
            let source = bed.ended(&alice(), answer.json["sources"][0]["id"].as_str().unwrap()).await;
            assert_eq!(source["extraction_status"], "failed", "{url}: {source}");
            let message = source["error_message"].as_str().unwrap_or_else(|| panic!("{url}: {source}"));
            assert!(!message.contains("10.0.0.1") && !message.contains("HTTP_ALLOW"), "{message}");
        }
    }
    assert_eq!(closed.asked(), 0, "the server was reached");
    // Nor by a scheme that only a redirect has.
    for target in ["file:///etc/passwd", "ftp://127.0.0.1/a"] {
        let source = imported(&bed, &open.at(&format!("to/{target}"))).await;
        assert_eq!(source["extraction_status"], "failed", "{target}: {source}");
    }
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.source_pages").await, 0);
    bed.has_no_other_bytes().await;
}

/// Answers without an end, and with too much, end; nothing of them stays.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_document_fail_and_leave_nothing() {
    let site = Site::start().await;
    let bed = bed(&site).await;
    for path in ["endless/x.txt", "long/x.txt", "loop/x", "program/x.exe", "nothing/x.txt", "status/404", "status/403"]
    {
        let source = imported(&bed, &site.at(path)).await;
        assert_eq!(source["extraction_status"], "failed", "{path}: {source}");
        let code = source["error_code"].as_str().unwrap_or_else(|| panic!("{path}: {source}"));
        assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{path}: {source}");
        assert!(source["error_message"].as_str().is_some_and(|message| message.len() > 5), "{path}: {source}");
    }
    assert!(site.asked() < 100, "{} requests", site.asked());
    bed.has_no_other_bytes().await;
}

/// What is fetched can be cancelled, however slowly it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_takes_long_can_be_cancelled() {
    let site = Site::start().await;
    let bed = bed(&site).await;
    let answer = import(&bed, &alice(), &[&site.at("slow/x.txt")]).await;
    let id = answer.json["sources"][0]["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
    behalf_tests::eventually("nobody fetches it", async || site.asked() > 0).await;
    assert_eq!(bed.send(&bob(), Method::POST, &format!("/api/sources/{id}/cancel"), json!({})).await.status, 404);
    let cancelled = bed.send(&alice(), Method::POST, &format!("/api/sources/{id}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    assert_eq!(bed.ended(&alice(), &id).await["extraction_status"], "cancelled");
    let running = "select count(*) from behalf.jobs where state = 'running'";
    behalf_tests::eventually("the job goes on", async || bed.database.value::<i64>(running).await == 0).await;
    assert_eq!(bed.get(&alice(), &format!("/api/sources/{id}")).await.json["extraction_status"], "cancelled");
    bed.has_no_other_bytes().await;
}

/// Only what the caller may read becomes a source.
#[tokio::test(flavor = "multi_thread")]
async fn objects_are_imported_under_the_apps_policies() {
    let bed = Bed::start().await;
    bed.database.execute(include_str!("../../clients/supabase/sources.sql")).await;
    let upload = |user: User, name: String, document: &'static str| {
        let request = bed.request(&user, Method::POST, &format!("/storage/v1/object/attachments/{name}"));
        request.header("content-type", "application/pdf").body(pdf(document, 1)).send()
    };
    assert_eq!(upload(alice(), format!("{ALICE}/a.pdf"), "object").await.unwrap().status(), 200);
    let path = "/api/sources/import-from-storage";
    let body = |bucket: &str, name: String| json!({"bucket": bucket, "path": name});
    let added = bed.post(&alice(), path, body("attachments", format!("{ALICE}/a.pdf"))).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let id = added.json["id"].as_str().unwrap();
    assert_eq!(bed.ended(&alice(), id).await["extraction_status"], "extracted");
    assert!(bed.texts(&alice(), id).await[0].contains(&words("object", 1)));
    let hers = bed.post(&bob(), path, body("attachments", format!("{ALICE}/a.pdf"))).await;
    let none = bed.post(&bob(), path, body("attachments", format!("{ALICE}/none.pdf"))).await;
    assert_eq!((hers.status, &hers.json["error"]), (404, &none.json["error"]), "{}", hers.text);
    assert_eq!(none.status, 404, "{}", none.text);
    let stored: String = bed.database.value("select storage_path from ai.sources").await;
    for user in [alice(), User::Service] {
        let reserved = bed.post(&user, path, body("sources", stored.clone())).await;
        assert_eq!(reserved.status, 404, "{}", reserved.text);
    }
    for bad in [
        json!({}),
        json!({"bucket": "attachments"}),
        json!({"bucket": 1, "path": "a"}),
        json!({"bucket": "", "path": ""}),
    ] {
        let refused = bed.post(&alice(), path, bad.clone()).await;
        assert!(matches!(refused.status, 400 | 404 | 422), "{bad}: {}", refused.text);
    }
}
