//! A tool's schema as a model's provider takes it. Providers take subsets of JSON Schema, and one that meets something else refuses
//! the whole request, with all its tools. The values that a model writes are checked against the whole schema all the same.
//!
//! Sources: `OpenAI` refuses arrays without `items`, combinations at the root and patterns that its engine cannot read; Anthropic
//! refuses combinations at the root and names of properties with other characters
//! (<https://docs.claude.com/en/api/messages>, `tools.input_schema`); Gemini reads a subset of `OpenAPI` 3.0
//! (<https://ai.google.dev/api/caching#Schema>). No provider reads references as all generators write them.

use serde_json::{Map, Value, json};

use crate::form::{is_exclusive, or_null, well_formed};
use crate::gemini::to_gemini;
use crate::pattern::is_usable;
use crate::reference::{REFERENCES, References};

/// Values of a schema for a model. A model reads them with every message.
const MAX_VALUES: usize = 2_000;
/// Schemas within each other.
const MAX_DEPTH: usize = 24;
/// Characters of a property's name that Anthropic takes.
const MAX_NAME: usize = 64;

/// What a provider takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelDialect {
    /// JSON Schema without what many servers cannot read.
    Common,
    /// The same, with the names of properties that Anthropic takes.
    Anthropic,
    /// The part of `OpenAPI` 3.0 that Gemini takes.
    Gemini,
}

/// The schema of a tool's arguments for a model: an object with `properties`, and no references.
pub fn for_model(schema: &Value, dialect: ModelDialect) -> Value {
    let mut writer = Writer { references: References::new(schema), open: Vec::new(), dialect, values: 0 };
    let fields = match writer.schema(schema, 0) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut root = merged(fields);
    root.insert("type".to_owned(), json!("object"));
    root.entry("properties").or_insert_with(|| json!({}));
    require_only_properties(&mut root);
    Value::Object(root)
}

/// The same with types, names and descriptions alone, for a provider that refuses more.
pub fn plain(schema: &Value) -> Value {
    const KEPT: [&str; 6] = ["type", "description", "properties", "items", "required", "enum"];
    fn keep(value: &Value) -> Value {
        let Value::Object(fields) = value else { return json!({}) };
        let mut kept = Map::new();
        for (keyword, value) in fields.iter().filter(|(keyword, _)| KEPT.contains(&keyword.as_str())) {
            let value = match (keyword.as_str(), value) {
                ("items", value) => keep(value),
                ("properties", Value::Object(named)) => {
                    named.iter().map(|(name, one)| (name.clone(), keep(one))).collect()
                }
                // Of several types, the first that is a value.
                ("type", Value::Array(types)) => match types.iter().find(|one| *one != "null") {
                    Some(first) => first.clone(),
                    None => continue,
                },
                ("enum", Value::Array(values)) if !values.iter().all(Value::is_string) => continue,
                (_, value) => value.clone(),
            };
            kept.insert(keyword.clone(), value);
        }
        kept.entry("type").or_insert_with(|| json!("string"));
        if kept.get("type") == Some(&json!("array")) {
            kept.entry("items").or_insert_with(|| json!({ "type": "string" }));
        }
        Value::Object(kept)
    }
    keep(&for_model(schema, ModelDialect::Gemini))
}

struct Writer<'a> {
    references: References<'a>,
    open: Vec<&'a Value>,
    dialect: ModelDialect,
    values: usize,
}

/// Keywords that are written as they are.
const COPIED: [&str; 14] = [
    "const",
    "default",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "minItems",
    "minLength",
    "required",
    "title",
    "type",
];
/// Keywords of these that Gemini does not take.
const NOT_GEMINI: [&str; 4] = ["const", "exclusiveMaximum", "exclusiveMinimum", "default"];

impl<'a> Writer<'a> {
    /// A schema, none where no value fits it.
    fn schema(&mut self, value: &'a Value, depth: usize) -> Option<Value> {
        self.values += 1;
        let fields = match value {
            Value::Bool(false) => return None,
            Value::Object(fields) if depth <= MAX_DEPTH && self.values <= MAX_VALUES => fields,
            // What is too deep or too much is anything.
            _ => return Some(self.finished(Map::new())),
        };
        let mut written = Map::new();
        for (keyword, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            self.keyword(keyword, value, fields, &mut written, depth);
        }
        for keyword in REFERENCES {
            if let Some(Value::Object(target)) = fields.get(keyword).and_then(|reference| self.target(reference, depth))
            {
                // What stands beside a reference, such as a description, wins.
                for (name, value) in target {
                    written.entry(name).or_insert(value);
                }
            }
        }
        Some(self.finished(written))
    }

