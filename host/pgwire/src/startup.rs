//! Logs in, and cancels statements of a connection from outside.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::WireError;
use super::frame::{Frame, Frames};
use super::stream::Stream;
use super::target::Target;

/// Time to reach the server and log in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The key that cancels the current statement of one connection. The server sends it to that connection only.
#[derive(Clone, Debug)]
pub struct CancelKey {
    target: Target,
    process_id: i32,
    secret: i32,
}

impl CancelKey {
    /// The id of the server's process that serves the connection.
    pub fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Asks the server to stop the connection's current statement.
    pub async fn cancel(&self) -> Result<(), WireError> {
        let work = async {
            let mut stream = Stream::open(&self.target).await?;
            let mut request = BytesMut::new();
            frontend::cancel_request(self.process_id, self.secret, &mut request);
            stream.write_all(&request).await?;
            stream.flush().await?;
            // The server closes the connection once the signal was sent.
            let _ = stream.read(&mut [0_u8; 1]).await?;
            Ok(())
        };
        tokio::time::timeout(CONNECT_TIMEOUT, work).await.map_err(timed_out)?
    }
}

/// A connection that is logged in and ready.
pub(super) struct Ready {
    pub(super) stream: Stream,
    pub(super) frames: Frames,
    pub(super) cancel: CancelKey,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Statements.
    Statements,
    /// Reading the log of changes.
    Replication,
}

/// Connects and logs in. `options` are settings of the session (`-c name=value …`).
pub(super) async fn connect(target: &Target, options: &str, purpose: Purpose) -> Result<Ready, WireError> {
    tokio::time::timeout(CONNECT_TIMEOUT, log_in(target, options, purpose)).await.map_err(timed_out)?
}

async fn log_in(target: &Target, options: &str, purpose: Purpose) -> Result<Ready, WireError> {
    let mut stream = Stream::open(target).await?;
    let mut frames = Frames::new();
    let mut out = BytesMut::new();
    let parameters = [
        ("user", target.user.as_str()),
        ("database", target.database.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", "behalf"),
        ("options", options),
    ];
    let replication = (purpose == Purpose::Replication).then_some(("replication", "database"));
    frontend::startup_message(parameters.into_iter().chain(replication), &mut out)?;
    send(&mut stream, &mut out).await?;
    authenticate(&mut stream, &mut frames, &mut out, target).await?;
    let mut key = None;
    loop {
        match read(&mut stream, &mut frames).await? {
            Message::BackendKeyData(body) => key = Some((body.process_id(), body.secret_key())),
            Message::ReadyForQuery(_) => break,
            Message::ParameterStatus(_) | Message::NoticeResponse(_) => {}
            _ => return Err(WireError::Protocol("unexpected message after logging in")),
        }
    }
    let (process_id, secret) = key.ok_or(WireError::Protocol("no cancel key"))?;
    Ok(Ready { stream, frames, cancel: CancelKey { target: target.clone(), process_id, secret } })
}

async fn authenticate(
    stream: &mut Stream,
    frames: &mut Frames,
    out: &mut BytesMut,
    target: &Target,
) -> Result<(), WireError> {
    let password = target.password.as_bytes();
    let mut scram: Option<ScramSha256> = None;
    loop {
        match (read(stream, frames).await?, &mut scram) {
            (Message::AuthenticationOk, _) => return Ok(()),
            (Message::AuthenticationMd5Password(body), _) => {
                let hash = md5_hash(target.user.as_bytes(), password, body.salt());
                frontend::password_message(hash.as_bytes(), out)?;
            }
            (Message::AuthenticationSasl(body), _) => {
                if !body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))? {
                    return Err(WireError::Authentication("an unknown SASL mechanism"));
                }
                let exchange = ScramSha256::new(password, ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, exchange.message(), out)?;
                scram = Some(exchange);
            }
            (Message::AuthenticationSaslContinue(body), Some(exchange)) => {
                exchange.update(body.data())?;
                frontend::sasl_response(exchange.message(), out)?;
            }
            (Message::AuthenticationSaslFinal(body), Some(exchange)) => {
                exchange.finish(body.data())?;
                continue;
            }
            (Message::AuthenticationCleartextPassword, _) => {
                return Err(WireError::Authentication("the password in clear text"));
            }
            _ => return Err(WireError::Authentication("a method this host does not have")),
        }
        send(stream, out).await?;
    }
}

async fn send(stream: &mut Stream, out: &mut BytesMut) -> io::Result<()> {
    stream.write_all(out).await?;
    stream.flush().await?;
    out.clear();
    Ok(())
}

async fn read(stream: &mut Stream, frames: &mut Frames) -> Result<Message, WireError> {
    match frames.next(stream, 0).await? {
        Frame::Message(Message::ErrorResponse(body)) => Err(WireError::of_log_in(body.fields())),
        Frame::Message(message) => Ok(message),
        Frame::OversizeRow => Err(WireError::Protocol("a row before the log-in")),
    }
}

fn timed_out(_: tokio::time::error::Elapsed) -> WireError {
    WireError::Io(io::Error::from(io::ErrorKind::TimedOut))
}
