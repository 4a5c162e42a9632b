//! What the body of an error says, in whichever form an endpoint writes it.

use serde_json::Value;

/// Longest text that counts as an error code.
const MAX_CODE_BYTES: usize = 48;
/// Texts that are read in one body.
const MAX_TEXTS: usize = 64;
/// Bytes of one text that are read.
const MAX_TEXT_BYTES: usize = 4 << 10;
/// Levels of a body that are read.
const MAX_DEPTH: usize = 8;
/// Keys under which words for people stand.
const WORDS: [&str; 8] = ["detail", "details", "error", "errors", "message", "msg", "raw", "status_msg"];
/// Keys under which words for programs stand.
const CODES: [&str; 7] = ["code", "error_type", "param", "reason", "status", "status_code", "type"];
/// Keys under which the names of fields stand.
const PLACES: [&str; 2] = ["field", "loc"];
/// Keys below which both stand.
const WRAPPERS: [&str; 5] = ["base_resp", "fieldViolations", "innererror", "metadata", "description"];

/// The texts and numbers of an error's body.
///
/// Bodies are `{"error": {"message", "type", "code", "param"}}` (`OpenAI`), the inner object alone, a text (`LM Studio`), a list of
/// them (Gemini), `{"detail": …}` (`FastAPI`), `{"message": {"detail": […]}}` (Mistral), `{"errors": […]}` (Cloudflare),
/// `{"base_resp": {"status_msg"}}` (`MiniMax`), JSON within a text (`OpenRouter`), and no JSON at all (proxies).
#[derive(Debug, Default)]
pub(super) struct Said {
    /// As they were written; the first is what the operator reads.
    words: Vec<String>,
    /// In lower case.
    texts: Vec<String>,
    codes: Vec<String>,
    /// Names of fields, which are no codes.
    places: Vec<String>,
    numbers: Vec<u64>,
}

