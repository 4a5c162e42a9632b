//! Connections: clients that take too long lose theirs, and clients that are merely slow do not.

use std::time::Duration;

use behalf_tests::{ALICE, App, Options, User, eventually};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How long the host may take to end a connection that it ends after a second.
const HANGS: Duration = Duration::from_secs(30);

async fn app() -> App {
    let settings = [("client_stall_seconds", "1"), ("client_idle_seconds", "2")];
    App::with(Options { settings: settings.map(|(name, value)| (name, value.to_owned())).to_vec() }).await
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// What the host sends until it closes the connection, which it has to do.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(HANGS, stream.read_to_end(&mut bytes)).await;
    // A connection that was reset is closed as well.
    let _ = read.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The beginning of a tool call with a body of this length.
fn head(length: usize) -> String {
    let (key, token) = (behalf_tests::app::anon_key(), behalf_tests::app::token(ALICE));
    format!(
        "POST /api/tools/echo/call HTTP/1.1\r\nhost: h\r\napikey: {key}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// The arguments of a call of `echo` in so many bytes.
fn body(length: usize) -> String {
    let empty = json!({"arguments": {"text": ""}}).to_string();
    json!({"arguments": {"text": "x".repeat(length - empty.len())}}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_whole_header_is_closed() {
    let app = app().await;
    for begun in ["", "G", "GET /healthz HTTP/1.1\r\nhost: h\r\nx-half: ", "PRI * HTTP/2.0\r\n\r\nSM\r\n"] {
        let mut stream = connect(&app).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(until_closed(&mut stream).await, "", "{begun:?}");
    }
    // A byte now and then does not make it longer.
    let mut stream = connect(&app).await;
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        writer.write_all(b"GET /healthz HTTP/1.1\r\nx-long: ").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let closed = async {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes).await;
    };
    tokio::time::timeout(HANGS, async {
        tokio::select! { () = trickle => {} () = closed => {} }
    })
    .await
    .expect("the connection stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_is_refused_and_its_connection_closed() {
    let app = app().await;
    let mut stream = connect(&app).await;
    let whole = body(400);
    stream.write_all(format!("{}{}", head(400), &whole[..200]).as_bytes()).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("did not arrive in time"), "{answer}");
    assert!(answer.contains("x-request-id: ") && answer.contains("urn:behalf:problem:deadline"), "{answer}");
    // The same for an upload, which is read piece by piece, and for a body that nobody waits for.
    let (key, service) = (behalf_tests::app::anon_key(), behalf_tests::app::service_key());
    let upload = format!(
        "POST /api/plugins HTTP/1.1\r\nhost: h\r\napikey: {key}\r\nauthorization: Bearer {service}\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: 5000\r\n\r\n--b\r\ncontent-disposition: \
         form-data; name=\"component\"\r\n\r\nhalf"
    );
    let unknown = "POST /api/nothing HTTP/1.1\r\nhost: h\r\ncontent-length: 5000\r\n\r\nhalf".to_owned();
    for (begun, status) in [(upload, "408"), (unknown, "404")] {
        let mut stream = connect(&app).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_arrives_and_a_trickling_one_does_not() {
    let app = app().await;
    // Far longer than the bound in all, and with progress within each.
    let mut stream = connect(&app).await;
    let whole = body(30_000);
    stream.write_all(head(whole.len()).as_bytes()).await.unwrap();
    for piece in whole.as_bytes().chunks(2_500) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // A byte ten times a second would take an hour.
    let mut stream = connect(&app).await;
    stream.write_all(head(30_000).as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    let answered = async {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let answer = async {
        tokio::select! { () = trickle => String::new(), answer = answered => answer }
    };
    let answer = tokio::time::timeout(HANGS, answer).await.expect("the connection stays open");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_and_one_with_a_stream_of_events_is_not() {
    let app = app().await;
    let mut stream = connect(&app).await;
    for _ in 0..2 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let answers = until_closed(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
    // A run whose events nobody sends for a while.
    let agent = app.agent(&[]).await;
    let run = app.ask(&User::Is(ALICE), &agent, "hi").await;
    app.database.execute("update ai.agent_runs set status = 'running', lease_until = now() + interval '1 hour'").await;
    let path = format!("/api/agents/runs/{}/events", run.json["run_id"].as_str().unwrap());
    let mut events =
        app.request(&User::Is(ALICE), Method::GET, &path).header("last-event-id", "1000000").send().await.unwrap();
    assert_eq!(events.status(), 200);
    let next = tokio::time::timeout(Duration::from_secs(5), events.chunk()).await;
    assert!(!matches!(next, Ok(Ok(None) | Err(_))), "the stream ended: {next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_hears_why() {
    let app = app().await;
    // Both write everything before they read: an answer that arrives with a broken connection is lost on them.
    for (length, authorized, status) in [(5_000_000, true, "413"), (3_000_000, false, "401")] {
        let mut stream = connect(&app).await;
        let head = head(length);
        let head = if authorized { head } else { head.replace("authorization", "x-not").replace("apikey", "x-no") };
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body(length).as_bytes()).await.expect("the host stopped reading");
        let mut first = [0; 13];
        tokio::time::timeout(HANGS, stream.read_exact(&mut first))
            .await
            .expect("no answer")
            .expect("a broken connection");
        assert_eq!(String::from_utf8_lossy(&first), format!("HTTP/1.1 {status} "));
    }
    // One that never stops does not keep the host reading.
    let mut stream = connect(&app).await;
    stream.write_all(head(4_000_000_000).as_bytes()).await.unwrap();
    let piece = vec![b'x'; 1 << 20];
    let ends = async { while stream.write_all(&piece).await.is_ok() {} };
    tokio::time::timeout(HANGS, ends).await.expect("the host reads for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_loses_its_connection() {
    let app = app().await;
    let open = async || {
        let text = app.get(&User::Nobody, "/metrics").await.text;
        let line = text.lines().find(|line| line.starts_with("behalf_http_connections ")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    eventually("there is one connection", async || open().await == 1).await;
    let mut stream = connect(&app).await;
    // So many answers fill the buffers of both ends.
    let ask = async {
        for _ in 0..4_000 {
            if stream.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: h\r\n\r\n").await.is_err() {
                return;
            }
        }
    };
    let (_, ()) = futures::join!(tokio::time::timeout(Duration::from_secs(3), ask), async {
        eventually("the connection counts", async || open().await >= 2).await;
    });
    eventually("the connection stays open", async || open().await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_has_the_same_bounds() {
    let app = app().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().timeout(HANGS).build().unwrap();
    let get = |header: String| client.get(format!("{}/healthz", app.url)).header("x-long", header).send();
    assert_eq!(get("x".to_owned()).await.unwrap().status(), 200);
    let long = get("x".repeat(100_000)).await;
    assert!(long.is_err() || long.is_ok_and(|answer| answer.status() == 431), "a header of 100 kB was taken");
    // After a request, frames alone do not keep a connection open: preface, settings, a request for `/` on stream 1.
    let mut stream = connect(&app).await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // HEADERS with END_STREAM and END_HEADERS: `:method GET`, `:scheme http`, `:path /` of HPACK's static table.
    bytes.extend([0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84]);
    stream.write_all(&bytes).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let ping = async {
        while writer.write_all(&[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        std::future::pending::<()>().await;
    };
    let closed = async {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes).await;
        bytes
    };
    let bytes = async {
        tokio::select! { () = ping => Vec::new(), bytes = closed => bytes }
    };
    let bytes = tokio::time::timeout(HANGS, bytes).await.expect("the connection stays open");
    // GOAWAY is a frame of type 7 on stream 0.
    assert!(bytes.windows(6).any(|frame| frame == [7, 0, 0, 0, 0, 0]), "no GOAWAY: {bytes:?}");
    assert!(bytes.windows(5).any(|frame| frame == [1, 4, 0, 0, 0]), "no answer: {bytes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_client_that_takes_no_answer_loses_its_connection() {
    let app = app().await;
    let mut stream = connect(&app).await;
    // Preface; settings with an initial window (4) of 0; `GET /openapi.json` on stream 1: three fields of HPACK's static table,
    // and a path written out.
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    let path = b"/openapi.json";
    let mut header = vec![0x82, 0x86, 0x41, 1, b'h', 0x04, u8::try_from(path.len()).unwrap()];
    header.extend(path);
    bytes.extend([0, 0, u8::try_from(header.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend(header);
    stream.write_all(&bytes).await.unwrap();
    let sent = until_closed(&mut stream).await;
    assert!(sent.len() < 10_000, "the answer was sent into a window of nothing");
    // The host serves others, and the same client again.
    assert_eq!(app.get(&User::Nobody, "/openapi.json").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_reaches_a_client_that_reads_slowly() {
    let app = app().await;
    // A small window, so that most of the answer waits at the host.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(app.url.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap();
    stream.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut answer, mut piece) = (Vec::new(), vec![0_u8; 8 * 1024]);
    // Longer altogether than a connection may be idle.
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let read = stream.read(&mut piece).await.unwrap();
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..read]);
    }
    let text = String::from_utf8(answer).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["paths"].is_object());
}
