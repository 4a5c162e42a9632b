//! Tests of outbound HTTP against servers of their own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Full};
use rustls::RootCertStore;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::grant::HttpMethods;
use super::records::MAX_REQUESTS;
use super::send::MAX_CONNECTIONS;
use super::*;

/// A server that answers every connection in the same way; gives its port.
async fn server<F: Future<Output = ()> + Send + 'static>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    port
}

/// Reads a request's head and says what it was.
async fn head(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).await.is_ok() {
        seen.extend_from_slice(&byte);
    }
    String::from_utf8(seen).expect("text")
}

async fn hello(mut stream: TcpStream) {
    let seen = head(&mut stream).await;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{seen}", seen.len());
    stream.write_all(answer.as_bytes()).await.ok();
}

fn call(hosts: &[&str], private: &[&str]) -> HttpCtx {
    call_with(hosts, Egress::new(&private.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).expect("hosts"))
}

fn call_with(hosts: &[&str], egress: Egress) -> HttpCtx {
    call_trying(hosts, egress, None)
}

fn call_trying(hosts: &[&str], egress: Egress, trial: Option<Arc<dyn HttpTrial>>) -> HttpCtx {
    HttpCtx::new(
        HttpGrant {
            hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a pattern")).collect(),
            methods: HttpMethods::All,
            identity: Identity::Unsaid,
            egress: Arc::new(egress),
            deadline: (Instant::now() + Duration::from_secs(5)).into(),
            secrets: CallSecrets::default(),
            trial,
        },
        1024,
    )
}

fn get(uri: &str) -> Request<WasiBody> {
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    Request::get(uri).header("host", "guest-chosen.test").body(body).expect("a request")
}

/// Sends, and reads the whole body while the connection runs.
async fn fetch(call: &mut HttpCtx, request: Request<WasiBody>, options: RequestOptions) -> Result<Bytes, Error> {
    let sent = call.hooks.send_request(request, Some(options), Box::new(async { Ok(()) }));
    let (response, io) = Box::into_pin(sent).await?;
    let _io = wasmtime_wasi::runtime::spawn(Box::into_pin(io));
    Ok(response.into_body().collect().await?.to_bytes())
}

async fn read(call: &mut HttpCtx, uri: &str) -> Result<Bytes, Error> {
    fetch(call, get(uri), RequestOptions::default()).await
}

#[tokio::test]
async fn a_granted_private_host_answers_only_where_the_operator_allows_it() {
    let port = server(hello).await;
    let (host, uri) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/p?q=1"));
    let mut allowed = call(&[&host], &[&host]);
    let seen = String::from_utf8(read(&mut allowed, &uri).await.expect("an answer").to_vec()).expect("text");
    assert!(seen.starts_with("GET /p?q=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: {host}\r\n")) && !seen.contains("guest-chosen"), "{seen}");
    let sent = EgressRecord {
        method: "GET".into(),
        host: "127.0.0.1".into(),
        port,
        status: Some(200),
        error: None,
        secrets: Vec::new(),
        reason: None,
    };
    assert_eq!(allowed.records(), [sent]);
    assert!(told(&allowed).is_empty());

    let mut not_allowed = call(&[&host], &[]);
    assert!(matches!(read(&mut not_allowed, &uri).await, Err(Error::DestinationIpProhibited)));
    assert_eq!(not_allowed.records()[0].error, Some("address_prohibited"));
    assert!(told(&not_allowed)[0].contains(&format!("GET to {host} was not sent: the host's address is in a private")));
    let mut not_granted = call(&["example.com"], &[&host]);
    assert!(matches!(read(&mut not_granted, &uri).await, Err(Error::HttpRequestDenied)));
    assert!(matches!(read(&mut HttpCtx::default(), &uri).await, Err(Error::HttpRequestDenied)));
}

/// Signs with the name of the server.
#[derive(Debug)]
struct Signer;

impl CallSigner for Signer {
    fn sign<'a>(&'a self, origin: &'a str) -> futures::future::BoxFuture<'a, Option<String>> {
        Box::pin(async move { Some(format!("for-{origin}")) })
    }
}

