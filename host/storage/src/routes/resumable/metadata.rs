//! The header `Upload-Metadata`: names, each with a value in base64 or none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::object::user_metadata;
use crate::store::uploads::Metadata;

/// Reads the header. `None` where it does not have the form of the protocol.
pub(super) fn parse(text: &str) -> Option<Metadata> {
    let mut all = Metadata::new();
    for pair in text.split(',') {
        let (key, value) = match pair.split_once(' ') {
            Some((key, value)) => (key, Some(value)),
            None => (pair, None),
        };
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_key || all.iter().any(|(known, _)| known == key) {
            return None;
        }
        let value = match value {
            None | Some("") => None,
            // Postgres stores no NUL, and no name or type has one.
            Some(value) => {
                Some(String::from_utf8(STANDARD.decode(value).ok()?).ok().filter(|value| !value.contains('\0'))?)
            }
        };
        all.push((key.to_owned(), value));
    }
    Some(all)
}

/// Writes the header.
pub(super) fn write(metadata: &Metadata) -> String {
    let pair = |(key, value): &(String, Option<String>)| match value {
        Some(value) => format!("{key} {}", STANDARD.encode(value)),
        None => key.clone(),
    };
    metadata.iter().map(pair).collect::<Vec<_>>().join(",")
}

/// A value; empty ones count as missing.
pub(super) fn value<'a>(metadata: &'a Metadata, key: &str) -> Option<&'a str> {
    let (_, value) = metadata.iter().find(|(name, _)| name == key)?;
    value.as_deref().filter(|value| !value.is_empty())
}

/// How long caches may keep the object: a number of seconds, else not at all.
pub(super) fn cache_control(metadata: &Metadata) -> String {
    let is_number = |text: &&str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let seconds = value(metadata, "cacheControl").filter(is_number);
    seconds.map_or_else(|| "no-cache".to_owned(), |seconds| format!("max-age={seconds}"))
}

/// What the app wants to be kept with the object. A text that is no JSON object is left out, as Supabase Storage does.
pub(super) fn of_app(metadata: &Metadata) -> Option<String> {
    let fields = user_metadata(value(metadata, "metadata")?.as_bytes())?;
    Some(Value::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_in_its_order() {
        let text = "objectName Zm9sZGVyL2PDpHQucG5n,flag,bucketName YXZhdGFycw==,empty ";
        let read = parse(text).expect("it has the form");
        assert_eq!(value(&read, "objectName"), Some("folder/cät.png"));
        assert_eq!((value(&read, "flag"), value(&read, "empty"), value(&read, "none")), (None, None, None));
        assert_eq!(write(&read), "objectName Zm9sZGVyL2PDpHQucG5n,flag,bucketName YXZhdGFycw==,empty");
        assert_eq!(parse(&write(&read)), Some(read));
    }

    #[test]
    fn what_does_not_have_the_form_is_refused() {
        for bad in ["", " ", "a b c", "a YQ==,a YQ==", "a Y", "a Y?==", ",", "a YQ==,", "ä YQ==", "a AA==", "a /w=="] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn caching_is_a_number_of_seconds() {
        let of = |text: &str| cache_control(&vec![("cacheControl".to_owned(), Some(text.to_owned()))]);
        assert_eq!(of("3600"), "max-age=3600");
        assert_eq!((of("public\r\nx: y"), of("-"), of("")), ("no-cache".into(), "no-cache".into(), "no-cache".into()));
    }
}
