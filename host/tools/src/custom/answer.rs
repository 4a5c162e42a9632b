//! Reads what a custom tool's server answered.

use behalf_sandbox::{CallError, is_result};
use http::StatusCode;
use serde_json::Value;

use crate::call_failure::failed;

/// Characters of an answer that a model is shown; the platform's bound.
const MAX_CHARS: usize = 10_000;
/// Bytes that are read of an answer: enough for [`MAX_CHARS`] of the longest characters and some more, so that a text that was
/// not read to its end still has more than [`MAX_CHARS`] characters.
pub(super) const MAX_BYTES: usize = MAX_CHARS * 4 + 16 * 1024;

/// The server's answer for a model as JSON: as the server wrote it, so that no number in it is rounded, or its text as a JSON
/// string where it is not JSON.
pub(super) fn read_answer(status: StatusCode, text: &str, is_whole: bool) -> Result<String, CallError> {
    let (text, is_cut) = match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => (&text[..end], true),
        None => (text, !is_whole),
    };
    if !status.is_success() {
        let is_retryable = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let says = if text.trim().is_empty() { "without a word" } else { text };
        return Err(failed(
            "http_status",
            format!("the tool's server answered {}: {says}", status.as_u16()),
            is_retryable,
        ));
    }
    Ok(if is_cut || !is_result(text) { Value::from(text).to_string() } else { text.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use behalf_problem::Problem as _;
    use serde_json::json;

    #[test]
    fn an_answer_is_json_or_text_and_has_an_end() {
        let raw = |text: &str, whole| read_answer(StatusCode::OK, text, whole).expect("an answer");
        let ok = |text: &str, whole| serde_json::from_str::<Value>(&raw(text, whole)).expect("JSON");
        assert_eq!(ok(r#"{"a": [1]}"#, true), json!({ "a": [1] }));
        let numbers = r#"{"a": [12345678901234567.89, 1e309, 18446744073709551616]}"#;
        assert_eq!(raw(&format!(" {numbers}\n"), true), numbers, "no digit is lost");
        assert_eq!(ok("plain", true), json!("plain"));
        assert_eq!(ok("", true), json!(""));
        assert_eq!(ok("[1, 2", false), json!("[1, 2"));
        let nested = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
        assert_eq!(ok(&nested, true), json!(nested), "what nests too deeply is text");
        let long = "ü".repeat(MAX_CHARS + 1);
        assert_eq!(ok(&long, true).as_str().map(|text| text.chars().count()), Some(MAX_CHARS));
        let error = read_answer(StatusCode::BAD_GATEWAY, "out of order", true).expect_err("an error");
        assert_eq!(error.detail(), "the tool's server answered 502: out of order");
    }
}