#[tokio::test]
async fn a_server_is_told_who_calls_and_the_guest_cannot_say_otherwise() {
    let port = server(hello).await;
    let (host, uri) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/"));
    let signed = |signer| {
        HttpCtx::new(
            HttpGrant {
                hosts: [HostPattern::parse(&host).expect("a pattern")].into(),
                methods: HttpMethods::All,
                identity: Identity::Signed(signer),
                egress: Arc::new(Egress::new(std::slice::from_ref(&host)).expect("a host")),
                deadline: (Instant::now() + Duration::from_secs(5)).into(),
                secrets: CallSecrets::default(),
                trial: None,
            },
            1024,
        )
    };
    let mut request = get(&uri);
    request.headers_mut().insert("authorization", "Bearer guest-chosen".parse().expect("a value"));
    let mut call = signed(Some(Arc::new(Signer)));
    let seen = fetch(&mut call, request, RequestOptions::default()).await.expect("an answer");
    let seen = String::from_utf8(seen.to_vec()).expect("text");
    assert!(seen.contains(&format!("authorization: Bearer for-http://{host}\r\n")), "{seen}");
    assert!(!seen.contains("guest-chosen"), "{seen}");
    let mut nobody_signs = signed(None);
    assert!(matches!(read(&mut nobody_signs, &uri).await, Err(Error::ConfigurationError)));
    assert_eq!(nobody_signs.records()[0].error, Some("host"));
}

/// What the log of the call says of its requests.
fn told(call: &HttpCtx) -> Vec<String> {
    super::denied::log_lines(&call.records()).map(|line| line.message.for_record().to_owned()).collect()
}

