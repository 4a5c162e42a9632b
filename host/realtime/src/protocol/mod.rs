//! The frames of Phoenix' channels in both versions that Supabase's clients speak: what they mean, and how they are written.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod join;
mod json;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::event::Payload;

pub(crate) use json::{is_fit, text};

/// Most bytes of a topic as it is on the wire, of an event, and of a reference: binary frames have one byte for each length.
pub(crate) const MAX_NAME: usize = 255;

/// The version of the protocol that a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 1.0.0: a message is an object. Text only.
    One,
    /// 2.0.0: a message is an array, and broadcasts may be binary.
    Two,
}

impl Version {
    /// The version that a client asks for with `vsn`; none is the first, as Phoenix has it.
    pub(crate) fn of(vsn: Option<&str>) -> Option<Self> {
        match vsn {
            None | Some("") => Some(Self::One),
            Some(vsn) if vsn.starts_with("1.0.") => Some(Self::One),
            Some(vsn) if vsn.starts_with("2.0.") => Some(Self::Two),
            Some(_) => None,
        }
    }
}

/// A client's name for a message or a join: a JSON text that is sent back as it is. `None` is null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ref(Option<Box<str>>);

impl Ref {
    /// None.
    pub(crate) const NONE: Self = Self(None);

    /// Reads one; `None` where it is neither null nor a short text or number.
    pub(crate) fn of(raw: &RawValue) -> Option<Self> {
        match raw.get() {
            "null" => Some(Self(None)),
            text if text.len() <= MAX_NAME && !text.starts_with(['{', '[']) => Some(Self(Some(text.into()))),
            _ => None,
        }
    }

    /// The reference of a binary frame, which is bytes.
    pub(crate) fn of_text(reference: &str) -> Self {
        Self(Some(text(reference).into()))
    }

    /// As JSON.
    pub(crate) fn as_json(&self) -> &str {
        self.0.as_deref().unwrap_or("null")
    }

    /// Whether there is none.
    pub(crate) fn is_null(&self) -> bool {
        self.0.is_none()
    }
}

/// A client's message.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    /// Names the join that the message belongs to.
    pub(crate) join_ref: Ref,
    /// Names the message, for its reply.
    pub(crate) reference: Ref,
    /// The topic as it is on the wire.
    pub(crate) topic: Box<str>,
    /// What the message is, such as `phx_join`.
    pub(crate) event: Box<str>,
    /// Its content.
    pub(crate) content: Content,
}

/// The content of a client's message.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A JSON value, as text.
    Json(Bytes),
    /// A broadcast of a binary frame. `None` stands for a payload that is said to be JSON and is not.
    Broadcast {
        /// The app's name for it.
        event: Box<str>,
        /// Its payload.
        payload: Option<Payload>,
    },
    /// Bytes that mean nothing here.
    Other,
}
