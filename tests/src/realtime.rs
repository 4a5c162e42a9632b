//! A client of channels that says what it is told to, in both versions of the protocol. Its frames are made by another library than
//! the host's.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::App;
use crate::app::{User, anon_key, service_key, token};

/// How long a message may take that has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The version that a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vsn {
    /// 1.0.0
    One,
    /// 2.0.0
    Two,
}

impl Vsn {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::One, Self::Two];

    /// As in the address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1.0.0",
            Self::Two => "2.0.0",
        }
    }
}

/// A message of the host.
#[derive(Clone, Debug, PartialEq)]
pub struct FromHost {
    /// The join that it belongs to; only 2.0.0 says it.
    pub join_ref: Value,
    /// The message that it answers.
    pub reference: Value,
    /// The topic.
    pub topic: String,
    /// What it is.
    pub event: String,
    /// Its content. Of a binary broadcast: `{"event", "meta"}`.
    pub payload: Value,
    /// The bytes of a binary broadcast.
    pub bytes: Option<Vec<u8>>,
}

/// A client's socket.
#[derive(Debug)]
pub struct RealtimeSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    vsn: Vsn,
    next_ref: u64,
    /// What came while something else was waited for.
    before: VecDeque<FromHost>,
}

/// The token or key of a caller.
pub fn key_of(user: &User) -> String {
    match user {
        User::Is(user) => token(*user),
        User::Service => service_key(),
        User::Token(token) => token.clone(),
        _ => anon_key(),
    }
}

impl RealtimeSocket {
    /// Connects as this caller.
    pub async fn connect(app: &App, user: &User, vsn: Vsn) -> Self {
        Self::at(&app.url, user, vsn).await
    }

    /// Connects to the host at this address.
    pub async fn at(url: &str, user: &User, vsn: Vsn) -> Self {
        let query = format!("apikey={}&vsn={}", key_of(user), vsn.as_str());
        Self::open_at(url, &query, vsn).await.unwrap_or_else(|status| panic!("the socket was refused: {status}"))
    }

    /// Connects with this query; an error is the status of the answer.
    pub async fn open(app: &App, query: &str, vsn: Vsn) -> Result<Self, u16> {
        Self::open_at(&app.url, query, vsn).await
    }

