//! The messages of `pgoutput`, version 1 of its protocol
//! (<https://www.postgresql.org/docs/16/protocol-logicalrep-message-formats.html>). Everything is bounded by the message that it stands in.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::ReplicationError;

/// A value as the server sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A large value that the update did not change, and that the log therefore does not have.
    Unchanged,
    /// Left out because the change is too large.
    Cut,
    /// Its text.
    Text(Box<str>),
}

impl Cell {
    /// Its text, where it has one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes of it.
    pub fn size(&self) -> usize {
        self.text().map_or(0, str::len)
    }
}

/// A column, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is part of the replica identity.
    pub is_identity: bool,
}

/// A table, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its oid.
    pub oid: u32,
    /// Its schema.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its published columns.
    pub columns: Vec<Column>,
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Relation(Relation),
    Begin {
        /// Where the transaction commits.
        commit: u64,
        /// When, in microseconds since 2000.
        at: i64,
        /// The lower half of its number.
        xid: u32,
    },
    Commit {
        /// The end of the transaction.
        end: u64,
    },
    Insert {
        relation: u32,
        new: Vec<Cell>,
    },
    Update {
        relation: u32,
        old: Option<Vec<Cell>>,
        new: Vec<Cell>,
    },
    Delete {
        relation: u32,
        old: Vec<Cell>,
    },
    /// Of no consequence here: types, origins, truncations, messages.
    Other,
}

const SHORT: ReplicationError = ReplicationError::Form("a message ends too early");

/// Reads a message.
pub(crate) fn message(bytes: Bytes) -> Result<Message, ReplicationError> {
    let mut from = Parts(bytes);
    let message = match from.u8()? {
        b'B' => Message::Begin { commit: from.u64()?, at: from.u64()?.cast_signed(), xid: from.u32()? },
        b'C' => {
            from.take(1 + 8)?;
            Message::Commit { end: from.u64()? }
        }
        b'R' => Message::Relation(relation(&mut from)?),
        b'I' => {
            let relation = from.u32()?;
            from.expect(b'N')?;
            Message::Insert { relation, new: tuple(&mut from)? }
        }
        b'U' => {
            let relation = from.u32()?;
            let kind = from.u8()?;
            let old = match kind {
                b'K' | b'O' => {
                    let old = tuple(&mut from)?;
                    from.expect(b'N')?;
                    Some(old)
                }
                b'N' => None,
                _ => return Err(ReplicationError::Form("an update of an unknown kind")),
            };
            Message::Update { relation, old, new: tuple(&mut from)? }
        }
        b'D' => {
            let relation = from.u32()?;
            if !matches!(from.u8()?, b'K' | b'O') {
                return Err(ReplicationError::Form("a deletion of an unknown kind"));
            }
            Message::Delete { relation, old: tuple(&mut from)? }
        }
        b'T' | b'Y' | b'O' | b'M' => Message::Other,
        _ => return Err(ReplicationError::Form("an unknown message")),
    };
    Ok(message)
}

/// The table that a message is about of which only the beginning is there.
pub(crate) fn relation_of(head: &Bytes) -> Option<u32> {
    let mut from = Parts(head.clone());
    matches!(from.u8().ok()?, b'I' | b'U' | b'D').then(|| from.u32().ok()).flatten()
}

fn relation(from: &mut Parts) -> Result<Relation, ReplicationError> {
    let oid = from.u32()?;
    let (schema, name) = (from.text()?, from.text()?);
    from.take(1)?;
    let count = from.u16()?;
    let mut columns = Vec::with_capacity(usize::from(count).min(from.0.len() / 10));
    for _ in 0..count {
        let is_identity = from.u8()? & 1 == 1;
        let name = from.text()?;
        // The type and what it is limited to; the catalogue says that too.
        from.take(8)?;
        columns.push(Column { name, is_identity });
    }
    // An empty name of a schema is pg_catalog.
    let schema = if schema.is_empty() { "pg_catalog".into() } else { schema };
    Ok(Relation { oid, schema, name, columns })
}

