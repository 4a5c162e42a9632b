//! Reads what clients send. Whatever it is, the answer is a message or an error: nothing here panics, and nothing is allocated
//! beyond the size of the message.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Content, Incoming, Ref, Version, is_fit};
use crate::event::Payload;

/// Kinds of binary frames: a message, and a broadcast.
const PUSH: u8 = 0;
const USER_BROADCAST_PUSH: u8 = 3;

/// A frame that is no message of the protocol. The socket is closed then, as upstream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAMessage;

/// A message of protocol 1.0.0.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    join_ref: Option<&'a RawValue>,
}

/// A message of protocol 2.0.0: `join_ref`, `ref`, topic, event, payload. What follows is ignored.
struct Array<'a>([&'a RawValue; 5]);

impl<'de> Deserialize<'de> for Array<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Five;
        impl<'de> Visitor<'de> for Five {
            type Value = Array<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of five")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Array<'de>, A::Error> {
                let mut next = |n| -> Result<&'de RawValue, A::Error> {
                    seq.next_element()?.ok_or_else(|| serde::de::Error::invalid_length(n, &self))
                };
                let five = [next(0)?, next(1)?, next(2)?, next(3)?, next(4)?];
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Array(five))
            }
        }
        deserializer.deserialize_seq(Five)
    }
}

/// Reads a text frame.
pub(crate) fn text(frame: &Bytes, version: Version) -> Result<Incoming, NotAMessage> {
    let json = std::str::from_utf8(frame).map_err(|_| NotAMessage)?;
    match version {
        Version::One => {
            // Serde would read an object from an array as well.
            let is_object = json.trim_start().starts_with('{');
            let message: Object<'_> =
                is_object.then(|| serde_json::from_str(json).ok()).flatten().ok_or(NotAMessage)?;
            Ok(Incoming {
                join_ref: reference(message.join_ref)?,
                reference: reference(message.reference)?,
                topic: message.topic.into(),
                event: message.event.into(),
                content: content(frame, message.payload),
            })
        }
        Version::Two => {
            let Array([join_ref, own_ref, topic, event, payload]) =
                serde_json::from_str(json).map_err(|_| NotAMessage)?;
            let name = |raw: &RawValue| serde_json::from_str::<Box<str>>(raw.get()).map_err(|_| NotAMessage);
            Ok(Incoming {
                join_ref: reference(Some(join_ref))?,
                reference: reference(Some(own_ref))?,
                topic: name(topic)?,
                event: name(event)?,
                content: content(frame, Some(payload)),
            })
        }
    }
}

fn reference(raw: Option<&RawValue>) -> Result<Ref, NotAMessage> {
    raw.map_or(Ok(Ref::default()), |raw| Ref::of(raw).ok_or(NotAMessage))
}

fn content(frame: &Bytes, payload: Option<&RawValue>) -> Content {
    Content::Json(match payload {
        Some(payload) if payload.get() != "null" => frame.slice_ref(payload.get().as_bytes()),
        _ => Bytes::from_static(b"{}"),
    })
}

/// Reads a binary frame, which only protocol 2.0.0 has: the kind, a length for each name, the names, the payload.
pub(crate) fn binary(frame: &Bytes) -> Result<Incoming, NotAMessage> {
    match frame.first() {
        Some(&PUSH) => {
            let ([join_ref, reference, topic, event], _) = names::<4>(frame, 1)?;
            let (join_ref, reference) = (Ref::of_text(join_ref), Ref::of_text(reference));
            Ok(Incoming { join_ref, reference, topic: topic.into(), event: event.into(), content: Content::Other })
        }
        Some(&USER_BROADCAST_PUSH) => {
            let is_json = *frame.get(6).ok_or(NotAMessage)? != 0;
            let ([join_ref, reference, topic, event, _meta], payload) = names::<5>(frame, 2)?;
            let payload = frame.slice_ref(payload);
            let payload = if is_json { json(&payload).map(Payload::Json) } else { Some(Payload::Binary(payload)) };
            Ok(Incoming {
                join_ref: Ref::of_text(join_ref),
                reference: Ref::of_text(reference),
                topic: topic.into(),
                event: "broadcast".into(),
                content: Content::Broadcast { event: event.into(), payload },
            })
        }
        _ => Err(NotAMessage),
    }
}

/// The names of a binary frame and what follows them. The kind, the lengths and `other - 1` bytes come before.
fn names<const N: usize>(frame: &[u8], other: usize) -> Result<([&str; N], &[u8]), NotAMessage> {
    let lengths = frame.get(1..=N).ok_or(NotAMessage)?;
    let mut rest = frame.get(N + other..).ok_or(NotAMessage)?;
    let mut found = [""; N];
    for (name, length) in found.iter_mut().zip(lengths) {
        let (bytes, after) = rest.split_at_checked(usize::from(*length)).ok_or(NotAMessage)?;
        *name = std::str::from_utf8(bytes).map_err(|_| NotAMessage)?;
        rest = after;
    }
    Ok((found, rest))
}

/// The text of a JSON value that every client can read, without space around it.
pub(crate) fn json(text: &Bytes) -> Option<Bytes> {
    let value: &RawValue = serde_json::from_slice(text).ok()?;
    let value = text.slice_ref(value.get().as_bytes());
    is_fit(&value).then_some(value)
}

/// What the content of a `broadcast` in a text frame says: the app's event, and the payload where clients can read it.
pub(crate) fn broadcast(content: &Bytes) -> Option<(Box<str>, Option<Payload>)> {
    #[derive(Deserialize)]
    struct Sent<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
    }
    let sent: Sent<'_> = serde_json::from_slice(content).ok()?;
    let payload = match sent.payload {
        Some(payload) => content.slice_ref(payload.get().as_bytes()),
        None => Bytes::from_static(b"{}"),
    };
    Some((sent.event.into(), is_fit(&payload).then_some(Payload::Json(payload))))
}

/// What the content of a `presence` says: its event in lower case, and what is tracked.
pub(crate) fn presence(content: &Bytes) -> Option<(String, Option<Box<RawValue>>)> {
    #[derive(Deserialize)]
    struct Sent<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
        #[serde(default)]
        payload: Option<Box<RawValue>>,
    }
    let sent: Sent<'_> = serde_json::from_slice(content).ok()?;
    Some((sent.event.to_ascii_lowercase(), sent.payload))
}

/// The token of an `access_token`; `None` where there is none, or something else.
pub(crate) fn access_token(content: &Bytes) -> Option<String> {
    #[derive(Deserialize)]
    struct Sent {
        access_token: String,
    }
    serde_json::from_slice::<Sent>(content).ok().map(|sent| sent.access_token)
}
