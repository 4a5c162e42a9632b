//! Changes of presences as hosts tell them to each other, and the metas that clients see.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::replica::{Change, Entry};
use crate::bus::{Fields, put};
use crate::channel::ChannelId;
use crate::room::Room;

const PRIVATE: u8 = 1;
const ENDED: u8 = 2;

/// Writes a change: flags, topic, channel and reference, and of what is tracked the host, the key and the meta.
pub(super) fn write(room: &Room, change: &Change) -> Bytes {
    let mut body = Vec::with_capacity(256);
    let private = if room.is_private() { PRIVATE } else { 0 };
    let (channel, reference, tracked) = match change {
        Change::Tracked(entry) => (entry.channel, &entry.reference, Some(entry)),
        Change::Ended { channel, reference } => (*channel, reference, None),
    };
    body.put_u8(private | if tracked.is_some() { 0 } else { ENDED });
    put(&mut body, room.topic().as_bytes());
    body.put_slice(channel.0.as_bytes());
    put(&mut body, reference.as_bytes());
    if let Some(entry) = tracked {
        body.put_slice(entry.host.as_bytes());
        put(&mut body, entry.key.as_bytes());
        put(&mut body, entry.meta.get().as_bytes());
    }
    body.into()
}

/// Reads a change; nothing where it has another form.
pub(super) fn read(body: Bytes) -> Option<(Room, Change)> {
    let mut fields = Fields::new(body);
    let flags = fields.byte()?;
    if flags & !(PRIVATE | ENDED) != 0 {
        return None;
    }
    let room = Room::new(&fields.text()?, flags & PRIVATE != 0);
    let channel = ChannelId(uuid(&mut fields)?);
    let reference = fields.text()?;
    let change = if flags & ENDED == 0 {
        let host = uuid(&mut fields)?;
        let key = fields.text()?;
        let meta = raw(&fields.text()?)?;
        Change::Tracked(Arc::new(Entry { channel, key, reference, meta, host }))
    } else {
        Change::Ended { channel, reference }
    };
    fields.is_empty().then_some((room, change))
}

fn uuid(fields: &mut Fields) -> Option<Uuid> {
    Uuid::from_slice(&fields.take(16)?).ok()
}

/// JSON of a text that should be some.
pub(super) fn raw(text: &str) -> Option<Arc<RawValue>> {
    RawValue::from_string(text.to_owned()).ok().map(Arc::from)
}

/// Members of an object, each as it was written: a number may be longer than any type of ours.
pub(super) type Members = BTreeMap<String, Arc<RawValue>>;

/// What a client tracks, without the members that the host sets, which are its own; nothing where it is no object.
pub(super) fn members(meta: &RawValue) -> Option<Members> {
    let mut members: Members = serde_json::from_str(meta.get()).ok()?;
    members.remove("phx_ref");
    members.remove("phx_ref_prev");
    Some(members)
}

/// The object of these members, with the reference of what it replaces.
pub(super) fn meta(mut members: Members, replaces: Option<&str>) -> Option<Arc<RawValue>> {
    if let Some(reference) = replaces {
        members.insert("phx_ref_prev".to_owned(), raw(&serde_json::to_string(reference).ok()?)?);
    }
    raw(&serde_json::to_string(&members).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_was_written_and_not_if_it_was_cut() {
        let room = Room::new("chat", true);
        let meta = raw(r#"{"name":"Ana"}"#).expect("JSON");
        let channel = ChannelId(Uuid::from_u128(7));
        let entry = Entry { channel, key: "a".into(), reference: "r1".into(), meta, host: Uuid::from_u128(8) };
        for change in [Change::Tracked(Arc::new(entry)), Change::Ended { channel, reference: "r1".into() }] {
            let body = write(&room, &change);
            let (in_room, read_change) = read(body.clone()).expect("it has the form");
            assert_eq!((in_room, format!("{read_change:?}")), (room.clone(), format!("{change:?}")));
            for end in 0..body.len() {
                assert!(read(body.slice(..end)).is_none(), "{end}");
            }
        }
    }

    #[test]
    fn a_client_cannot_set_the_references() {
        let sent = raw(r#"{"phx_ref":"x","n":1234567890123456789012,"phx_ref_prev":"y"}"#).expect("JSON");
        let own = members(&sent).expect("an object");
        let first = meta(own.clone(), None).expect("JSON");
        assert_eq!(first.get(), r#"{"n":1234567890123456789012}"#);
        let second = meta(own, Some("r1")).expect("JSON");
        assert_eq!(second.get(), r#"{"n":1234567890123456789012,"phx_ref_prev":"r1"}"#);
        assert!(members(&raw("[1]").expect("JSON")).is_none());
    }
}
