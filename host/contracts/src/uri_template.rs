//! Addresses of resources with variables: `notes://{id}` (RFC 6570, level 1).

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::content::has_scheme;

/// Characters of a template.
const MAX_CHARS: usize = 500;

/// An address whose variables are the arguments of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct UriTemplate {
    text: String,
    #[serde(skip)]
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(String),
}

impl UriTemplate {
    /// Reads a template. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !has_scheme(text) || text.chars().count() > MAX_CHARS || text.contains(|sign: char| sign <= ' ') {
            return Err("a resource's uri begins with a scheme, such as notes://, and has at most 500 characters");
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a brace in the resource's uri is not closed")?;
            if !is_variable(name) {
                return Err("a variable of the resource's uri is of the form {[a-z_][a-z0-9_]*}");
            }
            if literal.is_empty() {
                return Err("two variables of the resource's uri stand beside each other");
            }
            if pieces.iter().any(|piece| matches!(piece, Piece::Variable(other) if other == name)) {
                return Err("a variable stands twice in the resource's uri");
            }
            pieces.extend([Piece::Literal(literal.to_owned()), Piece::Variable(name.to_owned())]);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        let is_open = |piece: &Piece| matches!(piece, Piece::Literal(text) if text.contains('}'));
        if pieces.iter().any(is_open) {
            Err("a brace in the resource's uri was not opened")
        } else {
            Ok(Self { text: text.to_owned(), pieces })
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The values of its variables in an address; none where the address is not one of its.
    pub fn values(&self, uri: &str) -> Option<Map<String, Value>> {
        let (mut values, mut rest) = (Map::new(), uri);
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Literal(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Variable(name) => {
                    let end = match pieces.peek() {
                        Some(Piece::Literal(next)) => rest.find(next.as_str())?,
                        _ => rest.len(),
                    };
                    let (value, after) = rest.split_at_checked(end)?;
                    // These end a value: a client that means them writes them as %2F.
                    if value.is_empty() || value.contains(['/', '?', '#']) {
                        return None;
                    }
                    let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
                    values.insert(name.clone(), Value::String(value));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(values)
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(template: &str, uri: &str) -> Option<Value> {
        UriTemplate::parse(template).expect("a template").values(uri).map(Value::Object)
    }

    #[test]
    fn an_address_gives_the_values_of_its_variables() {
        assert_eq!(values("notes://all", "notes://all"), Some(json!({})));
        assert_eq!(values("notes://all", "notes://all/1"), None);
        assert_eq!(values("notes://{id}", "notes://7"), Some(json!({ "id": "7" })));
        assert_eq!(values("notes://{id}", "notes://a%2Fb%20c"), Some(json!({ "id": "a/b c" })));
        assert_eq!(values("a:{x}/of/{y_2}.md", "a:1/of/2.md"), Some(json!({ "x": "1", "y_2": "2" })));
        for other in ["notes://", "notes://1/2", "notes://1?x=2", "notes://%FF", "files://1", ""] {
            assert_eq!(values("notes://{id}", other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_reason() {
        for (text, reason) in [
            ("notes", "scheme"),
            ("://x", "scheme"),
            ("notes://a b", "scheme"),
            ("notes://{id", "not closed"),
            ("notes://id}", "not opened"),
            ("notes://{}", "form"),
            ("notes://{Id}", "form"),
            ("notes://{a}{b}", "beside each other"),
            ("notes://{a}/{a}", "twice"),
        ] {
            assert!(UriTemplate::parse(text).is_err_and(|said| said.contains(reason)), "{text}");
        }
        assert_eq!(
            UriTemplate::parse("x:{a}/{b}").map(|one| one.variables().map(str::to_owned).collect()),
            Ok(vec!["a".to_owned(), "b".to_owned()])
        );
    }
}