#[tokio::test]
async fn a_request_that_is_denied_is_told_with_what_was_asked_and_what_is_granted() {
    let mut call = call(&["api.example.com", "*.example.org:8443"], &[]);
    for uri in ["https://api.example.com:8443/secret?token=x", "http://other.test/", "https://a.example.org/"] {
        assert!(matches!(read(&mut call, uri).await, Err(Error::HttpRequestDenied)), "{uri}");
    }
    let granted = "was not sent: granted are api.example.com, *.example.org:8443; in plugin.toml, [grants.http]: hosts = \
        [\"api.example.com\", \"*.example.org:8443\",";
    assert_eq!(
        told(&call),
        [
            format!("GET to api.example.com:8443 {granted} \"api.example.com:8443\"]"),
            format!("GET to other.test:80 {granted} \"other.test\"]"),
            format!("GET to a.example.org:443 {granted} \"a.example.org\"]"),
        ]
    );
    let audit = serde_json::to_string(&call.records()).expect("JSON");
    assert!(!audit.contains("granted") && !audit.contains("token"), "{audit}");
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_its_address_is_the_one_connected_to() {
    let port = server(hello).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let host = format!("moving.test:{port}");
    let egress = Egress::new(std::slice::from_ref(&host)).expect("a host").with_resolver(move |_| {
        // A second answer would lead elsewhere.
        let last = if count.fetch_add(1, Ordering::SeqCst) == 0 { 1 } else { 99 };
        vec![IpAddr::from([127, 0, 0, last])]
    });
    let mut call = call_with(&[&host], egress);
    let seen = read(&mut call, &format!("http://moving.test:{port}/")).await.expect("an answer");
    assert!(String::from_utf8_lossy(&seen).contains(&format!("host: {host}")));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn requests_that_are_no_requests_are_refused() {
    let mut call = call(&["example.com"], &[]);
    for uri in ["https://user:pass@example.com/", "https://example.com:8443/", "http://0x7f.1/", "ftp://example.com/"] {
        assert!(read(&mut call, uri).await.is_err(), "{uri}");
    }
    for method in [http::Method::CONNECT, http::Method::TRACE] {
        let mut request = get("https://example.com/");
        *request.method_mut() = method;
        let refused = fetch(&mut call, request, RequestOptions::default()).await;
        assert!(matches!(refused, Err(Error::HttpRequestMethodInvalid)));
    }
    let errors: Vec<_> = call.records().into_iter().filter_map(|record| record.error).collect();
    assert_eq!(errors, ["bad_address", "denied", "bad_address", "bad_address", "bad_method", "bad_method"]);
}

#[tokio::test]
async fn a_call_makes_so_many_requests_and_no_more() {
    let mut call = call(&["granted.test"], &[]);
    for _ in 0..MAX_REQUESTS + 5 {
        assert!(matches!(read(&mut call, "https://other.test/").await, Err(Error::HttpRequestDenied)));
    }
    assert_eq!(call.records().len(), MAX_REQUESTS);
}

#[tokio::test]
async fn a_server_that_drips_is_cut_off() {
    let port = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await.ok();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let host = format!("127.0.0.1:{port}");
    let mut call = call(&[&host], &[&host]);
    Arc::get_mut(call.hooks.sender.as_mut().expect("a sender")).expect("unshared").grant.deadline =
        (Instant::now() + Duration::from_millis(600)).into();
    let started = Instant::now();
    assert!(matches!(
        read(&mut call, &format!("http://{host}/")).await,
        Err(Error::HttpResponseTimeout | Error::ConnectionReadTimeout)
    ));
    assert!(started.elapsed() < Duration::from_millis(900));
    let record = call.records().remove(0);
    assert_eq!((record.status, record.error), (Some(200), Some("timeout")));
}

#[tokio::test]
async fn a_silent_server_is_cut_off() {
    let silent = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let stalling = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.ok();
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let soon = Some(Duration::from_millis(100));
    let options = RequestOptions { first_byte_timeout: soon, between_bytes_timeout: soon, ..RequestOptions::default() };
    for port in [silent, stalling] {
        let host = format!("127.0.0.1:{port}");
        let mut call = call(&[&host], &[&host]);
        let cut = fetch(&mut call, get(&format!("http://{host}/")), options).await;
        assert!(matches!(cut, Err(Error::ConnectionReadTimeout)), "{cut:?}");
    }
    let zero = Some(Duration::ZERO);
    let options = RequestOptions { connect_timeout: zero, first_byte_timeout: zero, between_bytes_timeout: zero };
    let host = format!("127.0.0.1:{silent}");
    assert!(fetch(&mut call(&[&host], &[&host]), get(&format!("http://{host}/")), options).await.is_err());
}

#[tokio::test]
async fn a_large_answer_is_cut_whether_or_not_it_says_so() {
    let honest = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await.ok();
    })
    .await;
    let endless = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok();
        while stream.write_all(b"4\r\nxxxx\r\n").await.is_ok() {}
    })
    .await;
    let wordy = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.ok();
        let line = format!("x: {}\r\n", "y".repeat(1000));
        while stream.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    for port in [honest, endless, wordy] {
        let host = format!("127.0.0.1:{port}");
        let mut call = call(&[&host], &[&host]);
        let cut = read(&mut call, &format!("http://{host}/")).await;
        assert!(
            matches!(cut, Err(Error::HttpResponseBodySize(_) | Error::HttpResponseHeaderSectionSize(_))),
            "{port} {cut:?}"
        );
        assert_eq!(call.records()[0].error, Some("response_too_large"));
    }
}

#[tokio::test]
async fn a_large_request_is_cut() {
    let port = server(async |mut stream: TcpStream| {
        let mut sink = tokio::io::sink();
        tokio::io::copy(&mut stream, &mut sink).await.ok();
    })
    .await;
    let host = format!("127.0.0.1:{port}");
    let body = Full::new(Bytes::from(vec![0; 8 * 1024 + 1])).map_err(|never| match never {}).boxed_unsync();
    let request = Request::post(format!("http://{host}/")).body(body).expect("a request");
    let cut = fetch(&mut call(&[&host], &[&host]), request, RequestOptions::default()).await;
    assert!(matches!(cut, Err(Error::HttpRequestBodySize(Some(8192)))), "{cut:?}");
}

