//! Writes down an endpoint's own words for the operator: without the key, and without what the conversation says.

use crate::chat::{ChatRequest, Message};
use crate::error::Reason;

use super::said::Said;

/// Characters of a reason.
const MAX_CHARS: usize = 400;
/// Bytes of a phrase that is not repeated where it stands in the conversation.
const PHRASE: usize = 24;
/// Bytes of a telling word, one with a digit or an `@`, that is not repeated where it stands in the conversation.
const WORD: usize = 5;
/// Stands where something was left out.
const LEFT_OUT: &str = "[…]";

/// The reason that a body gives; none where it says nothing.
pub(super) fn reason(said: &Said, key: Option<&str>, request: &ChatRequest) -> Option<Reason> {
    let mut text: String = said.words().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        text = text.replace(key, LEFT_OUT);
    }
    // What follows is not shown, so it need not be searched.
    let text: String = text.trim().chars().take(2 * MAX_CHARS).collect();
    let text = without_quotations(&text, request);
    let mut short: String = text.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    (!short.is_empty()).then(|| Reason::new(short))
}

/// The text without what it repeats of the conversation: long phrases, and words that tell something, such as numbers.
fn without_quotations(text: &str, request: &ChatRequest) -> String {
    let said: Vec<&str> = request.messages.iter().filter_map(words_of).collect();
    let is_said = |part: &str| said.iter().any(|message| message.contains(part));
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = quoted(rest, is_said);
        if length == 0 {
            kept.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        } else {
            kept.push_str(LEFT_OUT);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    words(&kept, is_said)
}

/// Bytes at the beginning of a text that repeat the conversation; none where they are too few to be a quotation.
fn quoted(text: &str, is_said: impl Fn(&str) -> bool) -> usize {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut length = 0;
    for end in ends.filter(|end| *end >= PHRASE) {
        if !text.get(..end).is_some_and(&is_said) {
            break;
        }
        length = end;
    }
    length
}

/// The text without telling words of the conversation.
fn words(text: &str, is_said: impl Fn(&str) -> bool) -> String {
    let is_edge = |c: char| !c.is_alphanumeric() && c != '@';
    let one = |word: &str| {
        let bare = word.trim_matches(is_edge);
        let is_telling = bare.len() >= WORD && bare.contains(|c: char| c.is_ascii_digit() || c == '@');
        if is_telling && is_said(bare) { word.replace(bare, LEFT_OUT) } else { word.to_owned() }
    };
    text.split_inclusive(' ').map(one).collect()
}

fn words_of(message: &Message) -> Option<&str> {
    match message {
        Message::System { .. } => None,
        Message::User { content } | Message::Assistant { content, .. } | Message::Tool { content, .. } => Some(content),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(words: &str, prompt: &str) -> String {
        let request = ChatRequest { messages: vec![Message::user(prompt)], ..ChatRequest::default() };
        let reason = reason(&Said::of(&json!({ "message": words })), Some("sk-secret"), &request);
        reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default()
    }

    #[test]
    fn an_operator_reads_what_the_endpoint_says_and_not_what_a_user_said() {
        let refused = "Unsupported parameter: 'max_tokens' is not supported with this model.";
        assert_eq!(of(refused, "hello"), refused);
        assert_eq!(of("your key sk-secret is no good\n", ""), "your key […] is no good");
        let prompt = "my diagnosis is something rare, patient ZEBRA-7731";
        assert_eq!(of("bad input 'my diagnosis is something rare' of ZEBRA-7731!", prompt), "bad input '[…]' of […]!");
        assert!(of(&"x".repeat(10_000), "").chars().count() <= MAX_CHARS + 1);
        assert_eq!(of("", "hello"), "");
    }
}
