//! Sends messages without a socket. What is private is stored as the caller, so policies decide and every host publishes it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use behalf_identity::{CallerKey, Principal};
use behalf_problem::Kind;
use behalf_telemetry::metric;
use behalf_web::{ApiError, Caller, ClientAddress, Path, Query, Routes, header, routes as group};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::error::{RealtimeError, RealtimeProblem};
use crate::event::{Broadcast, Payload};
use crate::messages::store;
use crate::protocol::MAX_NAME;
use crate::protocol::decode::json as fit_json;
use crate::rights::RightsError;
use crate::room::{Room, WIRE_PREFIX};
use crate::state::Realtime;

/// What upstream says of a field that is not there, of another type, or too large.
const BLANK: &str = "can't be blank";
const INVALID: &str = "is invalid";
const TOO_LARGE: &str = "Payload size exceeds tenant limit";
const TOO_LONG: &str = "is too long: on the wire a name has at most 255 bytes";

/// The routes.
pub(super) fn routes() -> Routes<Realtime> {
    Routes::new().routes(group!(broadcast_many)).routes(group!(broadcast_one))
}

/// Several messages.
#[derive(Debug, ToSchema)]
#[schema(as = RealtimeMessages)]
#[expect(dead_code, reason = "describes the body, which is read piece by piece to say what is wrong with which")]
struct Messages {
    /// They are sent in this order.
    messages: Vec<Message>,
}

/// One of them.
#[derive(Debug, ToSchema)]
#[schema(as = RealtimeMessage)]
#[expect(dead_code, reason = "describes the body")]
struct Message {
    /// The topic, without `realtime:`.
    topic: String,
    /// The app's name for it.
    event: String,
    /// Its content: an object.
    payload: Value,
    /// Whether it is for the private channel, which policies guard.
    private: Option<bool>,
}