    async fn open_at(url: &str, query: &str, vsn: Vsn) -> Result<Self, u16> {
        let url = format!("{}/realtime/v1/websocket?{query}", url.replace("http://", "ws://"));
        match tokio_tungstenite::connect_async(url).await {
            Ok((stream, _)) => Ok(Self { stream, vsn, next_ref: 0, before: VecDeque::new() }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no connection: {error}"),
        }
    }

    /// Sends a message of the topic, and returns its reference.
    pub async fn push(&mut self, join_ref: &Value, topic: &str, event: &str, payload: Value) -> Value {
        self.next_ref += 1;
        let reference = json!(self.next_ref.to_string());
        // A join's own reference is the name of the join.
        let join_ref = if event == "phx_join" { &reference } else { join_ref };
        let frame = match self.vsn {
            Vsn::One => {
                json!({"topic": topic, "event": event, "payload": payload, "ref": reference, "join_ref": join_ref})
            }
            Vsn::Two => json!([join_ref, reference, topic, event, payload]),
        };
        self.send_text(&frame.to_string()).await;
        reference
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    /// Sends any bytes.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.stream.send(Message::binary(bytes)).await.unwrap();
    }

    /// Sends, and does not mind that the host has closed.
    pub async fn try_send(&mut self, text: &str) -> bool {
        self.stream.send(Message::text(text)).await.is_ok()
    }

    /// Joins `realtime:` and this topic; the answer's payload.
    pub async fn join(&mut self, topic: &str, payload: Value) -> Value {
        let topic = format!("realtime:{topic}");
        let reference = self.push(&Value::Null, &topic, "phx_join", payload).await;
        self.reply_to(&reference).await.payload
    }

    /// Joins, which has to succeed; the reference of the join.
    pub async fn joined(&mut self, topic: &str, config: Value) -> Value {
        let answer = self.join(topic, json!({ "config": config })).await;
        assert_eq!(answer["status"], "ok", "{answer}");
        json!(self.next_ref.to_string())
    }

    /// Why a join is refused.
    pub async fn refused(&mut self, topic: &str, payload: Value) -> String {
        let answer = self.join(topic, payload).await;
        assert_eq!(answer["status"], "error", "{answer}");
        answer["response"]["reason"].as_str().unwrap_or_else(|| panic!("no reason in {answer}")).to_owned()
    }

    /// Sends a broadcast; its reference.
    pub async fn broadcast(&mut self, join_ref: &Value, topic: &str, event: &str, payload: Value) -> Value {
        let payload = json!({"type": "broadcast", "event": event, "payload": payload});
        self.push(join_ref, &format!("realtime:{topic}"), "broadcast", payload).await
    }

    /// Sends a broadcast as a binary frame of 2.0.0.
    pub async fn broadcast_bytes(
        &mut self,
        join_ref: &Value,
        topic: &str,
        event: &str,
        payload: (bool, &[u8]),
    ) -> Value {
        self.next_ref += 1;
        let (reference, topic) = (self.next_ref.to_string(), format!("realtime:{topic}"));
        let names = [join_ref.as_str().unwrap_or_default(), &reference, &topic, event, ""];
        let mut frame = vec![3];
        frame.extend(names.iter().map(|name| u8::try_from(name.len()).unwrap()));
        frame.push(u8::from(payload.0));
        names.iter().for_each(|name| frame.extend_from_slice(name.as_bytes()));
        frame.extend_from_slice(payload.1);
        self.send_bytes(frame).await;
        json!(reference)
    }

    /// Sends another token for a channel, to which nobody answers.
    pub async fn refresh(&mut self, join_ref: &Value, topic: &str, token: &str) {
        self.push(join_ref, &format!("realtime:{topic}"), "access_token", json!({ "access_token": token })).await;
    }

    /// The reply to a heartbeat: whatever was sent before is done.
    pub async fn heartbeat(&mut self) {
        let reference = self.push(&Value::Null, "phoenix", "heartbeat", json!({})).await;
        let reply = self.reply_to(&reference).await;
        assert_eq!((reply.topic.as_str(), &reply.payload["status"]), ("phoenix", &json!("ok")));
    }

    /// The reply to a message. What comes before is kept.
    pub async fn reply_to(&mut self, reference: &Value) -> FromHost {
        self.wait_for("a reply", |message| message.event == "phx_reply" && message.reference == *reference).await
    }

    /// The next message of this event. What comes before is kept.
    pub async fn event(&mut self, event: &str) -> FromHost {
        self.wait_for(event, |message| message.event == event).await
    }

    /// The next message.
    pub async fn next(&mut self) -> FromHost {
        match self.before.pop_front() {
            Some(message) => message,
            None => self.receive().await,
        }
    }

    /// The messages that came until now. Those of other sockets may still be on their way.
    pub async fn until_now(&mut self) -> Vec<FromHost> {
        self.heartbeat().await;
        self.before.drain(..).collect()
    }

    /// Reads nothing more, and keeps the socket open.
    pub fn stop_reading(self) -> impl Sized {
        self.stream
    }

    /// The code and the text with which the host closes the socket. Messages before that are kept.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("the socket does not close") {
                Some(Ok(Message::Close(Some(frame)))) => return (u16::from(frame.code), frame.reason.to_string()),
                Some(Ok(Message::Close(None))) | None => return (u16::from(CloseCode::Status), String::new()),
                Some(Ok(message)) => self.before.extend(read(self.vsn, message)),
                Some(Err(error)) => return (u16::from(CloseCode::Abnormal), error.to_string()),
            }
        }
    }

    /// What was kept.
    pub fn kept(&mut self) -> Vec<FromHost> {
        self.before.drain(..).collect()
    }

    async fn wait_for(&mut self, what: &str, is_it: impl Fn(&FromHost) -> bool) -> FromHost {
        if let Some(at) = self.before.iter().position(&is_it) {
            return self.before.remove(at).unwrap();
        }
        loop {
            let waited = tokio::time::timeout(PATIENCE, self.receive()).await;
            let message = waited.unwrap_or_else(|_| panic!("{what} does not come; there is {:?}", self.before));
            if is_it(&message) {
                return message;
            }
            self.before.push_back(message);
        }
    }

    async fn receive(&mut self) -> FromHost {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("nothing comes");
            let frame = frame.expect("the socket has ended").expect("a frame");
            if let Some(message) = read(self.vsn, frame) {
                return message;
            }
        }
    }
}

/// Reads a frame; none of those that are no messages.
fn read(vsn: Vsn, frame: Message) -> Option<FromHost> {
    match frame {
        Message::Text(text) => Some(read_text(vsn, &serde_json::from_str(&text).unwrap())),
        Message::Binary(bytes) => {
            assert_eq!(vsn, Vsn::Two, "a client of the first version breaks at a binary frame");
            Some(read_bytes(&bytes))
        }
        Message::Close(frame) => panic!("the host closed the socket: {frame:?}"),
        _ => None,
    }
}

fn read_text(vsn: Vsn, frame: &Value) -> FromHost {
    let [join_ref, reference, topic, event, payload] = match vsn {
        Vsn::One => ["join_ref", "ref", "topic", "event", "payload"].map(|name| frame[name].clone()),
        Vsn::Two => [0, 1, 2, 3, 4].map(|at| frame[at].clone()),
    };
    let text = |value: Value| value.as_str().unwrap_or_else(|| panic!("{frame}")).to_owned();
    FromHost { join_ref, reference, topic: text(topic), event: text(event), payload, bytes: None }
}

fn read_bytes(frame: &[u8]) -> FromHost {
    assert_eq!((frame[0], frame[4]), (4, 0), "a broadcast of bytes");
    let mut rest = &frame[5..];
    let names = [frame[1], frame[2], frame[3]].map(|length| {
        let (name, after) = rest.split_at(usize::from(length));
        rest = after;
        String::from_utf8(name.to_vec()).unwrap()
    });
    let [topic, event, meta] = names;
    let payload = json!({ "event": event, "meta": serde_json::from_str::<Value>(&meta).unwrap_or_default() });
    let (join_ref, reference) = (Value::Null, Value::Null);
    FromHost { join_ref, reference, topic, event: "broadcast".to_owned(), payload, bytes: Some(rest.to_vec()) }
}
