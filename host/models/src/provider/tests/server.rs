//! A provider for tests, on real sockets, that controls every byte and pause.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// What to do with one request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Send these bytes and close.
    Raw(String),
    /// Wait before anything is sent.
    Late(Duration, Box<Reply>),
    /// Send the first bytes, then the second over and over.
    Endless(String, String),
    /// Send these bytes, leave the connection open, and say no more.
    Stall(String),
}

/// A listening provider that plays its replies in order, and the last one again and again.
pub(super) struct Server {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut at = 0;
            while let Ok((mut socket, _)) = listener.accept().await {
                let reply = replies.get(at).or(replies.last()).expect("a reply").clone();
                at += 1;
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    seen.lock().await.push(read_request(&mut socket).await);
                    play(reply, &mut socket).await;
                });
            }
        });
        Self { url, requests }
    }

    /// The requests so far: head and body.
    pub(super) async fn requests(&self) -> Vec<String> {
        self.requests.lock().await.clone()
    }

    /// The first request's body.
    pub(super) async fn body(&self) -> serde_json::Value {
        let requests = self.requests().await;
        let body = requests.first().and_then(|request| request.split_once("\r\n\r\n")).map(|(_, body)| body);
        serde_json::from_str(body.expect("a request with a body")).expect("JSON")
    }
}

/// An answer of server-sent events, one chunk each.
pub(super) fn events(pieces: &[&str]) -> Reply {
    Reply::Raw(format!("{}0\r\n\r\n", begun(pieces)))
}

/// The same, not ended.
pub(super) fn begun(pieces: &[&str]) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = pieces.iter().map(|piece| chunk(&format!("data: {piece}\n\n")));
    format!("{head}{}", chunks.collect::<String>())
}

pub(super) fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

pub(super) fn status(line: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Raw(format!(
        "HTTP/1.1 {line}\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    ))
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

async fn play(reply: Reply, socket: &mut TcpStream) {
    let reply = match reply {
        Reply::Late(wait, reply) => {
            tokio::time::sleep(wait).await;
            *reply
        }
        reply => reply,
    };
    match reply {
        Reply::Raw(text) => drop(socket.write_all(text.as_bytes()).await),
        Reply::Endless(first, then) => {
            let mut sent = socket.write_all(first.as_bytes()).await;
            while sent.is_ok() {
                sent = socket.write_all(then.as_bytes()).await;
            }
        }
        Reply::Stall(text) => {
            drop(socket.write_all(text.as_bytes()).await);
            std::future::pending::<()>().await;
        }
        Reply::Late(..) => unreachable!("waits are not nested"),
    }
}