/// Sends messages to all channels of their topics. A private one that the caller may not send is left out, without a word.
#[utoipa::path(
    post, path = "/realtime/v1/api/broadcast", tag = "Channels", operation_id = "realtime_broadcast",
    request_body = Messages,
    responses((status = 202, description = "They are on their way"),
        (status = "default", description = "Why not", body = RealtimeProblem))
)]
async fn broadcast_many(
    State(realtime): State<Realtime>,
    caller: Result<Caller, ApiError>,
    ClientAddress(client): ClientAddress,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, RealtimeError> {
    let Caller(principal) = caller?;
    let messages = read_all(&realtime, &taken(body)?)?;
    count(&realtime, &principal, CallerKey::new(&principal, client), messages.len())?;
    for message in messages {
        match send(&realtime, &principal, CallerKey::new(&principal, client), message).await {
            Ok(()) => {}
            Err(Unsent::Stored(RightsError::Denied | RightsError::Policy(_))) => metric::realtime_refused("broadcast"),
            Err(unsent) => return Err(unsent.into()),
        }
    }
    Ok(StatusCode::ACCEPTED)
}

/// What the address may say. Clients repeat their key there, which counts in the headers, and may ask to have a message stored, which
/// private ones are.
#[derive(Debug, Deserialize)]
struct Asked {
    private: Option<String>,
    #[serde(rename = "apikey")]
    _apikey: Option<String>,
    #[serde(rename = "vsn")]
    _vsn: Option<String>,
    #[serde(rename = "persist")]
    _persist: Option<String>,
    #[serde(rename = "persist[ttl]")]
    _ttl: Option<String>,
}

/// Sends one message, whose content is the body: JSON, or bytes.
#[utoipa::path(
    post, path = "/realtime/v1/api/broadcast/{topic}/events/{event}", tag = "Channels", operation_id = "realtime_broadcast_one",
    params(("topic" = String, Path, description = "The topic, without `realtime:`"), ("event" = String, Path, description = "The app's name for the message"),
        ("private" = Option<bool>, Query, description = "Whether it is for the private channel, which policies guard"),
        ("apikey" = Option<String>, Query, description = "Changes nothing: the key in the headers counts"),
        ("vsn" = Option<String>, Query, description = "Changes nothing: sockets have versions"),
        ("persist" = Option<String>, Query, description = "Changes nothing: private messages are stored, public ones are not"),
        ("persist[ttl]" = Option<String>, Query, description = "Changes nothing: an operator says how long messages are stored")),
    request_body(content((Object = "application/json"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 202, description = "It is on its way"),
        (status = "default", description = "Why not", body = RealtimeProblem))
)]
async fn broadcast_one(
    State(realtime): State<Realtime>,
    caller: Result<Caller, ApiError>,
    ClientAddress(client): ClientAddress,
    path: Result<Path<(String, String)>, ApiError>,
    asked: Result<Query<Asked>, ApiError>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, RealtimeError> {
    let Caller(principal) = caller?;
    let (Path((topic, event)), Query(asked)) = (path?, asked?);
    let is_binary = is_binary(&headers)?;
    let body = taken(body)?;
    let is_private = asked.private.as_deref() == Some("true");
    let payload = match (is_binary, body.is_empty()) {
        (true, _) => Ok(Payload::Binary(body)),
        (false, true) => Ok(Payload::Json(Bytes::from_static(b"{}"))),
        (false, false) => fit_json(&body).map(Payload::Json).ok_or(INVALID),
    };
    let mut errors = Map::new();
    let payload = checked(&mut errors, "payload", payload.and_then(|payload| bounded(&realtime, payload)));
    let topic = checked(&mut errors, "topic", name(&topic, WIRE_PREFIX.len()));
    let event = checked(&mut errors, "event", name(&event, 0));
    let (Some(payload), Some(topic), Some(event)) = (payload, topic, event) else {
        return Err(RealtimeError::fields(&Value::Object(errors)));
    };
    let message = Broadcast { room: Room::new(&topic, is_private), event, payload, meta: None };
    let key = CallerKey::new(&principal, client);
    count(&realtime, &principal, key, 1)?;
    send(&realtime, &principal, key, message).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Why a message was not sent.
enum Unsent {
    /// It is public, and only private channels are served.
    PrivateOnly,
    /// Too much is sent to other hosts.
    Full(crate::bus::BusFull),
    /// It could not be stored.
    Stored(RightsError),
}

impl From<Unsent> for RealtimeError {
    fn from(unsent: Unsent) -> Self {
        metric::realtime_refused("broadcast");
        match unsent {
            Unsent::PrivateOnly => ApiError::forbidden("This project only allows private channels").into(),
            Unsent::Full(full) => full.into(),
            Unsent::Stored(error) => error.into(),
        }
    }
}

async fn send(realtime: &Realtime, principal: &Principal, key: CallerKey, message: Broadcast) -> Result<(), Unsent> {
    if message.room.is_private() {
        let _place = realtime.asking.acquire(key).await;
        return store(&realtime.caller_db, principal, &message).await.map_err(Unsent::Stored);
    }
    if !realtime.options.public_channels {
        return Err(Unsent::PrivateOnly);
    }
    realtime.rooms.publish(&message, None);
    realtime.bus.send(message).await.map_err(Unsent::Full)
}

/// Counts messages against what the caller may send in a second.
fn count(realtime: &Realtime, principal: &Principal, key: CallerKey, messages: usize) -> Result<(), RealtimeError> {
    let share = realtime.limits.share(key, principal);
    let count = u32::try_from(messages).unwrap_or(u32::MAX);
    if share.is_too_much(count) {
        return Err(RealtimeError::too_many("Too many messages to broadcast, please reduce the batch size"));
    }
    if !share.messages(count) {
        metric::realtime_refused("messages");
        return Err(RealtimeError::too_many("You have exceeded your rate limit"));
    }
    Ok(())
}

fn taken(body: Result<Bytes, BytesRejection>) -> Result<Bytes, RealtimeError> {
    body.map_err(|rejection| {
        let is_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let kind = if is_large { Kind::TooLarge } else { Kind::BadRequest };
        ApiError::new(kind, if is_large { "Request Entity Too Large".to_owned() } else { rejection.body_text() }).into()
    })
}

/// Whether the body is bytes. Without a type it is JSON, as upstream.
fn is_binary(headers: &HeaderMap) -> Result<bool, RealtimeError> {
    let Some(text) = header(headers, CONTENT_TYPE.as_str())? else { return Ok(false) };
    match text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Ok(false),
        "application/octet-stream" => Ok(true),
        _ => Err(RealtimeError::media_type()),
    }
}

/// Reads several messages. Errors are in the order of the messages.
fn read_all(realtime: &Realtime, body: &Bytes) -> Result<Vec<Broadcast>, RealtimeError> {
    #[derive(Deserialize)]
    struct Sent<'a> {
        #[serde(borrow, default)]
        messages: Option<&'a RawValue>,
    }
    let bad = || RealtimeError::new(StatusCode::BAD_REQUEST, "the body is no JSON object");
    let sent: Sent<'_> = serde_json::from_slice(body).map_err(|_| bad())?;
    let list = sent.messages.map(|messages| serde_json::from_str::<Vec<&RawValue>>(messages.get()));
    let list = match list {
        None => return Err(RealtimeError::fields(&json!({ "messages": [BLANK] }))),
        Some(Err(_)) => return Err(RealtimeError::fields(&json!({ "messages": [INVALID] }))),
        Some(Ok(list)) if list.is_empty() => return Err(RealtimeError::fields(&json!({ "messages": [BLANK] }))),
        Some(Ok(list)) => list,
    };
    let read: Vec<_> = list.iter().map(|message| read_one(realtime, body, message)).collect();
    if read.iter().any(Result::is_err) {
        let errors: Vec<_> = read.into_iter().map(|read| Value::Object(read.err().unwrap_or_default())).collect();
        return Err(RealtimeError::fields(&json!({ "messages": errors })));
    }
    Ok(read.into_iter().filter_map(Result::ok).collect())
}

