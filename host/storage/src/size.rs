//! Sizes as clients write them: a number of bytes, or a text such as `20MB`.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::StorageError;

/// The most bytes of an object, as a client writes it.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = StorageSize)]
pub(crate) enum Size {
    /// Bytes.
    Bytes(u64),
    /// A number with `B`, `KB`, `MB` or `GB`.
    Text(String),
}

impl Size {
    /// It in bytes, if that is not more than `most`.
    pub(crate) fn bytes(&self, most: u64) -> Result<i64, StorageError> {
        let bytes = match self {
            Self::Bytes(bytes) => *bytes,
            Self::Text(text) => parse(text).ok_or_else(|| {
                StorageError::new(400, "InvalidRequest", "Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B")
            })?,
        };
        let refused = || {
            StorageError::new(413, "EntityTooLarge", "The object exceeded the maximum allowed size")
                .named("Payload too large")
        };
        if bytes > most {
            return Err(refused());
        }
        i64::try_from(bytes).map_err(|_| refused())
    }
}

/// Decimal units, and three digits that count, as Supabase Storage reads them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast of a float keeps within the bounds of the integer, and there is no sign"
)]
fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) {
        return None;
    }
    let factor = match unit.to_ascii_uppercase().as_str() {
        "GB" => 1e9,
        "MB" => 1e6,
        "KB" => 1e3,
        "B" => 1.0,
        _ => return None,
    };
    let rounded: f64 = format!("{:.2e}", number.parse::<f64>().ok()?).parse().ok()?;
    Some((rounded * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_supabase_storage_reads_them() {
        for (text, bytes) in [
            ("20GB", Some(20_000_000_000)),
            ("1.5mb", Some(1_500_000)),
            ("1234KB", Some(1_230_000)),
            ("3B", Some(3)),
            ("0B", Some(0)),
            ("20", None),
            ("MB", None),
            ("1.MB", None),
            (".5MB", None),
            ("1.2.3MB", None),
            ("-1MB", None),
            ("1 MB", None),
            ("1TB", None),
            ("", None),
        ] {
            assert_eq!(parse(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn no_size_is_beyond_the_hosts() {
        assert_eq!(Size::Bytes(10).bytes(10).ok(), Some(10));
        assert!(Size::Bytes(11).bytes(10).is_err() && Size::Text("1KB".to_owned()).bytes(10).is_err());
        assert!(Size::Bytes(u64::MAX).bytes(u64::MAX).is_err());
    }
}
