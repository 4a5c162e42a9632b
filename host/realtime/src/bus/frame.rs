//! The form of what hosts tell each other. It is checked on reading: a host of another version may have written it.
//!
//! A row of the table is a batch: the version of the form (1 byte), the number of the batch among those of its host (8 bytes, 0 where
//! it may be read twice without harm), and frames. A frame is its kind (1 byte) and its body. Bodies, and texts in them, have their
//! length in bytes before them (4 bytes). Numbers are big-endian.

use std::sync::Arc;

use bytes::{BufMut, Bytes};

use crate::event::{Broadcast, Payload};
use crate::room::Room;

/// The version of the form. A row of another one is skipped.
const VERSION: u8 = 1;

/// Bytes of a frame beside its body.
pub(super) const OVERHEAD: usize = 5;

const PRIVATE: u8 = 1;
const BINARY: u8 = 2;
const WITH_META: u8 = 4;

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum BusKind {
    /// A broadcast of a client.
    Broadcast = 1,
    /// Changes of presences.
    Presence = 2,
    /// Changes of tables.
    Changes = 3,
}

impl BusKind {
    pub(super) const ALL: [Self; 3] = [Self::Broadcast, Self::Presence, Self::Changes];

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) frames: Vec<(BusKind, Bytes)>,
    /// Frames of kinds that this version does not know.
    pub(super) unknown: usize,
}

/// Writes a batch.
pub(crate) fn batch(number: u64, frames: &[(BusKind, Bytes)]) -> Vec<u8> {
    let size = frames.iter().map(|(_, body)| OVERHEAD + body.len()).sum::<usize>() + 9;
    let mut row = Vec::with_capacity(size);
    row.put_u8(VERSION);
    row.put_u64(number);
    for (kind, body) in frames {
        row.put_u8(*kind as u8);
        put(&mut row, body);
    }
    row
}

/// The number of a batch; nothing where it has another form.
pub(super) fn number(row: &[u8]) -> Option<u64> {
    let (version, rest) = row.split_first()?;
    (*version == VERSION).then_some(u64::from_be_bytes(*rest.first_chunk()?))
}

/// Reads a batch; nothing where it has another form.
pub(super) fn read_batch(row: Vec<u8>) -> Option<Batch> {
    let mut fields = Fields::new(row.into());
    if fields.byte()? != VERSION {
        return None;
    }
    let mut batch = Batch { number: fields.number()?, frames: Vec::new(), unknown: 0 };
    while !fields.is_empty() {
        let (kind, body) = (fields.byte()?, fields.bytes()?);
        match BusKind::of(kind) {
            Some(kind) => batch.frames.push((kind, body)),
            None => batch.unknown += 1,
        }
    }
    Some(batch)
}

/// Writes a broadcast.
pub(super) fn broadcast(broadcast: &Broadcast) -> Bytes {
    let (payload, is_binary) = match &broadcast.payload {
        Payload::Json(text) => (text, false),
        Payload::Binary(bytes) => (bytes, true),
    };
    let topic = broadcast.room.topic();
    let meta = broadcast.meta.as_ref();
    let size = topic.len() + broadcast.event.len() + payload.len() + meta.map_or(0, Bytes::len) + 17;
    let mut body = Vec::with_capacity(size);
    let flags = [(broadcast.room.is_private(), PRIVATE), (is_binary, BINARY), (meta.is_some(), WITH_META)];
    body.put_u8(flags.into_iter().filter(|(is_so, _)| *is_so).fold(0, |all, (_, flag)| all | flag));
    put(&mut body, topic.as_bytes());
    put(&mut body, broadcast.event.as_bytes());
    put(&mut body, payload);
    if let Some(meta) = meta {
        put(&mut body, meta);
    }
    body.into()
}

/// Reads a broadcast; nothing where it has another form.
pub(super) fn read_broadcast(body: Bytes) -> Option<Broadcast> {
    let mut fields = Fields::new(body);
    let flags = fields.byte()?;
    if flags & !(PRIVATE | BINARY | WITH_META) != 0 {
        return None;
    }
    let room = Room::new(&fields.text()?, flags & PRIVATE != 0);
    let event = fields.text()?;
    let payload = if flags & BINARY == 0 { Payload::Json(fields.utf8()?) } else { Payload::Binary(fields.bytes()?) };
    let meta = if flags & WITH_META == 0 { None } else { Some(fields.utf8()?) };
    fields.is_empty().then_some(Broadcast { room, event, payload, meta })
}

