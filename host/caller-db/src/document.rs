//! JSON as a parameter becomes what the parameter is: `["a"]` is `{"a"}` for an array of texts, and stays as it is for `jsonb` and
//! for pgvector's types; `{"street": "x"}` is `("x")` for a composite type.
//!
//! Nothing is ambiguous here: no literal of an array begins as JSON's arrays do and is JSON as well, and none of a composite type
//! begins with a brace.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::types::{TypeEntry, TypeKind, TypeMap};

/// Values inside each other; deeper ones are left to the server.
const MAX_DEPTH: usize = 32;

/// Whether a text is a JSON array, or an object that is not empty: `{}` is an empty array of Postgres as well.
pub(super) fn is_document(text: &str) -> bool {
    let text = text.trim();
    (text.starts_with('[') || text.starts_with('{') && text.len() > 2)
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The literal of the type for a JSON array or object; `None` where the type reads the text itself.
pub(super) fn literal(text: &str, oid: u32, types: &TypeMap) -> Option<String> {
    match convert(text, oid, types, 0)? {
        Literal::Whole(text) => Some(text),
        Literal::Null | Literal::Bare(_) | Literal::Text(_) => None,
    }
}

/// A value as a part of a literal.
enum Literal<'a> {
    Null,
    /// A number or a boolean, which needs no quotes.
    Bare(&'a str),
    /// The text that the type reads, which is quoted.
    Text(Cow<'a, str>),
    /// The literal of an array or of a composite type.
    Whole(String),
}

fn convert<'a>(json: &'a str, oid: u32, types: &TypeMap, depth: usize) -> Option<Literal<'a>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let json = json.trim();
    if json == "null" {
        return Some(Literal::Null);
    }
    let entry = below_domains(oid, types);
    match (json.as_bytes().first()?, entry.as_ref()) {
        (_, Some(entry)) if entry.kind == TypeKind::Json => Some(Literal::Text(json.into())),
        (b'[', Some(TypeEntry { kind: TypeKind::Array(_, delimiter), element: Some(element), .. })) => {
            array(json, *element, *delimiter, types, depth)
        }
        (b'{', Some(entry)) if !entry.fields.is_empty() => composite(json, &entry.fields, types, depth),
        (b'"', _) => serde_json::from_str::<String>(json).ok().map(|text| Literal::Text(text.into())),
        (b'[' | b'{', _) => Some(Literal::Text(json.into())),
        _ => Some(Literal::Bare(json)),
    }
}

fn below_domains(oid: u32, types: &TypeMap) -> Option<TypeEntry> {
    let entry = types.get(oid)?;
    if entry.base == oid { Some(entry) } else { types.get(entry.base) }
}

fn array(json: &str, element: u32, delimiter: u8, types: &TypeMap, depth: usize) -> Option<Literal<'static>> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let reads_arrays = below_domains(element, types).is_some_and(|entry| {
        entry.kind == TypeKind::Json
            || !entry.fields.is_empty()
            || matches!(&*entry.name, "vector" | "halfvec" | "sparsevec")
    });
    let mut literal = String::from("{");
    for (index, item) in items.iter().map(|item| item.get().trim()).enumerate() {
        if index > 0 {
            literal.push(char::from(delimiter));
        }
        // An array in an array is another dimension, unless the elements are read from arrays.
        let part = if item.starts_with('[') && !reads_arrays {
            array(item, element, delimiter, types, depth + 1)?
        } else {
            convert(item, element, types, depth + 1)?
        };
        match part {
            Literal::Null => literal.push_str("NULL"),
            Literal::Bare(text) => literal.push_str(text),
            Literal::Whole(whole) if whole.starts_with('{') => literal.push_str(&whole),
            Literal::Whole(text) => quote(&text, &mut literal, "\\\"", "\\\\"),
            Literal::Text(text) => quote(&text, &mut literal, "\\\"", "\\\\"),
        }
    }
    literal.push('}');
    Some(Literal::Whole(literal))
}

fn composite(json: &str, fields: &[(String, u32)], types: &TypeMap, depth: usize) -> Option<Literal<'static>> {
    let given: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let mut literal = String::from("(");
    for (index, (name, oid)) in fields.iter().enumerate() {
        if index > 0 {
            literal.push(',');
        }
        // A field that is not given is NULL, which is written as nothing.
        let Some(value) = given.get(name) else { continue };
        match convert(value.get(), *oid, types, depth + 1)? {
            Literal::Null => {}
            Literal::Bare(text) => literal.push_str(text),
            Literal::Whole(text) => quote(&text, &mut literal, "\"\"", "\\\\"),
            Literal::Text(text) => quote(&text, &mut literal, "\"\"", "\\\\"),
        }
    }
    literal.push(')');
    Some(Literal::Whole(literal))
}