    fn target(&mut self, reference: &'a Value, depth: usize) -> Option<Value> {
        let (target, _) = self.references.target(reference).ok()?;
        if self.open.iter().any(|open| std::ptr::eq(*open, target)) {
            return None;
        }
        self.open.push(target);
        let written = self.schema(target, depth + 1);
        self.open.pop();
        written
    }

    fn keyword(
        &mut self,
        keyword: &str,
        value: &'a Value,
        fields: &'a Map<String, Value>,
        written: &mut Map<String, Value>,
        depth: usize,
    ) {
        match (keyword, value) {
            ("properties", Value::Object(named)) => {
                let properties = self.properties(named, depth);
                written.insert(keyword.to_owned(), Value::Object(properties));
            }
            ("items" | "prefixItems", Value::Array(tuple)) => {
                let item = self.any_of(tuple, depth);
                written.insert("items".to_owned(), item);
            }
            ("items", _) if !fields.contains_key("prefixItems") => {
                let item = self.schema(value, depth + 1).unwrap_or_else(|| json!({}));
                written.insert(keyword.to_owned(), item);
            }
            ("anyOf" | "oneOf", Value::Array(list)) => {
                let list = list.iter().filter_map(|one| self.schema(one, depth + 1)).collect();
                written.insert("anyOf".to_owned(), Value::Array(list));
            }
            ("allOf", Value::Array(list)) => {
                for one in list {
                    if let Some(Value::Object(part)) = self.schema(one, depth + 1) {
                        join(written, part);
                    }
                }
            }
            _ => self.constraint(keyword, value, fields, written, depth),
        }
        if keyword == "type"
            && fields.get("nullable") == Some(&Value::Bool(true))
            && let Some(types) = written.get_mut("type")
        {
            *types = or_null(types);
        }
    }

    /// A keyword that bounds values, where the provider takes it.
    fn constraint(
        &mut self,
        keyword: &str,
        value: &'a Value,
        fields: &'a Map<String, Value>,
        written: &mut Map<String, Value>,
        depth: usize,
    ) {
        let is_gemini = self.dialect == ModelDialect::Gemini;
        match (keyword, value) {
            ("additionalProperties", _) if !is_gemini && (value.is_object() || value == &Value::Bool(false)) => {
                let value = if value.is_object() { self.schema(value, depth + 1) } else { None };
                written.insert(keyword.to_owned(), value.unwrap_or(Value::Bool(false)));
            }
            ("pattern", Value::String(pattern)) if !is_gemini && is_usable(pattern) => {
                written.insert(keyword.to_owned(), value.clone());
            }
            ("minimum" | "maximum", _) if value.is_number() => {
                let exclusive = if keyword == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
                let keyword = if is_exclusive(fields, keyword) && !is_gemini { exclusive } else { keyword };
                written.insert(keyword.to_owned(), value.clone());
            }
            ("const", _) if is_gemini && value.is_string() => {
                written.insert("enum".to_owned(), json!([value]));
            }
            _ if COPIED.contains(&keyword) && !(is_gemini && NOT_GEMINI.contains(&keyword)) => {
                if let Ok(formed) = well_formed(keyword, value) {
                    self.values += 1;
                    written.insert(keyword.to_owned(), formed);
                }
            }
            _ => {}
        }
    }