#[tokio::test]
async fn more_connections_than_a_call_may_have_wait_and_then_fail() {
    let port = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n").await.ok();
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let host = format!("127.0.0.1:{port}");
    let mut call = call(&[&host], &[&host]);
    let options = RequestOptions { connect_timeout: Some(Duration::from_millis(200)), ..RequestOptions::default() };
    let mut held = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let sent = call.hooks.send_request(get(&format!("http://{host}/")), Some(options), Box::new(async { Ok(()) }));
        held.push(Box::into_pin(sent).await.map_err(|error| error.to_string()).expect("an answer"));
    }
    let refused = fetch(&mut call, get(&format!("http://{host}/")), options).await;
    assert!(matches!(refused, Err(Error::ConnectionLimitReached)));
    held.clear();
    tokio::task::yield_now().await;
    assert!(call.hooks.sender.as_ref().is_some_and(|sender| sender.connections.available_permits() > 0));
}

/// A TLS server with a certificate for `name`, and the roots that trust it.
async fn tls_server(name: &str) -> (u16, RootCertStore) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let port = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            stream.read_u8().await.ok();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.ok();
            stream.shutdown().await.ok();
        }
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    (port, roots)
}

#[tokio::test]
async fn tls_verifies_the_name_that_was_granted() {
    let (port, roots) = tls_server("right.test").await;
    let names = [format!("right.test:{port}"), format!("wrong.test:{port}")];
    let patterns: Vec<&str> = names.iter().map(String::as_str).collect();
    let egress = |roots| {
        Egress::new(&names).expect("hosts").with_resolver(|_| vec![IpAddr::from([127, 0, 0, 1])]).with_roots(roots)
    };
    let mut trusting = call_with(&patterns, egress(roots));
    assert_eq!(&read(&mut trusting, &format!("https://RIGHT.test.:{port}/")).await.expect("an answer")[..], b"ok");
    let wrong = read(&mut trusting, &format!("https://wrong.test:{port}/")).await;
    assert!(matches!(wrong, Err(Error::TlsCertificateError)), "{wrong:?}");
    let mut distrusting = call_with(&patterns, egress(RootCertStore::empty()));
    let unknown = read(&mut distrusting, &format!("https://right.test:{port}/")).await;
    assert!(matches!(unknown, Err(Error::TlsCertificateError)), "{unknown:?}");
}

