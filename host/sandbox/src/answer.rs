//! Reads the answer of a tool, which may be any text: its author is not trusted.

use crate::bindings::exports::behalf::tool::tool::Error;
use crate::outcome::CallError;

/// Levels of arrays and objects in a result. Most readers of JSON stop at 128, and the result is wrapped before it gets
/// to one.
const MAX_DEPTH: usize = 100;

/// The tool's JSON or its own failure, where both keep within `max_bytes`.
pub(crate) fn read_answer(answer: Result<String, Error>, max_bytes: usize) -> Result<String, CallError> {
    match answer {
        Ok(json) if json.len() > max_bytes => Err(CallError::Output(max_bytes)),
        Ok(json) if is_result(&json) => Ok(json),
        Ok(_) => Err(CallError::NotJson),
        Err(error) if error.code.len().saturating_add(error.message.len()) > max_bytes => {
            Err(CallError::Output(max_bytes))
        }
        Err(Error { code, message, retryable }) => Err(CallError::Tool { code, message: message.into(), retryable }),
    }
}

/// Whether a text is one JSON value that does not nest more deeply than results may.
pub fn is_result(text: &str) -> bool {
    // Reading into nothing does not recurse, so it says nothing of the depth.
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() && depth(text) <= MAX_DEPTH
}

/// How deeply valid JSON nests.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, expected) in [("1", 0), ("[]", 1), (r#"{"a": [{}, []]}"#, 3), (r#"["[[\"[[", "\\", [1]]"#, 2)] {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn a_result_is_one_json_value_of_bounded_depth() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for good in ["null", "0", "\"x\"", " {\"a\": 1} ", &nested(MAX_DEPTH)] {
            assert_eq!(read_answer(Ok(good.to_owned()), 1000), Ok(good.to_owned()));
        }
        for bad in ["", "{} {}", "{\"a\": nothing}", "[", &nested(MAX_DEPTH + 1)] {
            assert_eq!(read_answer(Ok(bad.to_owned()), 1000), Err(CallError::NotJson), "{bad}");
        }
        assert_eq!(read_answer(Ok(nested(501)), 1000), Err(CallError::Output(1000)));
    }
}
