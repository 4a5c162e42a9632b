//! Reads a stranger's schema and writes it anew without references, with known keywords only. The validator gets what is written
//! here, so it cannot read anything else into the schema than the bounds below were checked for.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::SchemaError;

/// Levels of nesting of a schema as it was sent.
const MAX_DEPTH: usize = 32;
/// Values in a schema as it was sent.
const MAX_NODES: usize = 5_000;
/// Schemas within each other once references are replaced. Checking a value recurses as deeply.
const MAX_INLINED_DEPTH: usize = 64;
/// Values once every reference is replaced. Without this bound, `n` definitions that each use the next one twice would stand for
/// two to the power of `n` values.
const MAX_EXPANDED: usize = 20_000;
/// Patterns once every reference is replaced. Each may take a millisecond to compile and [`crate::pattern::MAX_PATTERN`] bytes,
/// and [`crate::pattern::MAX_CACHE`] bytes more in each thread that matches with it.
const MAX_PATTERNS: usize = 512;
/// Bytes of a text that count as one value, because each replaced reference copies them.
const BYTES_OF_A_VALUE: usize = 64;
/// How often a schema with `unevaluatedProperties` or `unevaluatedItems` is counted: the validator asks every schema beside these
/// keywords once more what it evaluated, and so do those within them.
const UNEVALUATED_FACTOR: usize = 4;
/// Characters of a reference or keyword that an error quotes.
const MAX_QUOTED: usize = 100;

/// Keywords whose value is one schema.
const ONE: [&str; 10] = [
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value has a schema for each name.
const MAPS: [&str; 3] = ["dependentSchemas", "patternProperties", "properties"];
/// Keywords whose value is data, in which nothing refers to anything.
const DATA: [&str; 21] = [
    "const",
    "dependentRequired",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "type",
    "uniqueItems",
];
/// Keywords that give a schema another name or base. References by them would depend on more than the place they point to.
const NAMING: [&str; 6] = ["$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef"];

/// A schema without references, and what checking values with it costs.
pub(crate) struct Inlined {
    pub(crate) schema: Value,
    /// Values in it, weighted by how often they are looked at.
    pub(crate) size: usize,
    /// Patterns that names of properties are matched with.
    pub(crate) name_patterns: usize,
    /// Patterns that texts are matched with, and texts that must be patterns.
    pub(crate) patterns: usize,
    /// Keywords that read a text from its beginning to its end.
    pub(crate) texts: usize,
}

/// Writes a schema without references, or says why it cannot be used.
pub(crate) fn inline(root: &Value) -> Result<Inlined, SchemaError> {
    measure(root, 0, &mut 0)?;
    let mut inliner = Inliner { root, open: Vec::new(), size: 0, name_patterns: 0, patterns: 0, texts: 0 };
    let schema = inliner.schema(root, 0)?;
    let Inliner { size, name_patterns, patterns, texts, .. } = inliner;
    Ok(Inlined { schema, size, name_patterns, patterns, texts })
}

/// Refuses a schema that nests too deeply or holds too many values.
fn measure(value: &Value, depth: usize, nodes: &mut usize) -> Result<(), SchemaError> {
    *nodes += 1;
    if depth > MAX_DEPTH || *nodes > MAX_NODES {
        return Err(SchemaError::TooLarge(MAX_DEPTH, MAX_NODES));
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| measure(item, depth + 1, nodes)),
        Value::Object(fields) => fields.values().try_for_each(|field| measure(field, depth + 1, nodes)),
        _ => Ok(()),
    }
}

struct Inliner<'a> {
    root: &'a Value,
    /// What the references that are being replaced point to. One that leads back to itself would never end.
    open: Vec<&'a Value>,
    size: usize,
    name_patterns: usize,
    patterns: usize,
    texts: usize,
}