/// Requests of the host's own, with names that resolve to what `resolve` says.
fn outbound(private: &[String], resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Outbound {
    let egress = Egress::new(private).expect("hosts").with_resolver(resolve);
    Outbound::new(Arc::new(egress), Instant::now() + Duration::from_secs(5), 64 * 1024)
}

fn here(_name: &str) -> Vec<IpAddr> {
    vec![IpAddr::from([127, 0, 0, 1])]
}

fn request(uri: &str) -> OutboundRequest {
    let secret = http::HeaderValue::from_static("Bearer for-the-first-origin");
    OutboundRequest {
        method: http::Method::POST,
        uri: uri.parse().expect("an address"),
        headers: [(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"))]
            .into_iter()
            .collect(),
        own_headers: [(http::header::AUTHORIZATION, secret)].into_iter().collect(),
        body: Bytes::from_static(b"{}"),
    }
}

/// A server that sends every request on to `location`.
async fn redirecting(status: u16, location: String) -> u16 {
    server(move |mut stream: TcpStream| {
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        async move {
            head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.ok();
        }
    })
    .await
}

async fn text_of(response: OutboundResponse) -> String {
    String::from_utf8(response.beginning(64 * 1024).await.expect("a body").0).expect("text")
}

#[tokio::test]
async fn the_hosts_own_requests_never_reach_private_hosts_in_any_disguise() {
    let outbound = outbound(&[], |name| match name {
        "mixed.test" => vec![IpAddr::from([1, 1, 1, 1]), IpAddr::from([127, 0, 0, 1])],
        "mapped.test" => vec!["::ffff:127.0.0.1".parse().expect("an address")],
        "metadata.test" => vec![IpAddr::from([169, 254, 169, 254])],
        _ => Vec::new(),
    });
    for uri in [
        "http://127.0.0.1/",
        "http://mixed.test/",
        "http://mapped.test/",
        "http://metadata.test/latest/meta-data/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
    ] {
        let refused = outbound.send(request(uri)).await.err();
        assert_eq!(refused, Some(OutboundError::Prohibited), "{uri}");
    }
    for uri in ["http://2130706433/", "http://0x7f.1/", "http://user:pass@mixed.test/", "ftp://mixed.test/"] {
        assert_eq!(outbound.send(request(uri)).await.err(), Some(OutboundError::Address), "{uri}");
    }
    assert!(outbound.records().iter().all(|record| record.status.is_none() && record.error.is_some()));
}

#[tokio::test]
async fn a_redirect_is_checked_like_the_first_address() {
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/",
        "http://2130706433/",
        "//[::ffff:7f00:1]/",
        "http://inner.test/",
    ] {
        let port = redirecting(307, location.to_owned()).await;
        let outbound = outbound(&[format!("start.test:{port}")], here);
        let refused = outbound.send(request(&format!("http://start.test:{port}/"))).await.err();
        assert_eq!(refused, Some(OutboundError::Prohibited), "{location}");
        let errors: Vec<_> = outbound.records().into_iter().map(|record| (record.status, record.error)).collect();
        assert_eq!(errors, [(Some(307), None), (None, Some("address_prohibited"))]);
    }
    for location in ["http://user:pass@start.test/", "file:///etc/passwd", "http://"] {
        let port = redirecting(302, location.to_owned()).await;
        let outbound = outbound(&[format!("start.test:{port}")], here);
        let refused = outbound.send(request(&format!("http://start.test:{port}/"))).await.err();
        assert_eq!(refused, Some(OutboundError::Redirect), "{location}");
    }
}

#[tokio::test]
async fn what_is_for_one_origin_does_not_follow_a_redirect_to_another() {
    let last = server(hello).await;
    let port = redirecting(307, format!("http://other.test:{last}/b?c")).await;
    let names = [format!("start.test:{port}"), format!("other.test:{last}")];
    let seen =
        text_of(outbound(&names, here).send(request(&format!("http://start.test:{port}/a"))).await.expect("an answer"))
            .await;
    assert!(seen.starts_with("POST /b?c HTTP/1.1") && seen.contains("content-type"), "{seen}");
    assert!(!seen.contains("for-the-first-origin"), "{seen}");

    let port = redirecting(303, format!("http://start.test:{last}/b")).await;
    let names = [format!("start.test:{port}"), format!("start.test:{last}")];
    let seen =
        text_of(outbound(&names, here).send(request(&format!("http://start.test:{port}/a"))).await.expect("an answer"))
            .await;
    assert!(seen.starts_with("GET /b HTTP/1.1") && !seen.contains("content-type"), "{seen}");
    assert!(!seen.contains("for-the-first-origin"), "another port is another origin: {seen}");

    let direct = outbound(&[format!("start.test:{last}")], here);
    let seen = text_of(direct.send(request(&format!("http://start.test:{last}/"))).await.expect("an answer")).await;
    assert!(seen.contains("for-the-first-origin") && seen.contains("content-length: 2"), "{seen}");
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let port = redirecting(307, "/again".to_owned()).await;
    let outbound = outbound(&[format!("start.test:{port}")], here);
    let circle = outbound.send(request(&format!("http://start.test:{port}/"))).await.err();
    assert_eq!(circle, Some(OutboundError::Redirects));
    assert_eq!(outbound.records().len(), 6);
}

#[tokio::test]
async fn the_hosts_own_requests_are_bounded_in_bytes_and_time() {
    let endless = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok();
        while stream.write_all(b"4\r\nxxxx\r\n").await.is_ok() {}
    })
    .await;
    let silent = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let call = |port: u16| (outbound(&[format!("a.test:{port}")], here), request(&format!("http://a.test:{port}/")));
    let (bounded, asked) = call(endless);
    let (read, is_whole) = bounded.send(asked).await.expect("an answer").beginning(1_000).await.expect("a beginning");
    assert_eq!((read.len(), is_whole), (1_000, false));
    let (bounded, asked) = call(endless);
    let cut = bounded.send(asked).await.expect("an answer").beginning(1 << 30).await;
    assert_eq!(cut.err(), Some(OutboundError::TooLarge(64 * 1024)));
    let (mut bounded, asked) = call(silent);
    bounded.deadline = Instant::now() + Duration::from_millis(400);
    assert_eq!(bounded.send(asked).await.err(), Some(OutboundError::Timeout));
}

