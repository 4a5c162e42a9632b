//! JSON as it is, with a line for each value.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::{MAX_TEXT, Pages};
use crate::text;
use crate::writer::{PART, Writer};

/// Most values inside of each other, as in the library where it keeps values.
const MAX_DEPTH: usize = 128;

const DAMAGED: Failure = Failure::damaged("The file is damaged: it is no valid JSON, or nested too deeply.");

/// Hands over JSON, or lines of JSON.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let text = text::read(document, text::MAX_FILE)?;
    let text = text.trim();
    for value in Deserializer::from_str(text).into_iter::<IgnoredAny>() {
        value.map_err(|_| DAMAGED)?;
    }
    let mut lines = Lines { writer: Writer::new(pages), part: String::new(), line: String::new(), size: 0 };
    lines.write(text)?;
    lines.end_line()?;
    lines.hand_over()
}

/// The character that is written as `u` and a number, and how many bytes that takes. One that would end the text, or
/// that nobody sees, stays as it is written.
fn written_out(text: &str) -> (String, usize) {
    let unit = |at: usize| text.get(at..at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let pair = (text.get(5..7) == Some("\\u")).then(|| unit(7)).flatten();
    let units: Vec<u16> = [unit(1), pair].into_iter().flatten().collect();
    let decoded = char::decode_utf16(units).next().and_then(Result::ok);
    match decoded {
        Some(c) if !c.is_control() && !matches!(c, '"' | '\\') => (c.into(), if c.len_utf16() == 2 { 11 } else { 5 }),
        _ => ("\\u".into(), 1),
    }
}

struct Lines<'p, 's> {
    writer: Writer<'p, 's>,
    part: String,
    line: String,
    /// Bytes of all lines.
    size: usize,
}

impl Lines<'_, '_> {
    /// Writes valid JSON anew. Numbers and texts stay as they are written.
    fn write(&mut self, json: &str) -> Result<(), Stop> {
        let mut depth: usize = 0;
        let (mut quoted, mut escaped) = (false, false);
        let mut before = ' ';
        let mut rest = json.chars();
        while let Some(c) = rest.next() {
            if quoted && !escaped && c == '\\' && rest.as_str().starts_with('u') {
                let (shown, length) = written_out(rest.as_str());
                self.line.push_str(&shown);
                rest = rest.as_str().get(length..).unwrap_or_default().chars();
                continue;
            }
            if quoted {
                self.line.push(c);
                quoted = escaped || c != '"';
                escaped = !escaped && c == '\\';
                continue;
            }
            let closes = matches!(c, '}' | ']');
            depth = if closes { depth.saturating_sub(1) } else { depth };
            if c.is_whitespace() {
                if depth == 0 && !self.line.is_empty() {
                    self.end_line()?;
                }
                continue;
            }
            let opened = matches!(before, '{' | '[');
            // A value on the outermost level begins a line of its own.
            let begins = depth == 0 && !closes && !self.line.is_empty() && matches!(before, '}' | ']');
            if opened != closes || before == ',' || begins {
                self.end_line()?;
                self.line.push_str(&"  ".repeat(depth));
            }
            self.line.push(c);
            match c {
                '"' => quoted = true,
                ':' => self.line.push(' '),
                '{' | '[' if depth >= MAX_DEPTH => return Err(DAMAGED.into()),
                '{' | '[' => depth += 1,
                _ => {}
            }
            before = c;
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Stop> {
        self.size += self.line.len() + 1;
        if self.size > MAX_TEXT {
            return Err(Failure::too_large("The document holds more text than a document may hold.").into());
        }
        if self.part.len() + self.line.len() > PART {
            self.hand_over()?;
        }
        self.part.push_str(&self.line);
        self.part.push('\n');
        self.line.clear();
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), Stop> {
        let part = std::mem::take(&mut self.part);
        if part.trim().is_empty() {
            return Ok(());
        }
        self.writer.block(&format!("```json\n{}\n```", part.trim_end()), false)?;
        self.writer.end_part()
    }
}

#[cfg(test)]
mod tests {
    use crate::failure::Reason;
    use crate::testing::extract;

    #[test]
    fn json_is_shown_line_by_line() {
        let json = br#" {"a":[1.50,{"b":"x, [y] \" z"}],"c":{},"d":[]} "#;
        let pages = extract(json, "json").expect("JSON").1;
        let expected = "{\n  \"a\": [\n    1.50,\n    {\n      \"b\": \"x, [y] \\\" z\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}";
        assert_eq!(pages[0].text, format!("```json\n{expected}\n```"));
        let pages = extract(b"{\"a\":1}\n{\"a\":2}\n", "jsonl").expect("JSON").1;
        assert_eq!(pages[0].text, "```json\n{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n```");
    }

    #[test]
    fn letters_that_are_written_as_numbers_are_shown() {
        let json = br#"["\u00fc \ud83d\ude00 \u0022 \u005c \u0007 \ud83d \\u00fc"]"#;
        let pages = extract(json, "json").expect("JSON").1;
        let expected = "```json\n[\n  \"ü 😀 \\u0022 \\u005c \\u0007 \\ud83d \\\\u00fc\"\n]\n```";
        assert_eq!(pages[0].text, expected);
    }

    #[test]
    fn deep_and_broken_json_is_damaged() {
        let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        for json in [deep.as_str(), "{\"a\":", "nonsense", "[1,]"] {
            assert_eq!(extract(json.as_bytes(), "json").map_err(|failure| failure.reason), Err(Reason::Damaged));
        }
    }

    #[test]
    fn indenting_does_not_make_much_of_little() {
        let json = format!("{}{}0{}", "[".repeat(120), "0,".repeat(1_000_000), "]".repeat(120));
        assert_eq!(extract(json.as_bytes(), "json").map_err(|failure| failure.reason), Err(Reason::TooLarge));
    }

    #[test]
    fn long_json_becomes_parts() {
        let json = format!("[{}0]", "\"some text of the document\",".repeat(5000));
        let pages = extract(json.as_bytes(), "json").expect("JSON").1;
        assert!(pages.len() > 5);
        assert!(pages.iter().all(|page| page.text.starts_with("```json\n") && page.text.ends_with("\n```")));
    }
}
