//! Converts Postgres's text form of arrays to JSON: `{1,NULL,"a \"b\""}` becomes `[1,null,"a \"b\""]`.

use serde::Serialize;
use serde_json::value::RawValue;

use super::types::Element;
use super::value::rfc3339;

/// Postgres allows six dimensions; the limit stops the recursion on a hostile text.
const MAX_DEPTH: usize = 6;

/// The array as JSON text, or `None` if the text is no array. A prefix with bounds (`[2:3]={…}`) is left out.
///
/// `delimiter` stands between the elements: it is the type's own, `;` for `box` and `,` for all others that Postgres brings.
pub(super) fn to_json(text: &str, element: Element, delimiter: u8) -> Option<String> {
    let start = if text.starts_with('[') { text.find('=')? + 1 } else { 0 };
    let mut reader = Reader { bytes: text.as_bytes(), at: start, element, delimiter };
    let array = reader.array(0)?;
    if reader.at != text.len() {
        return None;
    }
    serde_json::to_string(&array).ok()
}

/// A part of an array. Numbers and documents stay as the server wrote them, so no digit is lost.
#[derive(Serialize)]
#[serde(untagged)]
enum Part {
    Null,
    Bool(bool),
    Raw(Box<RawValue>),
    Text(String),
    Array(Vec<Part>),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    element: Element,
    delimiter: u8,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn array(&mut self, depth: usize) -> Option<Part> {
        if depth >= MAX_DEPTH || self.peek()? != b'{' {
            return None;
        }
        self.at += 1;
        let mut items = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Part::Array(items));
        }
        loop {
            items.push(match self.peek()? {
                b'{' => self.array(depth + 1)?,
                b'"' => {
                    let text = self.quoted()?;
                    self.read(text)
                }
                _ => {
                    let text = self.bare()?;
                    if text == "NULL" { Part::Null } else { self.read(text) }
                }
            });
            self.at += 1;
            match self.bytes.get(self.at - 1)? {
                byte if *byte == self.delimiter => {}
                b'}' => return Some(Part::Array(items)),
                _ => return None,
            }
        }
    }

    fn quoted(&mut self) -> Option<String> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => {
                    text.push(self.peek()?);
                    self.at += 1;
                }
                _ => text.push(byte),
            }
        }
    }

    fn bare(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.at..)?;
        let length = rest.iter().position(|byte| *byte == self.delimiter || *byte == b'}')?;
        self.at += length;
        String::from_utf8(rest.get(..length)?.to_vec()).ok()
    }

    fn read(&self, text: String) -> Part {
        let read = match self.element {
            Element::Bool => match text.as_str() {
                "t" => Some(Part::Bool(true)),
                "f" => Some(Part::Bool(false)),
                _ => None,
            },
            // What is no number of JSON, such as `NaN`, is a text.
            Element::Number if serde_json::from_str::<serde_json::Number>(&text).is_err() => None,
            Element::Number | Element::Json => RawValue::from_string(text.clone()).ok().map(Part::Raw),
            Element::Timestamp => Some(Part::Text(rfc3339(&text))),
            Element::Text => None,
        };
        read.unwrap_or(Part::Text(text))
    }
}

/// Writes texts as the literal of a Postgres array: `{"a","b"}`.
pub fn array_literal<T: AsRef<str>>(items: &[T]) -> String {
    let quoted = items.iter().map(|item| format!("\"{}\"", item.as_ref().replace('\\', "\\\\").replace('"', "\\\"")));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_become_json() {
        for (text, element, json) in [
            ("{}", Element::Text, "[]"),
            ("{1,NULL,-3}", Element::Number, "[1,null,-3]"),
            (r#"{a,"b,\"c\\",NULL,"NULL"}"#, Element::Text, r#"["a","b,\"c\\",null,"NULL"]"#),
            ("{{1,2},{3,4}}", Element::Number, "[[1,2],[3,4]]"),
            ("[2:3]={t,f}", Element::Bool, "[true,false]"),
            (r#"{"{\"a\": 1}"}"#, Element::Json, r#"[{"a": 1}]"#),
            (r#"{"{\"a\": 12345678901234567.89}",1e309}"#, Element::Json, r#"[{"a": 12345678901234567.89},1e309]"#),
            (r#"{"2026-01-02 03:04:05+00"}"#, Element::Timestamp, r#"["2026-01-02T03:04:05+00:00"]"#),
            ("{NaN,1.5}", Element::Number, r#"["NaN",1.5]"#),
        ] {
            assert_eq!(to_json(text, element, b',').as_deref(), Some(json), "{text}");
        }
    }

    #[test]
    fn an_array_is_read_by_its_own_delimiter() {
        let boxes = "{(1,1),(0,0);(3,3),(2,2);NULL}";
        assert_eq!(to_json(boxes, Element::Text, b';').as_deref(), Some(r#"["(1,1),(0,0)","(3,3),(2,2)",null]"#));
        assert_eq!(to_json("{{a;b};{c;d}}", Element::Text, b';').as_deref(), Some(r#"[["a","b"],["c","d"]]"#));
    }

    #[test]
    fn what_is_no_array_is_left_alone() {
        for text in ["", "{", "{a", "{a}}", "x", r#"{"a}"#, "[1:2]", "{{{{{{{1}}}}}}}"] {
            assert_eq!(to_json(text, Element::Text, b','), None, "{text}");
        }
    }
}