/// A call of a plugin with these secrets, whose hosts are allowed and granted.
fn call_with_secrets(hosts: &[&str], secrets: &serde_json::Value, values: &[(&str, &str)]) -> HttpCtx {
    let grant: HttpGrants =
        serde_json::from_value(serde_json::json!({"hosts": hosts, "secrets": secrets})).expect("a grant");
    secret::check(&grant).expect("secrets");
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let granted = GrantedHttp::read(&grant);
    let allowed: Vec<_> = grant.hosts.iter().filter(|host| host.starts_with("127.")).cloned().collect();
    let grant = HttpGrant {
        hosts: granted.hosts,
        methods: HttpMethods::All,
        identity: Identity::Unsaid,
        egress: Arc::new(Egress::new(&allowed).expect("hosts")),
        deadline: (Instant::now() + Duration::from_secs(5)).into(),
        trial: None,
        secrets: CallSecrets { rules: granted.secrets, values: secret::HttpSecrets::new(values) },
    };
    HttpCtx::new(grant, 4_096)
}

/// A server that writes down the heads of its requests, and sends them back, one header in an answer's header too.
async fn echo() -> (u16, Arc<std::sync::Mutex<String>>) {
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    let port = server(move |mut stream: TcpStream| {
        let kept = Arc::clone(&kept);
        async move {
            let head = head(&mut stream).await;
            kept.lock().expect("no panic").push_str(&head);
            let sent = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or("none");
            let answer = format!("HTTP/1.1 200 OK\r\nx-echo: {sent}\r\ncontent-length: {}\r\n\r\n{head}", head.len());
            // In two pieces, with the secret cut between them.
            let cut = answer.rfind("sk-012").map_or(1, |place| place + 4);
            stream.write_all(&answer.as_bytes()[..cut]).await.ok();
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.write_all(&answer.as_bytes()[cut..]).await.ok();
        }
    })
    .await;
    (port, seen)
}

const VALUE: &str = "sk-0123456789abcdef";

#[tokio::test]
async fn a_secret_reaches_its_host_and_the_guest_reads_it_nowhere() {
    let (port, seen) = echo().await;
    let (other_port, other_seen) = echo().await;
    let (host, other) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{other_port}"));
    let secrets = serde_json::json!([{"name": "key", "host": host}]);
    let mut call = call_with_secrets(&[&host, &other], &secrets, &[("key", VALUE)]);
    let mut request = get(&format!("http://{host}/"));
    for (name, value) in [("authorization", "Bearer mine"), ("range", "bytes=0-3"), ("accept-encoding", "gzip")] {
        request.headers_mut().append(name, http::HeaderValue::from_static(value));
    }
    let sent = call.hooks.send_request(request, None, Box::new(async { Ok(()) }));
    let (response, io) = Box::into_pin(sent).await.expect("an answer");
    let _io = wasmtime_wasi::runtime::spawn(Box::into_pin(io));
    assert_eq!(response.headers()["x-echo"], format!("Bearer {}", "*".repeat(VALUE.len())));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(body.contains(&format!("authorization: Bearer {}\r\n", "*".repeat(VALUE.len()))), "{body}");
    assert!(!body.contains("sk-") && !body.contains("mine"), "{body}");
    let arrived = seen.lock().expect("no panic").clone();
    assert!(arrived.contains(&format!("authorization: Bearer {VALUE}\r\n")), "{arrived}");
    assert!(
        !arrived.contains("mine") && !arrived.contains("range:") && arrived.contains("accept-encoding: identity"),
        "{arrived}"
    );

    // To another granted host it does not go, and what the guest sets there is the guest's own.
    let mut request = get(&format!("http://{other}/"));
    request.headers_mut().insert("authorization", http::HeaderValue::from_static("Bearer mine"));
    fetch(&mut call, request, RequestOptions::default()).await.expect("an answer");
    let arrived = other_seen.lock().expect("no panic").clone();
    assert!(arrived.contains("authorization: Bearer mine") && !arrived.contains(VALUE), "{arrived}");
    let used: Vec<_> = call.records().into_iter().map(|record| (record.port, record.secrets, record.error)).collect();
    assert_eq!(used, [(port, vec!["key".to_owned()], None), (other_port, Vec::new(), None)]);
}