    fn properties(&mut self, named: &'a Map<String, Value>, depth: usize) -> Map<String, Value> {
        let is_anthropic = self.dialect == ModelDialect::Anthropic;
        let can_be_sent = |name: &str| {
            !is_anthropic
                || (1..=MAX_NAME).contains(&name.len())
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        let named = named.iter().filter(|(name, one)| !one.is_null() && can_be_sent(name));
        named.filter_map(|(name, one)| Some((name.clone(), self.schema(one, depth + 1)?))).collect()
    }

    /// A schema that each of these fits.
    fn any_of(&mut self, list: &'a [Value], depth: usize) -> Value {
        let mut different: Vec<Value> = Vec::new();
        for one in list.iter().filter_map(|one| self.schema(one, depth + 1)) {
            if !different.contains(&one) {
                different.push(one);
            }
        }
        match different.len() {
            0 => self.finished(Map::new()),
            1 => different.remove(0),
            _ => json!({ "anyOf": different }),
        }
    }

    /// Adds what providers need to find.
    fn finished(&self, mut written: Map<String, Value>) -> Value {
        let of_type = |written: &Map<String, Value>, name: &str| match written.get("type") {
            Some(Value::Array(types)) => types.iter().any(|one| one == name),
            Some(one) => one == name,
            None => false,
        };
        if !written.contains_key("type") {
            if written.contains_key("properties") {
                written.insert("type".to_owned(), json!("object"));
            } else if written.contains_key("items") {
                written.insert("type".to_owned(), json!("array"));
            }
        }
        let is_gemini = self.dialect == ModelDialect::Gemini;
        if of_type(&written, "array") {
            let item = if is_gemini { json!({ "type": "string" }) } else { json!({}) };
            written.entry("items").or_insert(item);
        }
        require_only_properties(&mut written);
        if is_gemini {
            to_gemini(&mut written);
        }
        Value::Object(written)
    }
}

/// Adds a part of `allOf` to the schema that it stands in.
fn join(written: &mut Map<String, Value>, part: Map<String, Value>) {
    for (keyword, value) in part {
        let Some(own) = written.get_mut(&keyword) else {
            written.insert(keyword, value);
            continue;
        };
        match (keyword.as_str(), own, value) {
            ("properties", Value::Object(own), Value::Object(more)) => {
                for (name, one) in more {
                    own.entry(name).or_insert(one);
                }
            }
            ("required", Value::Array(own), Value::Array(more)) => own.extend(more),
            _ => {}
        }
    }
}

/// The root without combinations: the properties of all alternatives, of which only those are required that all require.
fn merged(mut root: Map<String, Value>) -> Map<String, Value> {
    root.remove("enum");
    root.remove("const");
    root.remove("nullable");
    let Some(Value::Array(list)) = root.remove("anyOf") else { return root };
    let mut shared: Option<Vec<Value>> = None;
    for one in list {
        let Value::Object(mut one) = one else { continue };
        let required = match one.remove("required") {
            Some(Value::Array(names)) => names,
            _ => Vec::new(),
        };
        shared = Some(match shared {
            None => required,
            Some(before) => before.into_iter().filter(|name| required.contains(name)).collect(),
        });
        one.retain(|keyword, _| keyword == "properties");
        join(&mut root, one);
    }
    join(&mut root, Map::from_iter([("required".to_owned(), Value::Array(shared.unwrap_or_default()))]));
    // One alternative refuses what another one names.
    root.remove("additionalProperties");
    root
}

/// Leaves out of `required` what is no property, and what is there twice.
fn require_only_properties(written: &mut Map<String, Value>) {
    let Some(Value::Array(required)) = written.get("required") else { return };
    let properties = written.get("properties").and_then(Value::as_object);
    let is_there =
        |name: &&Value| name.as_str().is_some_and(|name| properties.is_some_and(|all| all.contains_key(name)));
    let mut kept: Vec<Value> = Vec::new();
    for name in required.iter().filter(is_there) {
        if !kept.contains(name) {
            kept.push(name.clone());
        }
    }
    if kept.is_empty() {
        written.remove("required");
    } else {
        written.insert("required".to_owned(), Value::Array(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(schema: &Value) -> Value {
        for_model(schema, ModelDialect::Common)
    }

    fn gemini(schema: &Value) -> Value {
        for_model(schema, ModelDialect::Gemini)
    }

    #[test]
    fn an_object_has_properties_and_a_list_has_items() {
        assert_eq!(common(&json!({})), json!({"type": "object", "properties": {}}));
        assert_eq!(common(&json!({"type": "object"})), json!({"type": "object", "properties": {}}));
        let list = json!({"type": "object", "properties": {"a": {"type": "array"}}});
        assert_eq!(common(&list)["properties"]["a"], json!({"type": "array", "items": {}}));
        assert_eq!(gemini(&list)["properties"]["a"], json!({"type": "array", "items": {"type": "string"}}));
    }

    #[test]
    fn references_are_put_in_their_place_and_circles_end() {
        let schema = json!({"type": "object", "$schema": "x", "$id": "y", "properties": {
                "a": {"$ref": "#/definitions/a", "description": "mine"}, "b": {"$ref": "#/properties/a"}},
            "definitions": {"a": {"type": "object", "description": "theirs", "properties": {"next": {"$ref": "#/definitions/a"}}}}});
        let inner = |words: &str| json!({"type": "object", "description": words, "properties": {"next": {}}});
        let expected = json!({"type": "object", "properties": {"a": inner("mine"), "b": inner("mine")}});
        assert_eq!(common(&schema), expected);
    }

    #[test]
    fn patterns_that_no_engine_of_theirs_reads_are_left_out() {
        let schema = json!({"properties": {"a": {"type": "string", "pattern": "^(?!x)"}, "b": {"type": "string", "pattern": "^x$"}}});
        let written = common(&schema);
        assert_eq!(written["properties"]["a"], json!({"type": "string"}));
        assert_eq!(written["properties"]["b"], json!({"type": "string", "pattern": "^x$"}));
        assert_eq!(gemini(&schema)["properties"]["b"], json!({"type": "string"}));
    }

    #[test]
    fn a_root_of_alternatives_is_one_object() {
        let schema = json!({"anyOf": [
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "b"]},
            {"type": "object", "properties": {"a": {"type": "string"}, "c": {}}, "required": ["a", "c", "none"]}]});
        let expected =
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {}, "c": {}}, "required": ["a"]});
        assert_eq!(common(&schema), expected);
        let all = json!({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}, "required": ["b"]}]});
        assert_eq!(common(&all), json!({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}));
    }

    #[test]
    fn gemini_gets_what_openapi_has() {
        let schema = json!({"type": "object", "additionalProperties": false, "properties": {
            "n": {"type": ["integer", "null"], "exclusiveMinimum": 0, "format": "uint8"},
            "c": {"const": "x"},
            "e": {"enum": [1, 2]},
            "u": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": null},
            "any": {},
        }});
        let expected = json!({"type": "object", "properties": {
            "n": {"type": "integer", "nullable": true},
            "c": {"enum": ["x"], "type": "string"},
            "e": {"type": "integer"},
            "u": {"type": "string", "format": "date-time", "nullable": true},
            "any": {"type": "string"},
        }});
        assert_eq!(gemini(&schema), expected);
    }

    #[test]
    fn older_drafts_are_written_as_the_newest() {
        let schema = json!({"type": "object", "properties": {
            "n": {"type": "number", "minimum": 0, "exclusiveMinimum": true, "nullable": true},
            "t": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}, {"type": "string"}]},
            "x": {"type": "any", "required": true},
        }});
        let expected = json!({"type": "object", "properties": {
            "n": {"type": ["number", "null"], "exclusiveMinimum": 0},
            "t": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
            "x": {},
        }});
        assert_eq!(common(&schema), expected);
    }

    #[test]
    fn names_that_anthropic_refuses_are_left_out() {
        let schema = json!({"properties": {"$filter": {}, "top": {}}, "required": ["$filter", "top"]});
        let expected = json!({"type": "object", "properties": {"top": {}}, "required": ["top"]});
        assert_eq!(for_model(&schema, ModelDialect::Anthropic), expected);
    }

    #[test]
    fn the_plainest_form_has_types_and_words() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": ["string", "null"], "description": "A.", "minLength": 3},
            "l": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}}, "required": ["a"]});
        let expected = json!({"type": "object", "properties": {
            "a": {"type": "string", "description": "A."},
            "l": {"type": "array", "items": {"type": "string"}}}, "required": ["a"]});
        assert_eq!(plain(&schema), expected);
    }

    #[test]
    fn a_schema_that_multiplies_stays_small() {
        let mut definitions = Map::new();
        for level in 0..20 {
            let below = json!({"$ref": format!("#/$defs/l{}", level + 1)});
            definitions.insert(format!("l{level}"), json!({"properties": {"a": below, "b": below}}));
        }
        definitions.insert("l20".to_owned(), json!({"type": "string"}));
        let schema = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/l0"}}, "$defs": definitions});
        assert!(common(&schema).to_string().len() < 200_000);
    }
}