/// Reads one message, or says what is wrong with its fields.
fn read_one(realtime: &Realtime, body: &Bytes, message: &RawValue) -> Result<Broadcast, Map<String, Value>> {
    #[derive(Deserialize, Default)]
    struct Sent<'a> {
        #[serde(borrow, default)]
        topic: Option<&'a RawValue>,
        #[serde(borrow, default)]
        event: Option<&'a RawValue>,
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
        #[serde(borrow, default)]
        private: Option<&'a RawValue>,
    }
    let sent: Sent<'_> = serde_json::from_str(message.get()).unwrap_or_default();
    let text = |raw: Option<&RawValue>, prefix: usize| {
        let text = serde_json::from_str::<String>(raw.ok_or(BLANK)?.get()).map_err(|_| INVALID)?;
        name(&text, prefix)
    };
    let payload = match sent.payload {
        None => Err(BLANK),
        Some(payload) if !payload.get().starts_with('{') => Err(INVALID),
        Some(payload) => match fit_json(&body.slice_ref(payload.get().as_bytes())) {
            Some(payload) => bounded(realtime, Payload::Json(payload)),
            None => Err(INVALID),
        },
    };
    let is_private = match sent.private.map(RawValue::get) {
        None | Some("false" | "null" | "\"false\"" | "\"0\"") => Ok(false),
        Some("true" | "\"true\"" | "\"1\"") => Ok(true),
        Some(_) => Err(INVALID),
    };
    let mut errors = Map::new();
    let topic = checked(&mut errors, "topic", text(sent.topic, WIRE_PREFIX.len()));
    let event = checked(&mut errors, "event", text(sent.event, 0));
    let payload = checked(&mut errors, "payload", payload);
    let is_private = checked(&mut errors, "private", is_private);
    match (topic, event, payload, is_private) {
        (Some(topic), Some(event), Some(payload), Some(is_private)) => {
            Ok(Broadcast { room: Room::new(&topic, is_private), event, payload, meta: None })
        }
        _ => Err(errors),
    }
}

/// Keeps what is wrong with a field.
fn checked<T>(errors: &mut Map<String, Value>, field: &str, value: Result<T, &'static str>) -> Option<T> {
    value.map_err(|error| drop(errors.insert(field.to_owned(), json!([error])))).ok()
}

/// A topic or an event, before which so many bytes stand on the wire.
fn name(text: &str, prefix: usize) -> Result<Arc<str>, &'static str> {
    match text {
        "" => Err(BLANK),
        text if text.trim().is_empty() => Err(BLANK),
        text if text.len() + prefix > MAX_NAME => Err(TOO_LONG),
        text if text.contains('\0') => Err(INVALID),
        text => Ok(text.into()),
    }
}

fn bounded(realtime: &Realtime, payload: Payload) -> Result<Payload, &'static str> {
    let (Payload::Json(bytes) | Payload::Binary(bytes)) = &payload;
    if bytes.len() > realtime.options.max_message_bytes { Err(TOO_LARGE) } else { Ok(payload) }
}
