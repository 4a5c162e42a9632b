//! A way to the database that breaks at a commit, as networks and servers do.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// Where the way breaks at the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Break {
    /// The commit does not reach the server.
    Before = 1,
    /// The server makes the commit, and its answer is lost.
    After = 2,
    /// The same, and until [`BreakingWay::mend`] nobody reaches the server.
    AfterAndAll = 3,
}

/// How a driver of tools prepares `COMMIT`.
const COMMIT: &[u8] = b"\0COMMIT\0";

/// The host's own transactions send it as a simple query: a letter, four bytes of length, the text.
const SIMPLE_COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What the server says of a commit that it made.
const COMMITTED: &[u8] = b"COMMIT\0";

/// A port in front of a database server.
#[derive(Debug)]
pub struct BreakingWay {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    next: AtomicU8,
    /// What a transaction of the host's has to have said.
    word: Mutex<Option<&'static str>>,
    is_open: watch::Sender<bool>,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Tcp(String),
    Unix(String),
}

impl BreakingWay {
    /// A way to the server of this address.
    pub async fn to(address: &str) -> Self {
        let url: reqwest::Url = address.parse().unwrap();
        let port = url.port().unwrap_or(5432);
        let socket = url.query_pairs().find(|(name, value)| name == "host" && value.starts_with('/'));
        let server = match socket {
            Some((_, folder)) => Server::Unix(format!("{folder}/.s.PGSQL.{port}")),
            None => Server::Tcp(format!("{}:{port}", url.host_str().unwrap())),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (next, word, is_open) = (AtomicU8::new(0), Mutex::default(), watch::Sender::new(true));
        let state = Arc::new(State { next, word, is_open, server });
        tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { port, state }
    }

    /// The same login and database by this way.
    pub fn address(&self, address: &str) -> String {
        let mut url: reqwest::Url = address.parse().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.set_query(Some("sslmode=disable"));
        url.into()
    }

    /// Breaks at the next commit of a tool.
    pub fn break_at_commit(&self, place: Break) {
        self.state.next.store(place as u8, Ordering::SeqCst);
    }

    /// Breaks at the next commit of a transaction of the host's that has sent this word.
    pub fn break_at_commit_of(&self, word: &'static str, place: Break) {
        *self.state.word.lock().unwrap() = Some(word);
        self.break_at_commit(place);
    }

    /// Whether it has broken since it was told to.
    pub fn has_broken(&self) -> bool {
        self.state.next.load(Ordering::SeqCst) == 0
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.state.is_open.send_replace(true);
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut is_open = state.is_open.subscribe();
            if !*is_open.borrow() {
                return;
            }
            match &state.server {
                Server::Tcp(address) => {
                    Box::pin(carry(client, TcpStream::connect(address).await.unwrap(), &state, &mut is_open)).await;
                }
                Server::Unix(path) => {
                    Box::pin(carry(client, UnixStream::connect(path).await.unwrap(), &state, &mut is_open)).await;
                }
            }
        });
    }
}

/// Carries what the two say to each other, until one of them ends it or the way breaks.
async fn carry(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    state: &State,
    is_open: &mut watch::Receiver<bool>,
) {
    let (mut asked, mut answered) = ([0_u8; 16 * 1024], [0_u8; 16 * 1024]);
    let (mut prepared, mut said_before) = (None, Vec::new());
    loop {
        tokio::select! {
            () = closed(is_open) => return,
            read = client.read(&mut asked) => {
                let Some(said) = read.ok().filter(|bytes| *bytes > 0).map(|bytes| &asked[..bytes]) else { return };
                let of_host = said.ends_with(SIMPLE_COMMIT);
                said_before.extend_from_slice(said);
                let is_meant = match *state.word.lock().unwrap() {
                    None => is_commit(said, &mut prepared),
                    Some(word) => of_host && holds(&said_before, word.as_bytes()),
                };
                if of_host {
                    said_before.clear();
                }
                if is_meant {
                    match state.next.swap(0, Ordering::SeqCst) {
                        1 => return,
                        0 => {}
                        place => {
                            server.write_all(said).await.unwrap();
                            wait_for_commit(&mut server).await;
                            if place == Break::AfterAndAll as u8 {
                                state.is_open.send_replace(false);
                            }
                            return;
                        }
                    }
                }
                if server.write_all(said).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Some(said) = read.ok().filter(|bytes| *bytes > 0).map(|bytes| &answered[..bytes]) else { return };
                if client.write_all(said).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn closed(is_open: &mut watch::Receiver<bool>) {
    is_open.wait_for(|open| !open).await.ok();
}

async fn wait_for_commit(server: &mut (impl AsyncRead + Unpin)) {
    let mut answer = Vec::new();
    while !holds(&answer, COMMITTED) {
        assert!(server.read_buf(&mut answer).await.is_ok_and(|bytes| bytes > 0), "the server did not commit");
    }
}

/// Whether a tool commits here: it prepares the commit, or uses the statement that it prepared for it.
fn is_commit(said: &[u8], prepared: &mut Option<Vec<u8>>) -> bool {
    if let Some(at) = said.windows(COMMIT.len()).position(|window| window == COMMIT) {
        // The name stands before the text, after four bytes that are no letters.
        let name = said[..at].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        *prepared = Some([b"\0", &said[at - name..at], b"\0"].concat());
        return true;
    }
    prepared.as_ref().is_some_and(|name| name.len() > 2 && holds(said, name))
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
