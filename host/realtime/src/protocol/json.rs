//! JSON that is passed on without being read: whether every client can read it, and texts written as JSON.

/// How deep a payload may be nested. Parsers of clients end at depths between 64 and some hundreds, or overflow.
const MAX_DEPTH: usize = 100;

/// A text as JSON writes it.
pub(crate) fn text(text: &str) -> String {
    // A text always has a JSON form.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// Whether clients in every language can read this JSON value: it is not nested too deep, and no escape stands for half a
/// character. `json` must be valid JSON already, as a `RawValue` is.
pub(crate) fn is_fit(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut at) = (0_usize, false, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' => {
                let Some(length) = escape(&json[at..]) else { return false };
                at += length;
                continue;
            }
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    true
}

/// The length of the escape at the beginning; `None` where it stands for half a character.
fn escape(json: &[u8]) -> Option<usize> {
    let Some(first) = unit(json) else { return Some(2) };
    match first {
        0xd800..=0xdbff => matches!(unit(&json[6..]), Some(0xdc00..=0xdfff)).then_some(12),
        0xdc00..=0xdfff => None,
        _ => Some(6),
    }
}

/// The code unit of `\uXXXX` at the beginning.
fn unit(json: &[u8]) -> Option<u16> {
    let digits = json.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_characters_and_deep_nesting_are_refused() {
        for fit in [
            r#"{"a": "\ud83d\ude00", "b": "\\ud800", "c": "\n\"[[["}"#,
            r#""\\\\u d""#,
            "1",
            r#"["\u0000","é"]"#,
            &format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)),
            &format!("[{}1]", "[1],".repeat(10_000)),
        ] {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(fit).is_ok(), "{fit}");
            assert!(is_fit(fit.as_bytes()), "{fit}");
        }
        for unfit in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\u0041""#,
            r#""\ud83d\n\ude00""#,
            r#"{"\ud800": 1}"#,
            r#""\\\ud800""#,
            &format!("{}1{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1)),
        ] {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(unfit).is_ok(), "{unfit}");
            assert!(!is_fit(unfit.as_bytes()), "{unfit}");
        }
    }

    #[test]
    fn a_text_is_written_with_its_quotes() {
        assert_eq!(text("a\"\n\u{1}é"), "\"a\\\"\\n\\u0001é\"");
    }
}
