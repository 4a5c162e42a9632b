//! A server for tests, on a real socket, that answers what a function says.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// One request as the server got it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// What to send.
pub(crate) enum Reply {
    /// A whole answer.
    Whole(String),
    /// The first bytes, and then the second over and over.
    Endless(String, String),
}

/// A listening server.
pub(crate) struct Fake {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    /// `answer` gets the number of the request and the request.
    pub(crate) async fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Some(request) = read(&mut socket).await else { return };
                    let n = {
                        let mut seen = seen.lock().expect("nobody panicked");
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    play(answer(n, &request), &mut socket).await;
                });
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("nobody panicked").clone()
    }
}

/// An answer with this status and body.
pub(crate) fn status(line: &str, headers: &str, body: &str) -> Reply {
    Reply::Whole(format!(
        "HTTP/1.1 {line}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

async fn read(socket: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                return Some(Request { path, head: head.to_owned(), body: serde_json::from_str(body).ok()? });
            }
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn play(reply: Reply, socket: &mut TcpStream) {
    match reply {
        Reply::Whole(text) => drop(socket.write_all(text.as_bytes()).await),
        Reply::Endless(first, then) => {
            let mut sent = socket.write_all(first.as_bytes()).await;
            while sent.is_ok() {
                sent = socket.write_all(then.as_bytes()).await;
            }
        }
    }
}