#[tokio::test]
async fn a_secret_that_is_not_set_or_would_travel_in_plain_text_ends_the_request() {
    let (port, seen) = echo().await;
    let host = format!("127.0.0.1:{port}");
    let secrets = serde_json::json!([{"name": "key", "host": host}]);
    let mut call = call_with_secrets(&[&host], &secrets, &[("other", VALUE)]);
    let refused = read(&mut call, &format!("http://{host}/")).await;
    assert!(
        matches!(&refused, Err(Error::InternalError(Some(text))) if text.contains("the secret key")),
        "{refused:?}"
    );
    assert_eq!((call.records()[0].error, call.records()[0].secrets.len()), (Some("secret_not_set"), 0));

    let secrets = serde_json::json!([{"name": "key", "host": "granted.test:80"}]);
    let mut call = call_with_secrets(&["granted.test:80"], &secrets, &[("key", VALUE)]);
    let refused = read(&mut call, "http://granted.test/").await;
    assert!(matches!(&refused, Err(Error::InternalError(Some(text))) if text.contains("https://")), "{refused:?}");
    assert_eq!(call.records()[0].error, Some("secret_without_tls"));
    assert!(seen.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn an_answer_in_which_a_secret_could_hide_is_refused() {
    let port = server(async |mut stream: TcpStream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx").await.ok();
    })
    .await;
    let host = format!("127.0.0.1:{port}");
    let secrets = serde_json::json!([{"name": "key", "host": host, "header": "x-api-key"}]);
    let mut call = call_with_secrets(&[&host], &secrets, &[("key", VALUE)]);
    let refused = read(&mut call, &format!("http://{host}/")).await;
    assert!(matches!(&refused, Err(Error::InternalError(Some(text))) if text.contains("compressed")), "{refused:?}");
    let record = &call.records()[0];
    assert_eq!((record.status, record.error, record.secrets.len()), (Some(200), Some("encoded_answer"), 1));
}

/// Answers `/known`, sends `/sent`, and knows nothing else.
#[derive(Debug, Default)]
struct Recorded(std::sync::Mutex<Vec<TrialResponse>>);

impl HttpTrial for Recorded {
    fn answer(&self, request: &TrialRequest) -> TrialAnswer {
        if request.url.ends_with("/sent") {
            return TrialAnswer::Send;
        }
        if !request.url.ends_with("/known") {
            return TrialAnswer::Unreachable;
        }
        let body = Bytes::from(format!("{} {}", request.method, request.url));
        TrialAnswer::Respond(TrialResponse { status: 203, headers: vec![("x-a".to_owned(), "b".to_owned())], body })
    }

    fn answered(&self, _request: &TrialRequest, response: &TrialResponse) {
        self.0.lock().expect("a lock").push(response.clone());
    }
}

#[tokio::test]
async fn a_component_that_is_tried_sends_what_its_record_asks_for_and_nothing_else() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let port = server(move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        hello(stream)
    })
    .await;
    let host = format!("127.0.0.1:{port}");
    let recorded = Arc::new(Recorded::default());
    let egress = Egress::new(std::slice::from_ref(&host)).expect("a host");
    let mut call = call_trying(&[&host], egress, Some(Arc::clone(&recorded) as _));
    let known = read(&mut call, &format!("http://{host}/known")).await.expect("an answer");
    assert_eq!(known, format!("GET http://{host}/known"));
    assert!(matches!(read(&mut call, &format!("http://{host}/other")).await, Err(Error::DestinationUnavailable)));
    assert!(matches!(read(&mut call, "http://other.test/known").await, Err(Error::HttpRequestDenied)));
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing was sent");
    let sent = read(&mut call, &format!("http://{host}/sent")).await.expect("an answer");
    assert!(String::from_utf8_lossy(&sent).starts_with("GET /sent HTTP/1.1"), "{sent:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let all = recorded.0.lock().expect("a lock").clone();
    assert_eq!((all.len(), all[0].status, &all[0].body), (1, 200, &sent));
    let records: Vec<_> = call.records().into_iter().map(|record| (record.status, record.error)).collect();
    assert_eq!(records, [(Some(203), None), (None, Some("not_recorded")), (None, Some("denied")), (Some(200), None)]);
}