impl Said {
    /// Reads the body of an answer.
    pub(super) fn of_body(body: &[u8]) -> Self {
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            return Self::of(&value);
        }
        let mut said = Self::default();
        let text = String::from_utf8_lossy(body.get(..MAX_TEXT_BYTES).unwrap_or(body));
        // A page says nothing that would help, and much of it.
        if !text.trim_start().starts_with('<') {
            said.words_in(&text, 0);
        }
        said
    }

    /// Reads a value.
    pub(super) fn of(body: &Value) -> Self {
        let mut said = Self::default();
        said.read(body, 0);
        said
    }

    fn read(&mut self, value: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::String(text) => self.words_in(text, depth),
            Value::Array(items) => items.iter().for_each(|item| self.read(item, depth + 1)),
            Value::Object(fields) => {
                // Words first: the first of them is shown.
                for (key, value) in fields.iter().filter(|(key, _)| WORDS.contains(&key.as_str())) {
                    // Names of errors stand under `error` in some bodies, beside the words.
                    match value {
                        Value::String(code) if key == "error" && fields.contains_key("message") => self.code(code),
                        _ => self.read(value, depth + 1),
                    }
                }
                for (key, value) in fields.iter().filter(|(key, _)| CODES.contains(&key.as_str())) {
                    self.codes_in(value, key);
                }
                for (_, value) in fields.iter().filter(|(key, _)| PLACES.contains(&key.as_str())) {
                    let names = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                    let left = MAX_TEXTS.saturating_sub(self.places.len());
                    self.places.extend(names.iter().filter_map(Value::as_str).take(left).map(str::to_lowercase));
                }
                for (_, value) in fields.iter().filter(|(key, _)| WRAPPERS.contains(&key.as_str())) {
                    self.read(value, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn words_in(&mut self, text: &str, depth: usize) {
        let text = text.trim();
        if text.is_empty() || self.texts.len() >= MAX_TEXTS {
            return;
        }
        if text.starts_with(['{', '['])
            && let Ok(inner) = serde_json::from_str::<Value>(text)
        {
            self.read(&inner, depth + 1);
            return;
        }
        let end = (0..=MAX_TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let text = text.get(..end).unwrap_or_default();
        self.words.push(text.to_owned());
        self.texts.push(text.to_lowercase());
    }

    fn codes_in(&mut self, value: &Value, key: &str) {
        match value {
            Value::String(code) => match code.parse() {
                Ok(number) if matches!(key, "code" | "status" | "status_code") => self.numbers.push(number),
                _ => self.code(code),
            },
            Value::Number(number) => self.numbers.extend(number.as_u64()),
            _ => {}
        }
    }

    fn code(&mut self, code: &str) {
        if self.codes.len() < MAX_TEXTS && code.len() <= MAX_TEXT_BYTES {
            self.codes.push(code.to_lowercase());
        }
    }

    /// Whether a phrase in lower case stands in a text or a code.
    pub(super) fn has(&self, phrase: &str) -> bool {
        self.everything().any(|text| text.contains(phrase))
    }

    fn everything(&self) -> impl Iterator<Item = &String> {
        self.texts.iter().chain(&self.codes).chain(&self.places)
    }

    /// Whether one of these phrases stands in a text or a code.
    pub(super) fn has_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase))
    }

    /// Whether a name stands in a text or a code as a word of its own: `max_tokens` is not in `max_tokens_to_sample`.
    pub(super) fn names(&self, name: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let stands_in = |text: &String| {
            text.match_indices(name).any(|(at, _)| {
                let before = text.get(..at).and_then(|text| text.chars().next_back());
                let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
                !before.is_some_and(is_part) && !after.is_some_and(is_part)
            })
        };
        self.everything().any(stands_in)
    }

    /// The numbers of errors, in order.
    pub(super) fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// The words of the endpoint.
    pub(super) fn words(&self) -> String {
        let mut words = self.words.clone();
        words.dedup();
        if words.is_empty() { self.codes.join(" ") } else { words.join("; ") }
    }

    /// The error code, if there is one. Keys and prose contain other characters, so they never count as one.
    pub(super) fn code_word(&self) -> Option<String> {
        let is_code = |code: &&String| {
            code.len() <= MAX_CODE_BYTES
                && code.contains(|c: char| c.is_ascii_lowercase())
                && code.chars().all(|c| c.is_ascii_lowercase() || "_.[]".contains(c))
        };
        self.codes.iter().find(is_code).cloned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_found_in_every_form_of_body() {
        let words = "no such thing";
        let raw = json!({"error": {"message": words}}).to_string();
        for body in [
            json!({"error": {"message": words, "type": "x"}}),
            json!({"error": words}),
            json!([{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]),
            json!({"detail": words}),
            json!({"detail": [{"loc": ["body", "x"], "msg": words, "type": "extra_forbidden"}]}),
            json!({"object": "error", "message": {"detail": [{"msg": words}]}}),
            json!({"errors": [{"message": words, "code": 7000}], "success": false}),
            json!({"base_resp": {"status_code": 1004, "status_msg": words}}),
            json!({"error": {"message": "Provider returned error", "metadata": {"raw": raw}}}),
            json!(words),
        ] {
            assert!(Said::of_body(body.to_string().as_bytes()).words().contains(words), "{body}");
        }
        assert_eq!(Said::of_body(words.as_bytes()).words(), words);
        assert_eq!(Said::of_body(b"<html>no such thing</html>").words(), "");
    }

    #[test]
    fn names_are_words_of_their_own() {
        let said = Said::of(&json!({"detail": [{"loc": ["body", "stream_options", "include_usage"]}]}));
        assert!(said.names("stream_options") && !said.names("stream"));
        let said = Said::of(&json!("Unsupported parameter: 'max_tokens_x', use 'max_completion_tokens'."));
        assert!(said.names("max_completion_tokens") && !said.names("max_tokens"));
    }

    #[test]
    fn a_body_cannot_make_it_read_without_end() {
        let deep = (0..100).fold(json!("x"), |inner, _| json!({ "error": inner }));
        assert_eq!(Said::of(&deep).words(), "");
        let long = Said::of(&json!({"message": "ü".repeat(1 << 20)}));
        assert!(long.words().len() <= MAX_TEXT_BYTES);
        assert!(Said::of(&json!(vec!["x"; 10_000])).texts.len() <= MAX_TEXTS);
    }
}