impl<'a> Inliner<'a> {
    fn schema(&mut self, value: &'a Value, depth: usize) -> Result<Value, SchemaError> {
        self.add(1)?;
        if depth > MAX_INLINED_DEPTH {
            return Err(SchemaError::Expanded(MAX_EXPANDED, MAX_INLINED_DEPTH));
        }
        let fields = match value {
            Value::Bool(_) => return Ok(value.clone()),
            Value::Object(fields) => fields,
            _ => return Err(SchemaError::Invalid("each schema must be an object, true or false".to_owned())),
        };
        let before = self.size;
        let mut written = Map::new();
        for (keyword, value) in fields {
            if let Some(value) = self.keyword(keyword, value, depth)? {
                written.insert(keyword.clone(), value);
            }
        }
        if let Some(reference) = fields.get("$ref") {
            let target = self.target(reference, depth)?;
            if written.is_empty() {
                return Ok(target);
            }
            match written.entry("allOf").or_insert_with(|| json!([])) {
                Value::Array(all) => all.push(target),
                _ => return Err(SchemaError::Invalid("allOf must be an array".to_owned())),
            }
        }
        if written.contains_key("unevaluatedProperties") || written.contains_key("unevaluatedItems") {
            self.add((self.size - before).saturating_mul(UNEVALUATED_FACTOR - 1))?;
        }
        Ok(Value::Object(written))
    }

    /// What the validator sees of a keyword; nothing of one that checks nothing, such as a description.
    fn keyword(&mut self, keyword: &str, value: &'a Value, depth: usize) -> Result<Option<Value>, SchemaError> {
        let is = |list: &[&str]| list.contains(&keyword);
        let written = if is(&ONE) {
            self.schema(value, depth + 1)?
        } else if is(&LISTS) {
            let Value::Array(items) = value else { return Err(wrong(keyword, "an array of schemas")) };
            let items = items.iter().map(|item| self.schema(item, depth + 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        } else if is(&MAPS) {
            let Value::Object(named) = value else { return Err(wrong(keyword, "an object of schemas")) };
            if keyword == "patternProperties" {
                self.name_patterns += named.len();
            }
            let named = named.iter().map(|(name, one)| {
                self.add(name.len() / BYTES_OF_A_VALUE)?;
                Ok((name.clone(), self.schema(one, depth + 1)?))
            });
            Value::Object(named.collect::<Result<_, SchemaError>>()?)
        } else if is(&DATA) {
            self.copy(value)?;
            self.patterns += usize::from(keyword == "pattern" || (keyword == "format" && value == "regex"));
            self.texts += usize::from(matches!(keyword, "format" | "minLength" | "maxLength" | "uniqueItems"));
            value.clone()
        } else if is(&NAMING) {
            return Err(SchemaError::Reference(format!("{keyword} is not allowed")));
        } else {
            return Ok(None);
        };
        if self.patterns + self.name_patterns > MAX_PATTERNS {
            return Err(SchemaError::Patterns(MAX_PATTERNS));
        }
        Ok(Some(written))
    }

    /// The schema that a reference stands for.
    fn target(&mut self, reference: &Value, depth: usize) -> Result<Value, SchemaError> {
        let refuse = |reason: &str| {
            let text: String = reference.as_str().unwrap_or_default().chars().take(MAX_QUOTED).collect();
            Err(SchemaError::Reference(format!("{text:?} {reason}")))
        };
        let Some(fragment) = reference.as_str().and_then(|text| text.strip_prefix('#')) else {
            return refuse("points out of the schema");
        };
        // A pointer in a fragment is percent-encoded (RFC 6901, section 6).
        let Ok(pointer) = percent_decode_str(fragment).decode_utf8() else { return refuse("is no UTF-8") };
        let Some(target) = self.root.pointer(&pointer) else { return refuse("points to nothing") };
        if self.open.iter().any(|open| std::ptr::eq(*open, target)) || std::ptr::eq(self.root, target) {
            return refuse("leads back to itself");
        }
        self.open.push(target);
        let written = self.schema(target, depth + 1);
        self.open.pop();
        written
    }

    /// Counts data that is copied.
    fn copy(&mut self, value: &Value) -> Result<(), SchemaError> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.copy(item))?,
            Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
                self.add(name.len() / BYTES_OF_A_VALUE)?;
                self.copy(field)
            })?,
            Value::String(text) => self.add(text.len() / BYTES_OF_A_VALUE)?,
            _ => {}
        }
        self.add(1)
    }

    fn add(&mut self, values: usize) -> Result<(), SchemaError> {
        self.size = self.size.saturating_add(values);
        if self.size > MAX_EXPANDED { Err(SchemaError::Expanded(MAX_EXPANDED, MAX_INLINED_DEPTH)) } else { Ok(()) }
    }
}

fn wrong(keyword: &str, form: &str) -> SchemaError {
    SchemaError::Invalid(format!("{keyword} must be {form}"))
}
