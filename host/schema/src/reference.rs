//! Finds what a reference in a schema points to. Nothing is fetched: a reference that points out of the schema points to nothing.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Keywords that hold a reference. Those of later drafts that depend on who refers are read as if they did not.
pub(crate) const REFERENCES: [&str; 3] = ["$dynamicRef", "$recursiveRef", "$ref"];
/// Keywords that give a schema a name within its document.
const NAMES: [&str; 2] = ["$anchor", "$dynamicAnchor"];
/// Keywords that name a document; the second is the one of draft 4.
const IDS: [&str; 2] = ["$id", "id"];

/// The references of one schema.
#[derive(Debug)]
pub(crate) struct References<'a> {
    root: &'a Value,
    /// Whether the first of two places leads to the second, by their addresses.
    leads: HashMap<(usize, usize), bool>,
}

/// A place in a schema and its JSON Pointer.
pub(crate) type Place<'a> = (&'a Value, String);

impl<'a> References<'a> {
    /// Those of this schema.
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root, leads: HashMap::new() }
    }

    /// What a reference points to, or why it points to nothing.
    pub(crate) fn target(&self, reference: &Value) -> Result<Place<'a>, &'static str> {
        let text = reference.as_str().ok_or("the reference is not a text")?;
        let own = IDS.iter().filter_map(|key| self.root.get(*key)?.as_str()).map(|id| id.trim_end_matches('#'));
        let within = own.filter(|id| !id.is_empty()).find_map(|id| text.strip_prefix(id));
        let fragment = match within.unwrap_or(text) {
            "" => "",
            text => text.strip_prefix('#').ok_or("the reference points out of the schema")?,
        };
        // A pointer in a fragment is percent-encoded (RFC 6901, section 6).
        let decoded = percent_decode_str(fragment).decode_utf8().map_err(|_| "the reference is no UTF-8")?;
        if decoded.is_empty() || decoded.starts_with('/') {
            let found = self.root.pointer(&decoded).ok_or("the reference points to nothing")?;
            return Ok((found, decoded.into_owned()));
        }
        named(self.root, &decoded, &mut String::new()).ok_or("the reference points to nothing")
    }

    /// Whether following references from one place leads to another.
    pub(crate) fn leads_to(&mut self, from: &'a Value, to: &'a Value) -> bool {
        let key = (address(from), address(to));
        if let Some(known) = self.leads.get(&key) {
            return *known;
        }
        let (mut waiting, mut seen, mut leads) = (vec![from], HashSet::new(), false);
        while let Some(place) = waiting.pop() {
            let mut found = Vec::new();
            collect(place, &mut found);
            for target in found.into_iter().filter_map(|reference| self.target(reference).ok()) {
                leads |= std::ptr::eq(target.0, to);
                if seen.insert(address(target.0)) {
                    waiting.push(target.0);
                }
            }
        }
        self.leads.insert(key, leads);
        leads
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

/// The references within a value.
fn collect<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            found.extend(REFERENCES.iter().filter_map(|key| fields.get(*key)));
            fields.values().for_each(|field| collect(field, found));
        }
        _ => {}
    }
}

/// The schema that gives itself this name. Draft 6 and 7 write names as an `$id` of a fragment.
fn named<'a>(value: &'a Value, name: &str, pointer: &mut String) -> Option<Place<'a>> {
    let below = |key: &str, child: &'a Value, pointer: &mut String| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&escaped(key));
        let found = named(child, name, pointer);
        pointer.truncate(length);
        found
    };
    match value {
        Value::Object(fields) => {
            let is_named = NAMES.iter().any(|key| fields.get(*key).and_then(Value::as_str) == Some(name))
                || fields.get("$id").and_then(Value::as_str).and_then(|id| id.strip_prefix('#')) == Some(name);
            if is_named {
                return Some((value, pointer.clone()));
            }
            fields.iter().find_map(|(key, field)| below(key, field, pointer))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(place, item)| below(&place.to_string(), item, pointer))
        }
        _ => None,
    }
}

/// A name as a part of a JSON Pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_find_pointers_names_and_the_schemas_own_address() {
        let schema = json!({
            "$id": "https://example.com/tool.json",
            "properties": {"a/b": {"$anchor": "here"}, "c": {"$id": "#there"}},
            "definitions": {"x": {"type": "string"}},
        });
        let references = References::new(&schema);
        let at = |text: &str| references.target(&json!(text)).map(|(_, pointer)| pointer);
        assert_eq!(at("#"), Ok(String::new()));
        assert_eq!(at("#/definitions/x"), Ok("/definitions/x".to_owned()));
        assert_eq!(at("https://example.com/tool.json#/definitions/x"), Ok("/definitions/x".to_owned()));
        assert_eq!(at("#here"), Ok("/properties/a~1b".to_owned()));
        assert_eq!(at("#there"), Ok("/properties/c".to_owned()));
        for nothing in ["https://example.com/other.json", "file:///etc/passwd", "other.json#/a", "#nowhere", "#/none"] {
            assert!(at(nothing).is_err(), "{nothing}");
        }
    }

    #[test]
    fn circles_are_found_over_any_number_of_steps() {
        let schema = json!({"$defs": {
            "a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/c"}}, "c": {"$ref": "#/$defs/a"},
            "d": {"$ref": "#/$defs/a"},
        }});
        let mut references = References::new(&schema);
        let at = |name: &str| &schema["$defs"][name];
        assert!(references.leads_to(at("a"), at("a")) && references.leads_to(at("d"), at("c")));
        assert!(!references.leads_to(at("a"), at("d")));
    }
}
