//! Writes what is sent to clients.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{MAX_NAME, Ref, Version, text};
use crate::channel::{Encoded, Frame};
use crate::event::{Broadcast, Payload, PresenceDiff, PresenceMap, PresenceState};
use crate::room::Room;

/// The kind of a binary broadcast to clients.
const USER_BROADCAST: u8 = 4;

/// A message to one client.
pub(crate) struct Outgoing<'a> {
    /// The join that it belongs to; only protocol 2.0.0 says it.
    pub(crate) join_ref: &'a Ref,
    /// The message that it answers.
    pub(crate) reference: &'a Ref,
    /// The topic on the wire.
    pub(crate) topic: &'a str,
    /// What it is.
    pub(crate) event: &'a str,
}

impl Outgoing<'_> {
    /// The message with this payload, which is JSON.
    pub(crate) fn with(&self, version: Version, payload: &str) -> Frame {
        let topic = text(self.topic);
        let (reference, join_ref, event) = (self.reference.as_json(), self.join_ref.as_json(), self.event);
        Frame::Text(Bytes::from(match version {
            Version::One => {
                format!(r#"{{"event":"{event}","payload":{payload},"ref":{reference},"topic":{topic}}}"#)
            }
            Version::Two => format!(r#"[{join_ref},{reference},{topic},"{event}",{payload}]"#),
        }))
    }
}

/// The reply to a message. `response` is JSON.
pub(crate) fn reply(version: Version, to: &Outgoing<'_>, is_ok: bool, response: &str) -> Frame {
    let status = if is_ok { "ok" } else { "error" };
    let outgoing = Outgoing { event: "phx_reply", ..*to };
    outgoing.with(version, &format!(r#"{{"status":"{status}","response":{response}}}"#))
}

/// Why something was refused, as a response.
pub(crate) fn reason(reason: &str) -> String {
    format!(r#"{{"reason":{}}}"#, text(reason))
}

/// The payload of a `system` message. `channel` is the topic without `realtime:`.
pub(crate) fn system(extension: &str, is_ok: bool, message: &str, channel: &str) -> String {
    let status = if is_ok { "ok" } else { "error" };
    let (message, channel) = (text(message), text(channel));
    format!(r#"{{"message":{message},"status":"{status}","extension":"{extension}","channel":{channel}}}"#)
}

/// The payload of a `postgres_changes` message.
pub(crate) fn change(ids: &[i64], data: &str) -> String {
    let ids = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    format!(r#"{{"ids":[{ids}],"data":{data}}}"#)
}

/// A broadcast. A text says its payload's JSON as it is; bytes are for protocol 2.0.0 only.
pub(crate) fn broadcast(broadcast: &Broadcast, for_old: bool) -> Encoded {
    let topic = broadcast.room.on_wire();
    match &broadcast.payload {
        Payload::Json(payload) => {
            // What the host says of the message comes first, where `stored_id` looks for it.
            let mut content = BytesMut::with_capacity(payload.len() + broadcast.event.len() + 96);
            content.put_slice(b"{");
            if let Some(meta) = &broadcast.meta {
                content.put_slice(b"\"meta\":");
                content.put_slice(meta);
                content.put_slice(b",");
            }
            content.put_slice(b"\"type\":\"broadcast\",\"event\":");
            content.put_slice(text(&broadcast.event).as_bytes());
            content.put_slice(b",\"payload\":");
            content.put_slice(payload);
            content.put_slice(b"}");
            both(&topic, "broadcast", &content, for_old)
        }
        Payload::Binary(payload) => {
            let meta = broadcast.meta.as_deref().filter(|meta| meta.len() <= MAX_NAME).unwrap_or_default();
            let mut frame =
                BytesMut::with_capacity(5 + topic.len() + broadcast.event.len() + meta.len() + payload.len());
            frame.put_u8(USER_BROADCAST);
            for name in [topic.as_bytes(), broadcast.event.as_bytes(), meta] {
                frame.put_u8(length(name));
            }
            frame.put_u8(0);
            for name in [topic.as_bytes(), broadcast.event.as_bytes(), meta] {
                frame.put_slice(&name[..usize::from(length(name))]);
            }
            frame.put_slice(payload);
            Encoded { v1: None, v2: Frame::Binary(frame.freeze()) }
        }
    }
}

/// The length of a name in a binary frame. Topics and events are bounded where they come in; SQL of the app may name longer ones,
/// of which the beginning is told.
fn length(name: &[u8]) -> u8 {
    u8::try_from(name.len()).unwrap_or(u8::MAX)
}

/// The part of a broadcast that the host wrote: its `meta`, if it has one.
pub(crate) fn meta_of(encoded: &Encoded) -> Option<&[u8]> {
    match &encoded.v2 {
        Frame::Text(frame) => {
            const BEFORE: &[u8] = b"\",\"broadcast\",{";
            // A topic's quotes are escaped, so the first of these is the one after the topic.
            let at = frame.windows(BEFORE.len()).take(8 * MAX_NAME).position(|window| window == BEFORE)?;
            let rest = frame[at + BEFORE.len()..].strip_prefix(b"\"meta\":")?;
            Some(&rest[..rest.iter().position(|byte| *byte == b'}')?])
        }
        Frame::Binary(frame) => {
            let [_, topic, event, meta, _] = frame.first_chunk::<5>()?;
            let start = 5 + usize::from(*topic) + usize::from(*event);
            frame.get(start..start + usize::from(*meta)).filter(|meta| !meta.is_empty())
        }
    }
}

/// Who is in a room, as the payload of `presence_state`.
pub(crate) fn presence_state(state: &PresenceState) -> String {
    presences(&state.0)
}

/// Who came and who went.
pub(crate) fn presence_diff(room: &Room, diff: &PresenceDiff, for_old: bool) -> Encoded {
    let content = format!(r#"{{"joins":{},"leaves":{}}}"#, presences(&diff.joins), presences(&diff.leaves));
    both(&room.on_wire(), "presence_diff", content.as_bytes(), for_old)
}

/// A message to everybody, in both protocols.
fn both(topic: &str, event: &str, content: &[u8], for_old: bool) -> Encoded {
    let topic = text(topic);
    let joined = |before: &str, after: &str| {
        let mut frame = BytesMut::with_capacity(before.len() + content.len() + after.len());
        frame.put_slice(before.as_bytes());
        frame.put_slice(content);
        frame.put_slice(after.as_bytes());
        frame.freeze()
    };
    let v2 = Frame::Text(joined(&format!(r#"[null,null,{topic},"{event}","#), "]"));
    let old = || joined(&format!(r#"{{"event":"{event}","payload":"#), &format!(r#","ref":null,"topic":{topic}}}"#));
    Encoded { v1: for_old.then(old), v2 }
}

fn presences(map: &PresenceMap) -> String {
    let mut json = String::from("{");
    for (n, (key, metas)) in map.iter().enumerate() {
        if n > 0 {
            json.push(',');
        }
        json.push_str(&text(key));
        json.push_str(r#":{"metas":["#);
        for (n, meta) in metas.iter().enumerate() {
            if n > 0 {
                json.push(',');
            }
            // What is tracked is an object. The host's reference comes last, where it counts for parsers that see two of one name.
            let inner = meta.meta.get().trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            json.push('{');
            if let Some(fields) = inner.map(str::trim).filter(|fields| !fields.is_empty()) {
                json.push_str(fields);
                json.push(',');
            }
            json.push_str(r#""phx_ref":"#);
            json.push_str(&text(&meta.phx_ref));
            json.push('}');
        }
        json.push_str("]}");
    }
    json.push('}');
    json
}