/// Writes bytes with their length. What is longer than 4 GiB is left out; no message comes near to it.
pub(crate) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let (length, bytes) = u32::try_from(bytes.len()).map_or((0, &[][..]), |length| (length, bytes));
    out.put_u32(length);
    out.put_slice(bytes);
}

/// Reads fields one after another. None is there where the bytes end before it does.
#[derive(Debug)]
pub(crate) struct Fields(Bytes);

impl Fields {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.as_ref().try_into().ok()?))
    }

    /// Bytes with their length before them.
    pub(crate) fn bytes(&mut self) -> Option<Bytes> {
        let length = u32::from_be_bytes(self.take(4)?.as_ref().try_into().ok()?);
        self.take(usize::try_from(length).ok()?)
    }

    /// The same, of text.
    pub(crate) fn utf8(&mut self) -> Option<Bytes> {
        self.bytes().filter(|bytes| std::str::from_utf8(bytes).is_ok())
    }

    /// The same, as text.
    pub(crate) fn text(&mut self) -> Option<Arc<str>> {
        std::str::from_utf8(&self.bytes()?).ok().map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(is_private: bool, payload: Payload, meta: Option<&'static str>) -> Broadcast {
        let meta = meta.map(|text| Bytes::from_static(text.as_bytes()));
        Broadcast { room: Room::new("chat:ü", is_private), event: "typing".into(), payload, meta }
    }

    #[test]
    fn a_broadcast_is_read_as_it_was_written() {
        let json = || Payload::Json(Bytes::from_static(br#"{"n":1}"#));
        let all = [
            one(true, json(), None),
            one(false, json(), Some(r#"{"id":"x"}"#)),
            one(false, Payload::Binary(Bytes::from_static(&[0, 255, 7])), None),
        ];
        for sent in all {
            let read = read_broadcast(broadcast(&sent)).expect("it has the form");
            assert_eq!((&read.room, &read.event, &read.meta), (&sent.room, &sent.event, &sent.meta));
            match (read.payload, sent.payload) {
                (Payload::Json(read), Payload::Json(sent)) | (Payload::Binary(read), Payload::Binary(sent)) => {
                    assert_eq!(read, sent);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_batch_that_was_cut_or_has_more_is_not_read() {
        let body = broadcast(&one(true, Payload::Json(Bytes::from_static(b"{}")), None));
        let row = batch(7, &[(BusKind::Broadcast, body.clone()), (BusKind::Presence, Bytes::new())]);
        let read = read_batch(row.clone()).expect("it has the form");
        assert_eq!((read.number, read.frames.len(), read.unknown), (7, 2, 0));
        // A cut may fall between two frames; then there are fewer.
        for end in 0..row.len() {
            assert!(read_batch(row[..end].to_vec()).is_none_or(|batch| batch.frames.len() < 2), "{end}");
        }
        for end in 0..body.len() {
            assert!(read_broadcast(body.slice(..end)).is_none(), "{end}");
        }
        assert_eq!((number(&row), number(&row[..8])), (Some(7), None));
        let mut other = row;
        other[0] = 2;
        assert!(read_batch(other).is_none());
        let more = [body.as_ref(), b"x"].concat();
        assert!(read_broadcast(more.into()).is_none());
    }

    #[test]
    fn a_frame_of_an_unknown_kind_is_counted_and_skipped() {
        let mut row = batch(1, &[(BusKind::Presence, Bytes::from_static(b"a")), (BusKind::Changes, Bytes::new())]);
        row[9] = 200;
        let read = read_batch(row).expect("it has the form");
        assert_eq!((read.frames.len(), read.unknown), (1, 1));
    }

    #[test]
    fn text_that_is_no_utf_8_is_not_read() {
        let bad = one(true, Payload::Json(Bytes::from_static(&[0xff])), None);
        assert!(read_broadcast(broadcast(&bad)).is_none());
    }
}
