//! What keys, values and numbers of a store may be.

use serde::de::IgnoredAny;

use crate::bindings::behalf::tool::kv::Error;

/// Bytes of a key.
const MAX_KEY: usize = 256;
/// Bytes of a value.
const MAX_VALUE: usize = 65_536;
/// Keys of one answer.
const MAX_KEYS: u32 = 1_000;

pub(super) fn error(code: &str, message: impl Into<String>) -> Error {
    Error { code: code.to_owned(), message: message.into(), retryable: false }
}

fn invalid(message: impl Into<String>) -> Error {
    error("invalid", message)
}

/// Refuses what is no key.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() {
        return Err(invalid("a key has at least one byte"));
    }
    check_part(key)
}

/// Refuses what no key begins with.
pub(super) fn check_part(key: &str) -> Result<(), Error> {
    if key.len() <= MAX_KEY && !key.contains('\0') {
        Ok(())
    } else {
        Err(invalid(format!("a key has at most {MAX_KEY} bytes, and no zero byte")))
    }
}

/// Refuses what is no value: one that is too long, or no JSON.
pub(super) fn check_value(value: &str) -> Result<(), Error> {
    if value.len() > MAX_VALUE {
        return Err(invalid(format!("a value has at most {MAX_VALUE} bytes, and this one has {}", value.len())));
    }
    let read: Result<IgnoredAny, _> = serde_json::from_str(value);
    read.map(drop).map_err(|error| invalid(format!("a value is JSON: {error}")))
}

/// Refuses numbers of keys that are not asked for.
pub(super) fn check_limit(limit: u32) -> Result<(), Error> {
    if (1..=MAX_KEYS).contains(&limit) {
        Ok(())
    } else {
        Err(invalid(format!("the limit is a number from 1 to {MAX_KEYS}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let long = "x".repeat(MAX_KEY);
        assert!([check_key("a"), check_key(&long), check_key("a b/ü"), check_part("")].iter().all(Result::is_ok));
        for wrong in [check_key(""), check_key(&format!("{long}x")), check_key("a\0"), check_part("\0")] {
            assert_eq!(wrong.expect_err("an error").code, "invalid");
        }
        let largest = format!("\"{}\"", "x".repeat(MAX_VALUE - 2));
        for right in ["null", "1", "\"\"", r#"{"a": [true, "\u0000"]}"#, &largest] {
            assert!(check_value(right).is_ok(), "{right:.80}");
        }
        for wrong in ["", "a", "{", "1 2", "\"\0\"", "NaN", &format!("{largest} ")] {
            assert_eq!(check_value(wrong).expect_err("an error").code, "invalid");
        }
        assert!(check_limit(1).is_ok() && check_limit(1_000).is_ok());
        assert!(check_limit(0).is_err() && check_limit(1_001).is_err());
    }
}