/// Always in quotes, so that what is empty, says NULL or holds a delimiter stays what it is.
fn quote(text: &str, literal: &mut String, quote: &str, backslash: &str) {
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' => literal.push_str(quote),
            '\\' => literal.push_str(backslash),
            other => literal.push(other),
        }
    }
    literal.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// oid, name, name of the element, oid of the element, delimiter, base.
    fn types() -> TypeMap {
        let types = [
            "23 int4 . 0 , 23",
            "25 text . 0 , 25",
            "1007 _int4 int4 23 , 1007",
            "1009 _text text 25 , 1009",
            "3802 jsonb . 0 , 3802",
            "3807 _jsonb jsonb 3802 , 3807",
            "603 box . 0 ; 603",
            "1020 _box box 603 ; 1020",
            "9000 vector . 0 , 9000",
            "9001 _vector vector 9000 , 9001",
            "9002 tags . 0 , 1009",
            "9003 address . 0 , 9003",
            "9004 _address address 9003 , 9004",
        ];
        let split = |line: &&str| {
            let mut words = line.split(' ').map(|word| if word == "." { String::new() } else { word.to_owned() });
            std::array::from_fn(|_| words.next().expect("six words"))
        };
        let fields = [["9003", "street", "25"], ["9003", "numbers", "1007"], ["9003", "meta", "3802"]];
        let map = TypeMap::default();
        map.load(types.iter().map(split), fields.into_iter().map(|field| field.map(str::to_owned)));
        map
    }

    #[test]
    fn an_array_becomes_what_its_parameter_is() {
        let types = types();
        let made = |json: &str, oid| literal(json, oid, &types);
        for (json, oid, expected) in [
            ("[1, null, -3]", 1007, "{1,NULL,-3}"),
            ("[[1, 2], [3, 4]]", 1007, "{{1,2},{3,4}}"),
            (r#"["a", "NULL", "", "x\"y\\z,"]"#, 1009, r#"{"a","NULL","","x\"y\\z,"}"#),
            (r#"["a"]"#, 9002, r#"{"a"}"#),
            (r#"[["a"], {"b": 1e309}, "c", 1, null]"#, 3807, r#"{"[\"a\"]","{\"b\": 1e309}","\"c\"","1",NULL}"#),
            (r#"["(1,1),(0,0)", "(3,3),(2,2)"]"#, 1020, r#"{"(1,1),(0,0)";"(3,3),(2,2)"}"#),
            ("[[1, 2], [3, 4.5]]", 9001, r#"{"[1, 2]","[3, 4.5]"}"#),
            ("[]", 1007, "{}"),
        ] {
            assert_eq!(made(json, oid).as_deref(), Some(expected), "{json}");
        }
        for oid in [3802, 9000, 25, 23, 7] {
            assert_eq!(made("[1, 2]", oid), None, "{oid} reads the text itself");
        }
    }

    #[test]
    fn an_object_becomes_a_row_of_a_composite_type() {
        let types = types();
        let row = r#"{"street": "a \"b\" \\", "numbers": [1, 2], "meta": {"k": [true]}, "more": 1}"#;
        let expected = r#"("a ""b"" \\","{1,2}","{""k"": [true]}")"#;
        assert_eq!(literal(row, 9003, &types).as_deref(), Some(expected));
        assert_eq!(literal(r#"{"meta": "x", "street": null}"#, 9003, &types).as_deref(), Some(r#"(,,"""x""")"#));
        let expected = r#"{"(\"a\",,)",NULL}"#;
        assert_eq!(literal(r#"[{"street": "a"}, null]"#, 9004, &types).as_deref(), Some(expected));
        assert_eq!(literal(r#"{"a": 1}"#, 3802, &types), None);
    }

    #[test]
    fn what_is_json_is_told_from_other_literals() {
        for document in ["[]", " [1] ", r#"{"a": 1}"#, "[[\"x\"]]"] {
            assert!(is_document(document), "{document}");
        }
        for text in ["{}", "{1,2}", r#"{"a","b"}"#, "[2:3]={1,2}", "", "x", "1", "\"x\"", "[1,2) ", "(1,2)"] {
            assert!(!is_document(text), "{text}");
        }
    }
}
