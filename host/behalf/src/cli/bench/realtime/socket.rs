//! A client of channels with as little work and memory of its own as it can have: it shares the processors with what it measures.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take, while thousands of others join.
const PATIENCE: Duration = Duration::from_mins(1);

/// A frame's opcodes.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// What one read asks for.
const PIECE: usize = 4 * 1024;

/// A socket of protocol 2.0.0.
pub(in crate::cli::bench) struct Client {
    stream: TcpStream,
    /// What was read and is not taken yet, from `start` on.
    read: Vec<u8>,
    start: usize,
}

impl Client {
    /// Opens a socket at this path of a server.
    pub(in crate::cli::bench) async fn open(address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut read = Vec::with_capacity(PIECE);
        let end = loop {
            ensure!(stream.read_buf(&mut read).await? > 0, "the host closed the connection");
            if let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
        };
        ensure!(read.starts_with(b"HTTP/1.1 101"), "an unexpected answer: {}", String::from_utf8_lossy(&read));
        Ok(Self { stream, read, start: end })
    }

    /// Opens a socket of a host with this key.
    pub(in crate::cli::bench) async fn of_host(host: SocketAddr, key: &str) -> anyhow::Result<Self> {
        Self::open(host, &format!("/realtime/v1/websocket?apikey={key}&vsn=2.0.0")).await
    }

    /// Joins a topic, and waits for the answer.
    pub(in crate::cli::bench) async fn join(
        &mut self,
        topic: &str,
        config: &Value,
        token: Option<&str>,
    ) -> anyhow::Result<()> {
        let mut payload = json!({ "config": config });
        if let Some(token) = token {
            payload["access_token"] = json!(token);
        }
        self.send(&json!(["1", "1", format!("realtime:{topic}"), "phx_join", payload]).to_string()).await?;
        let answer = self.wait_for(b"\"phx_reply\"").await?;
        let is_ok = answer.windows(13).any(|part| part == b"\"status\":\"ok\"");
        ensure!(is_ok, "the join was refused: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// The next message that has this in it.
    pub(in crate::cli::bench) async fn wait_for(&mut self, part: &[u8]) -> anyhow::Result<Vec<u8>> {
        let find = async {
            loop {
                let frame = self.next().await?;
                if frame.windows(part.len()).any(|window| window == part) {
                    return Ok(frame.to_vec());
                }
            }
        };
        tokio::time::timeout(PATIENCE, find).await.context("no answer")?
    }

    /// Sends a text.
    pub(in crate::cli::bench) async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        self.stream.write_all(&frame(TEXT, text.as_bytes())).await?;
        Ok(())
    }

    /// The next message.
    pub(in crate::cli::bench) async fn next(&mut self) -> anyhow::Result<&[u8]> {
        loop {
            let Some((opcode, from, to)) = self.complete() else {
                self.read.drain(..self.start);
                self.start = 0;
                self.read.reserve(PIECE);
                ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the host closed the connection");
                continue;
            };
            self.start = to;
            match opcode {
                CLOSE => {
                    let reason = String::from_utf8_lossy(self.read.get(from + 2..to).unwrap_or_default()).into_owned();
                    bail!("the host closed the socket: {reason}");
                }
                PING => {}
                _ => return self.read.get(from..to).context("half a frame"),
            }
        }
    }

    /// The opcode of the next frame, and where its content is, if all of it was read.
    fn complete(&self) -> Option<(u8, usize, usize)> {
        let rest = self.read.get(self.start..)?;
        let (opcode, short) = (rest.first()? & 0x0f, rest.get(1)? & 0x7f);
        let (length, head) = match short {
            126 => (usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(rest.get(2..10)?.try_into().ok()?)).ok()?, 10),
            short => (usize::from(short), 2),
        };
        let from = self.start + head;
        (from + length <= self.read.len()).then_some((opcode, from, from + length))
    }
}

/// A frame of a client. Its mask is 0, which leaves the content as it is.
fn frame(opcode: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(content.len() + 14);
    frame.push(0x80 | opcode);
    match (u8::try_from(content.len()), u16::try_from(content.len())) {
        (Ok(short @ 0..=125), _) => frame.push(0x80 | short),
        (_, Ok(length)) => {
            frame.push(0x80 | 0x7e);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 0x7f);
            frame.extend_from_slice(&u64::try_from(content.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(content);
    frame
}
