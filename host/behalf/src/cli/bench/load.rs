//! Load over HTTP from several connections at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::peer::Peer;
use super::summary::Summary;
use super::test_bed::{Caller, NEW_TITLE, OWNERS, ROWS, TestBed};

/// Rows of one owner.
const ROWS_EACH: u32 = ROWS / OWNERS;

/// Connections, and how long they send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) connections: u16,
    pub(super) time: Duration,
}

impl Load {
    /// Lookups of single rows by key through the host.
    pub(super) async fn lookups(self, bed: &TestBed) -> anyhow::Result<Summary> {
        let requests = of_rows(bed, |caller, id| {
            let statement = "select id, title from items where id = $1";
            let body = format!(r#"{{"arguments":{{"query":"{statement}","params":[{id}]}}}}"#);
            call(bed, caller, "database_query", &body)
        });
        self.run(bed.address, requests, b"\"title\"").await
    }

    /// Changes of single rows by key through the host.
    pub(super) async fn writes(self, bed: &TestBed) -> anyhow::Result<Summary> {
        let requests = of_rows(bed, |caller, id| {
            let change = format!(r#""data":{{"title":"{NEW_TITLE}"}},"where":{{"id":{id}}}"#);
            let body = format!(r#"{{"arguments":{{"table":"items","operation":"update",{change}}}}}"#);
            call(bed, caller, "database_write", &body)
        });
        self.run(bed.address, requests, b"\"rows_affected\":1").await
    }

    /// Calls of a tool that does nothing through the host.
    pub(super) async fn empty(self, bed: &TestBed) -> anyhow::Result<Summary> {
        self.run(bed.address, empty(bed), b"\"result\"").await
    }

    /// The same requests to a server without the host's layers.
    pub(super) async fn echo(self, bed: &TestBed, echo: SocketAddr) -> anyhow::Result<Summary> {
        self.run(echo, empty(bed), b"\"result\"").await
    }

    /// Whether the host is alive, which needs no caller and no database.
    pub(super) async fn healthz(self, bed: &TestBed) -> anyhow::Result<Summary> {
        self.run(bed.address, vec![get("/healthz")], b"\"healthy\"").await
    }

    /// Lookups of the same rows by a peer, which knows no caller.
    pub(super) async fn peer(self, bed: &TestBed, peer: &Peer) -> anyhow::Result<Summary> {
        let requests = of_rows(bed, |_, id| peer.request(id));
        self.run(peer.address, requests, Peer::EXPECTED).await
    }

    /// Sends requests over kept connections from a thread of its own, with as little work per request as pgbench has:
    /// the client shares the processors with what it measures.
    pub(super) async fn run(
        self,
        address: SocketAddr,
        requests: Vec<Vec<u8>>,
        expected: &'static [u8],
    ) -> anyhow::Result<Summary> {
        let load = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let requests = Arc::new(requests);
                let started = Instant::now();
                let clients = (0..self.connections).map(|number| {
                    let requests = Arc::clone(&requests);
                    client(address, requests, usize::from(number) * 131, started + self.time, expected)
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
}

/// Rows that one owner has, as their ids.
pub(super) fn rows_of(caller: &Caller) -> impl Iterator<Item = u32> {
    let first = caller.first_row;
    (0..ROWS_EACH).map(move |row| row * OWNERS + first)
}

/// A request for each row of the callers. Neighbours have different callers, so each connection serves them in turn.
fn of_rows(bed: &TestBed, request: impl Fn(&Caller, u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    for row in 0..ROWS_EACH {
        requests.extend(bed.callers.iter().map(|caller| request(caller, row * OWNERS + caller.first_row)));
    }
    requests
}

/// A call of the empty tool by each caller.
fn empty(bed: &TestBed) -> Vec<Vec<u8>> {
    bed.callers.iter().map(|caller| call(bed, caller, "empty", r#"{"arguments":{}}"#)).collect()
}

fn call(bed: &TestBed, caller: &Caller, tool: &str, body: &str) -> Vec<u8> {
    tool_call(&bed.anon_key, &caller.token, tool, body)
}

/// The request of a call.
pub(super) fn tool_call(anon_key: &str, token: &str, tool: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /api/tools/{tool}/call HTTP/1.1\r\nHost: localhost\r\napikey: {anon_key}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request without a caller.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

async fn client(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    first: usize,
    end: Instant,
    expected: &'static [u8],
) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(address).await?;
    let mut times = Vec::new();
    for request in requests.iter().cycle().skip(first % requests.len().max(1)) {
        let started = Instant::now();
        if started >= end {
            break;
        }
        let answer = connection.send(request).await?;
        times.push(started.elapsed());
        let good = is_success(answer) && answer.windows(expected.len()).any(|part| part == expected);
        ensure!(good, "an unexpected answer: {}", String::from_utf8_lossy(answer));
    }
    Ok(times)
}

/// A connection that is kept, for one request at a time.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8192) })
    }

    /// Whether both ends are this one. Linux connects a socket to its own port where nobody listens yet and the port is
    /// one that it gives to clients.
    pub(super) fn is_to_itself(&self) -> bool {
        matches!((self.stream.local_addr(), self.stream.peer_addr()), (Ok(own), Ok(other)) if own == other)
    }

    /// Sends a request, and returns its whole answer.
    pub(super) async fn send(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        while !is_whole(&self.buffer)? {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
        }
        Ok(&self.buffer)
    }
}

/// Whether an answer has one of the statuses of success.
pub(super) fn is_success(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 2")
}

/// Whether head and body of an answer are there.
fn is_whole(buffer: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = buffer.windows(4).position(|part| part == b"\r\n\r\n") else { return Ok(false) };
    let (head, body) = buffer.split_at(end + 4);
    // It has neither a body nor a length.
    if head.starts_with(b"HTTP/1.1 204") {
        return Ok(true);
    }
    if let Some(length) = field(head, b"content-length:") {
        let length: usize = std::str::from_utf8(length)?.trim().parse()?;
        return Ok(body.len() >= length);
    }
    ensure!(field(head, b"transfer-encoding:").is_some(), "an answer without a length");
    // The last chunk is empty, and JSON holds no line breaks of this kind.
    Ok(body.ends_with(b"0\r\n\r\n"))
}

/// The value of a header field; `name` ends with the colon.
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        for whole in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length:0\r\nx: y\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ] {
            for end in 0..whole.len() {
                assert!(!is_whole(&whole[..end]).expect("an answer"), "{end}");
            }
            assert!(is_whole(whole).expect("an answer"));
        }
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "it could go on for ever");
    }
}
