//! Quotes passages that the host added to the instructions, for agents without tools.

use super::words::words;
use crate::chat::Message;

/// The line after which the host lists passages.
const MARK: &str = "Context:";

const MAX_PASSAGES: usize = 3;

/// Quotes the passages that share words with the question; `None` if there are none.
pub(super) fn quote(messages: &[Message], question: &str) -> Option<String> {
    let said = words(question);
    let mut passages: Vec<(usize, String)> = messages
        .iter()
        .filter_map(|message| match message {
            Message::System { content } => after_mark(content),
            _ => None,
        })
        .flat_map(passages)
        .map(|passage| (words(&passage).intersection(&said).count(), passage))
        .filter(|(shared, passage)| *shared > 0 && !passage.is_empty())
        .collect();
    if passages.is_empty() {
        return None;
    }
    passages.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    let more = passages.len().saturating_sub(MAX_PASSAGES);
    let quoted: Vec<_> = passages.iter().take(MAX_PASSAGES).map(|(_, passage)| super::render::quote(passage)).collect();
    let more = if more > 0 { format!("\n\n… and {more} more.") } else { String::new() };
    Some(format!("From the context I was given:\n\n{}{more}", quoted.join("\n\n")))
}

/// The passages of a context. The host puts each between a line that ends with `<<<` and random digits, and a line of the same digits
/// and `>>>`; a context without such lines has a passage in each paragraph.
fn passages(context: &str) -> Vec<String> {
    let mut framed = Vec::new();
    let mut rest = context;
    while let Some((head, digits, body)) = next_frame(rest) {
        let end = format!("\n{digits}>>>");
        let (text, after) = body.split_once(end.as_str()).unwrap_or((body, ""));
        framed.push(format!("{head} {}", text.trim()));
        rest = after;
    }
    if framed.is_empty() { context.split("\n\n").map(|passage| passage.trim().to_owned()).collect() } else { framed }
}

/// The next line that begins a passage, such as `[1] from "a.pdf" <<<…`: what stands before its digits, the digits, and what follows.
fn next_frame(text: &str) -> Option<(&str, &str, &str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if let Some((head, digits)) = line.trim_end().rsplit_once(" <<<")
            && head.starts_with('[')
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return Some((head, digits, text.get(at..).unwrap_or_default()));
        }
    }
    None
}

fn after_mark(instructions: &str) -> Option<&str> {
    let mut at = 0;
    for line in instructions.split_inclusive('\n') {
        at += line.len();
        if line.trim_end() == MARK {
            return instructions.get(at..);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_that_fit_are_quoted_best_first() {
        let system = Message::system(
            "Be brief.\n\nContext:\n[1] The moon is far.\n\n[2] Leave lasts four weeks.\n\n[3] Parental leave lasts a year.",
        );
        let answer = quote(&[system], "How long does parental leave last?").expect("two passages fit");
        let (year, weeks) = (answer.find("a year"), answer.find("four weeks"));
        assert!(year.is_some() && weeks.is_some() && year < weeks, "{answer}");
        assert!(!answer.contains("moon"), "{answer}");
    }

    #[test]
    fn marks_around_passages_are_not_quoted() {
        let system = Message::system(
            "Data.\n\nContext:\n[1] from \"a.pdf\" <<<0a1b\nThe moon is far.\n\nVery far.\n0a1b>>>\n\n[2] from \"b.pdf\" <<<0a1b\nLeave \
             lasts four weeks.\n0a1b>>>\n",
        );
        let answer = quote(&[system], "How far is the moon?").expect("a passage fits");
        assert!(answer.contains("[1] from \"a.pdf\" The moon is far.") && answer.contains("Very far."), "{answer}");
        assert!(!answer.contains("0a1b") && !answer.contains("Leave"), "{answer}");
    }

    #[test]
    fn without_fitting_passages_there_is_nothing_to_quote() {
        let messages = [Message::system("Context:\nThe moon is far."), Message::system("You know about leave.")];
        assert_eq!(quote(&messages, "How long is leave?"), None);
        assert!(quote(&messages, "How far is the moon?").is_some());
    }
}
