//! Values that pass between guests and the server, in the server's text format. The sandbox converts them from and to
//! WIT.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::types::TypeKind;

/// One value of a row or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// boolean
    Bool(bool),
    /// smallint, integer, bigint
    Int(i64),
    /// real, double precision
    Float(f64),
    /// Any other type, in its text form.
    Text(String),
    /// bytea
    Bytes(Vec<u8>),
    /// pgvector's `vector`.
    Vector(Vec<f32>),
}

impl Value {
    /// About the bytes of its text.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len().saturating_mul(2),
            Self::Vector(numbers) => numbers.len().saturating_mul(10),
        }
    }

    /// Encodes a parameter in text format. The server infers its type.
    pub(super) fn encode(&self) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(true) => Cow::Borrowed(b"true"),
            Self::Bool(false) => Cow::Borrowed(b"false"),
            Self::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Self::Float(number) => Cow::Owned(float_text(*number).into_bytes()),
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Bytes(bytes) => Cow::Owned(format!("\\x{}", hex::encode(bytes)).into_bytes()),
            Self::Vector(numbers) => Cow::Owned(vector_text(numbers).into_bytes()),
        })
    }

    /// Decodes a value that the server sent as text. A value that does not fit its type stays text, so that one unusual
    /// value does not fail the whole answer.
    pub(super) fn decode(text: &[u8], kind: TypeKind) -> Self {
        let Ok(text) = std::str::from_utf8(text) else {
            return Self::Bytes(text.to_vec());
        };
        let read = match kind {
            TypeKind::Bool => match text {
                "t" => Some(Self::Bool(true)),
                "f" => Some(Self::Bool(false)),
                _ => None,
            },
            TypeKind::Int => text.parse().ok().map(Self::Int),
            TypeKind::Float => text.parse().ok().map(Self::Float),
            TypeKind::Bytes => text.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok()).map(Self::Bytes),
            TypeKind::Vector => read_vector(text).map(Self::Vector),
            TypeKind::TimestampTz | TypeKind::Timestamp => Some(Self::Text(rfc3339(text))),
            TypeKind::Array(element, delimiter) => super::array::to_json(text, element, delimiter).map(Self::Text),
            TypeKind::Text | TypeKind::Json => None,
        };
        read.unwrap_or_else(|| Self::Text(text.to_owned()))
    }
}

/// A float as Postgres writes it: also `NaN`, `Infinity` and `-Infinity`.
fn float_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        number.to_string()
    }
}

fn vector_text(numbers: &[f32]) -> String {
    let mut text = String::with_capacity(numbers.len() * 10 + 2);
    text.push('[');
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{number}");
    }
    text.push(']');
    text
}

fn read_vector(text: &str) -> Option<Vec<f32>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.split(',').map(|number| number.parse().ok()).collect()
}

/// Turns `2026-11-23 10:00:00.5+00` into `2026-11-23T10:00:00.5+00:00` (RFC 3339); sessions run in UTC. `infinity` and
/// years BC stay as they are, because RFC 3339 has no form for them.
pub(super) fn rfc3339(text: &str) -> String {
    if text.ends_with("BC") || text.ends_with("infinity") {
        return text.to_owned();
    }
    let mut text = text.replacen(' ', "T", 1);
    let zone = text.len().checked_sub(3).and_then(|start| text.get(start..));
    if zone.is_some_and(|zone| {
        zone.starts_with(['+', '-']) && zone.get(1..).is_some_and(|z| z.bytes().all(|b| b.is_ascii_digit()))
    }) && text.contains(':')
    {
        text.push_str(":00");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_rfc_3339() {
        assert_eq!(rfc3339("2026-11-23 10:00:00.5+00"), "2026-11-23T10:00:00.5+00:00");
        assert_eq!(rfc3339("2026-11-23 10:00:00+05:30"), "2026-11-23T10:00:00+05:30");
        assert_eq!(rfc3339("2026-11-23 10:00:00"), "2026-11-23T10:00:00");
        assert_eq!(rfc3339("infinity"), "infinity");
        assert_eq!(rfc3339("0044-03-15 12:00:00+00 BC"), "0044-03-15 12:00:00+00 BC");
    }

    #[test]
    fn values_survive_the_way_there_and_back() {
        for (value, kind) in [
            (Value::Bool(true), TypeKind::Bool),
            (Value::Int(i64::MIN), TypeKind::Int),
            (Value::Float(0.1), TypeKind::Float),
            (Value::Float(f64::INFINITY), TypeKind::Float),
            (Value::Bytes(vec![0, 255, 10]), TypeKind::Bytes),
            (Value::Vector(vec![1.0, -2.5, 1e-8]), TypeKind::Vector),
            (Value::Text("ünï".to_owned()), TypeKind::Text),
        ] {
            let sent = value.encode().expect("not null").into_owned();
            let sent =
                if kind == TypeKind::Bool { sent.get(..1).map(<[u8]>::to_vec).unwrap_or_default() } else { sent };
            assert_eq!(Value::decode(&sent, kind), value);
        }
        assert_eq!(Value::Null.encode(), None);
        assert_eq!(Value::decode(b"12x", TypeKind::Int), Value::Text("12x".to_owned()));
    }
}