fn tuple(from: &mut Parts) -> Result<Vec<Cell>, ReplicationError> {
    let count = from.u16()?;
    let mut cells = Vec::with_capacity(usize::from(count).min(from.0.len()));
    for _ in 0..count {
        cells.push(match from.u8()? {
            b'n' => Cell::Null,
            b'u' => Cell::Unchanged,
            b't' => {
                let length = usize::try_from(from.u32()?).map_err(|_| SHORT)?;
                let bytes = from.take(length)?;
                let text = std::str::from_utf8(&bytes).map_err(|_| ReplicationError::Form("a text is not UTF-8"))?;
                Cell::Text(text.into())
            }
            _ => return Err(ReplicationError::Form("a value of an unknown kind")),
        });
    }
    Ok(cells)
}

/// Reads one part after another.
pub(crate) struct Parts(pub(crate) Bytes);

impl Parts {
    pub(crate) fn take(&mut self, length: usize) -> Result<Bytes, ReplicationError> {
        if self.0.len() < length { Err(SHORT) } else { Ok(self.0.split_to(length)) }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ReplicationError> {
        Ok(self.take(1)?.get_u8())
    }

    fn u16(&mut self) -> Result<u16, ReplicationError> {
        Ok(self.take(2)?.get_u16())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ReplicationError> {
        Ok(self.take(4)?.get_u32())
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ReplicationError> {
        Ok(self.take(8)?.get_u64())
    }

    /// A text that ends with NUL.
    fn text(&mut self) -> Result<Arc<str>, ReplicationError> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(SHORT)?;
        let bytes = self.take(end)?;
        self.take(1)?;
        std::str::from_utf8(&bytes).map(Arc::from).map_err(|_| ReplicationError::Form("a name is not UTF-8"))
    }

    fn expect(&mut self, tag: u8) -> Result<(), ReplicationError> {
        if self.u8()? == tag { Ok(()) } else { Err(ReplicationError::Form("a new row is missing")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation_bytes() -> Vec<u8> {
        let mut bytes = vec![b'R', 0, 0, 0x40, 1];
        bytes.extend_from_slice(b"public\0note\0d");
        bytes.extend_from_slice(&[0, 2]);
        for (flag, name) in [(1, &b"id\0"[..]), (0, &b"text\0"[..])] {
            bytes.push(flag);
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(&[0, 0, 0, 23, 0xff, 0xff, 0xff, 0xff]);
        }
        bytes
    }

    fn update_bytes() -> Vec<u8> {
        let mut bytes = vec![b'U', 0, 0, 0x40, 1, b'K', 0, 2, b't', 0, 0, 0, 1, b'7', b'n', b'N', 0, 2];
        bytes.extend_from_slice(&[b't', 0, 0, 0, 1, b'8', b'u']);
        bytes
    }

    #[test]
    fn messages_are_read() {
        let column = |name: &str, is_identity| Column { name: name.into(), is_identity };
        let relation = Relation {
            oid: 0x4001,
            schema: "public".into(),
            name: "note".into(),
            columns: vec![column("id", true), column("text", false)],
        };
        assert_eq!(message(relation_bytes().into()).expect("a relation"), Message::Relation(relation));
        let (old, new) = (vec![Cell::Text("7".into()), Cell::Null], vec![Cell::Text("8".into()), Cell::Unchanged]);
        let update = Message::Update { relation: 0x4001, old: Some(old), new };
        assert_eq!(message(update_bytes().into()).expect("an update"), update);
        assert_eq!(message(Bytes::from_static(b"Y\0\0\0\x01a\0b\0")).expect("a type"), Message::Other);
        assert_eq!(relation_of(&update_bytes().into()), Some(0x4001));
        assert_eq!(relation_of(&relation_bytes().into()), None);
    }

    #[test]
    fn a_message_that_was_cut_anywhere_is_an_error() {
        for whole in [relation_bytes(), update_bytes()] {
            for end in 0..whole.len() {
                assert!(message(Bytes::copy_from_slice(&whole[..end])).is_err(), "{end}");
            }
        }
        for wrong in [&b"X"[..], b"I\0\0\0\x01O", b"U\0\0\0\x01Z", b"D\0\0\0\x01N", b"I\0\0\0\x01N\0\x01x"] {
            assert!(message(Bytes::from_static(wrong)).is_err());
        }
        let invalid = [b'I', 0, 0, 0, 1, b'N', 0, 1, b't', 0, 0, 0, 1, 0xff];
        assert!(message(Bytes::copy_from_slice(&invalid)).is_err());
        let long = [b'I', 0, 0, 0, 1, b'N', 0xff, 0xff, b't', 0xff, 0xff, 0xff, 0xff];
        assert!(message(Bytes::copy_from_slice(&long)).is_err());
    }
}
