//! Load over HTTP from several connections at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::summary::Summary;
use super::test_bed::{ROWS, TestBed};

/// Lookups of single rows by key through HTTP.
pub(super) async fn lookups(bed: &TestBed, connections: u16, time: Duration) -> anyhow::Result<Summary> {
    let requests = (0..ROWS / 100).map(|n| {
        let body = format!(
            r#"{{"arguments":{{"query":"select id, title from items where id = $1","params":[{}]}}}}"#,
            n * 100 + 7
        );
        request(bed, "database_query", &body)
    });
    run(bed.address, connections, time, requests.collect(), b"\"title\"").await
}

/// Calls of a tool that does nothing through HTTP.
pub(super) async fn empty(bed: &TestBed, connections: u16, time: Duration) -> anyhow::Result<Summary> {
    run(bed.address, connections, time, vec![request(bed, "empty", r#"{"arguments":{}}"#)], b"\"result\"").await
}

fn request(bed: &TestBed, tool: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /api/tools/{tool}/call HTTP/1.1\r\nHost: localhost\r\napikey: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        bed.anon_key,
        bed.token,
        body.len()
    )
    .into_bytes()
}

/// Sends requests over kept connections from a thread of its own, with as little work per request as pgbench has: the
/// client shares the processors with what it measures.
async fn run(
    address: SocketAddr,
    connections: u16,
    time: Duration,
    requests: Vec<Vec<u8>>,
    expected: &'static [u8],
) -> anyhow::Result<Summary> {
    let load = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let requests = std::sync::Arc::new(requests);
            let started = Instant::now();
            let clients = (0..connections).map(|first| {
                let requests = std::sync::Arc::clone(&requests);
                client(address, requests, usize::from(first) * 131, started + time, expected)
            });
            let mut times = Vec::new();
            for client in futures::future::join_all(clients).await {
                times.extend(client?);
            }
            Ok(Summary::of_times(times, started.elapsed()))
        })
    };
    tokio::task::spawn_blocking(load).await?
}

async fn client(
    address: SocketAddr,
    requests: std::sync::Arc<Vec<Vec<u8>>>,
    first: usize,
    end: Instant,
    expected: &'static [u8],
) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut buffer = Vec::with_capacity(8192);
    for request in requests.iter().cycle().skip(first % requests.len().max(1)) {
        let started = Instant::now();
        if started >= end {
            break;
        }
        stream.write_all(request).await?;
        buffer.clear();
        let length = loop {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the host closed the connection");
            if let Some(length) = answer_length(&buffer)? {
                break length;
            }
        };
        while buffer.len() < length {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the host closed the connection");
        }
        times.push(started.elapsed());
        let good = buffer.starts_with(b"HTTP/1.1 200") && buffer.windows(expected.len()).any(|part| part == expected);
        ensure!(good, "an unexpected answer: {}", String::from_utf8_lossy(&buffer));
    }
    Ok(times)
}

/// Bytes of head and body, once the head is there.
fn answer_length(buffer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = buffer.windows(4).position(|part| part == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(buffer.get(..head).unwrap_or_default())?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no content-length")?;
    Ok(Some(head + 4 + length.trim().parse::<usize>()?))
}
