//! Reads a stranger's schema and writes it anew without references, with known keywords only. The validator gets what is written
//! here, so it cannot read anything else into the schema than the bounds below were checked for.
//!
//! Generators write schemas of many drafts, and parts that no validator of ours can check: patterns that look around, references
//! that lead back to themselves or out of the schema. Such a part is left out with a note, so that values pass it unchecked; what
//! would refuse more without it, such as a `not` around it, is left out with it.

use serde_json::{Map, Value, json};

use crate::SchemaError;
use crate::form::{is_exclusive, or_null, well_formed};
use crate::note::{Notes, Unchecked};
use crate::pattern::{is_usable, mistake_in};
use crate::reference::{Place, REFERENCES, References, escaped};

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
/// Values up to which definitions that use each other are put in each other's place. In a larger schema, one that leads back is not
/// checked again: with `n` definitions that all use each other, there would be more orders of them than anybody could check.
const MAX_UNROLLED: usize = 2_000;
/// Characters of a reference or pattern that a note quotes.
const MAX_QUOTED: usize = 100;

/// Keywords whose value is one schema.
const ONE: [&str; 8] = [
    "additionalProperties",
    "contains",
    "else",
    "if",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 3] = ["allOf", "anyOf", "prefixItems"];
/// Keywords whose value has a schema for each name.
const MAPS: [&str; 2] = ["dependentSchemas", "properties"];
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
    "required",
    "type",
    "uniqueItems",
    "pattern",
];

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
    /// What of it is not checked.
    pub(crate) unchecked: Vec<Unchecked>,
}

/// Writes a schema without references, or says why it cannot be used.
pub(crate) fn inline(root: &Value) -> Result<Inlined, SchemaError> {
    measure(root, 0, &mut 0)?;
    let mut inliner = Inliner::new(root);
    let schema = inliner.schema(root, 0)?;
    let Inliner { size, name_patterns, patterns, texts, notes, .. } = inliner;
    Ok(Inlined { schema, size, name_patterns, patterns, texts, unchecked: notes.into_kept() })
}

/// Refuses a schema that nests too deeply or holds too many values.
pub(crate) fn measure(value: &Value, depth: usize, nodes: &mut usize) -> Result<(), SchemaError> {
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
    references: References<'a>,
    /// What the references that are being replaced point to. One that leads back to itself would never end.
    open: Vec<&'a Value>,
    /// JSON Pointer of the place that is read.
    pointer: String,
    notes: Notes,
    size: usize,
    name_patterns: usize,
    patterns: usize,
    texts: usize,
}

impl<'a> Inliner<'a> {
    fn new(root: &'a Value) -> Self {
        Self {
            root,
            references: References::new(root),
            open: Vec::new(),
            pointer: String::new(),
            notes: Notes::default(),
            size: 0,
            name_patterns: 0,
            patterns: 0,
            texts: 0,
        }
    }

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
        let (size, notes) = (self.size, self.notes.count());
        let mut written = Map::new();
        for (keyword, value) in fields {
            // Some generators write null for what is not there.
            if !value.is_null() || keyword == "const" {
                self.at(keyword, |own| own.keyword(keyword, value, fields, &mut written, depth))?;
            }
        }
        for keyword in REFERENCES {
            let Some(reference) = fields.get(keyword).filter(|reference| !reference.is_null()) else { continue };
            if let Some(target) = self.at(keyword, |own| own.replaced(reference, depth))? {
                all_of(&mut written).push(target);
            }
        }
        forget_dependents(fields, &mut written);
        if self.notes.count() > notes {
            // What was left out might have evaluated what these would refuse now.
            written.retain(|keyword, _| !matches!(keyword.as_str(), "unevaluatedItems" | "unevaluatedProperties"));
        }
        if written.contains_key("unevaluatedProperties") || written.contains_key("unevaluatedItems") {
            self.add((self.size - size).saturating_mul(UNEVALUATED_FACTOR - 1))?;
        }
        if written.len() == 1
            && let Some(Value::Array(all)) = written.get_mut("allOf")
            && all.len() == 1
        {
            return Ok(all.pop().unwrap_or_default());
        }
        Ok(Value::Object(written))
    }

    /// Does something within the place of this name.
    fn at<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escaped(name));
        let done = work(self);
        self.pointer.truncate(length);
        done
    }

    /// Notes a part that is left out because it is wrong.
    fn mistake(&mut self, reason: impl Into<String>) {
        self.notes.add(self.pointer.clone(), reason.into(), true);
    }

    /// Notes a part that is left out because it cannot be checked here.
    fn beyond(&mut self, reason: impl Into<String>) {
        self.notes.add(self.pointer.clone(), reason.into(), false);
    }

    /// Writes what the validator sees of a keyword; nothing of one that checks nothing, such as a description.
    fn keyword(
        &mut self,
        keyword: &'a str,
        value: &'a Value,
        fields: &'a Map<String, Value>,
        written: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), SchemaError> {
        let is = |list: &[&str]| list.contains(&keyword);
        let before = self.notes.count();
        if is(&ONE) {
            let one = self.schema(value, depth + 1)?;
            let is_whole = self.notes.count() == before;
            match keyword {
                // It would hold for more values than was meant.
                "if" if !is_whole => {}
                "contains" if !is_whole && fields.contains_key("maxContains") => {}
                _ => drop(written.insert(keyword.to_owned(), one)),
            }
        } else if is(&LISTS) {
            let list = self.list(keyword, value, depth)?;
            match keyword {
                "allOf" => all_of(written).extend(list),
                _ => drop(written.insert(keyword.to_owned(), Value::Array(list))),
            }
        } else if is(&MAPS) {
            let named = self.named(keyword, value, depth)?;
            written.insert(keyword.to_owned(), Value::Object(named));
        } else if is(&DATA) {
            self.data(keyword, value, fields, written)?;
        } else {
            self.other(keyword, value, fields, written, depth)?;
        }
        if self.patterns + self.name_patterns > MAX_PATTERNS {
            return Err(SchemaError::Patterns(MAX_PATTERNS));
        }
        Ok(())
    }

    /// Keywords that need more than their value written.
    fn other(
        &mut self,
        keyword: &'a str,
        value: &'a Value,
        fields: &'a Map<String, Value>,
        written: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), SchemaError> {
        let before = self.notes.count();
        match keyword {
            // Draft 7 and older write tuples so.
            "items" if value.is_array() => {
                let tuple = self.list(keyword, value, depth)?;
                written.insert("prefixItems".to_owned(), Value::Array(tuple));
            }
            "items" => drop(written.insert(keyword.to_owned(), self.schema(value, depth + 1)?)),
            "additionalItems" if fields.get("items").is_some_and(Value::is_array) => {
                written.insert("items".to_owned(), self.schema(value, depth + 1)?);
            }
            "not" => {
                let not = self.schema(value, depth + 1)?;
                if self.notes.count() == before {
                    written.insert(keyword.to_owned(), not);
                }
            }
            "oneOf" => {
                let list = Value::Array(self.list(keyword, value, depth)?);
                if self.notes.count() == before {
                    written.insert(keyword.to_owned(), list);
                } else {
                    // Without what was left out, several may fit.
                    all_of(written).push(json!({ "anyOf": list }));
                }
            }
            "patternProperties" => self.pattern_properties(value, written, depth)?,
            "dependencies" => self.dependencies(value, written, depth)?,
            _ => {}
        }
        Ok(())
    }

    fn list(&mut self, keyword: &str, value: &'a Value, depth: usize) -> Result<Vec<Value>, SchemaError> {
        let Value::Array(items) = value else { return Err(wrong(keyword, "an array of schemas")) };
        let items = items.iter().enumerate();
        items.map(|(place, item)| self.at(&place.to_string(), |own| own.schema(item, depth + 1))).collect()
    }

    fn named(&mut self, keyword: &str, value: &'a Value, depth: usize) -> Result<Map<String, Value>, SchemaError> {
        let Value::Object(named) = value else { return Err(wrong(keyword, "an object of schemas")) };
        let named = named.iter().filter(|(_, one)| !one.is_null());
        named
            .map(|(name, one)| {
                self.add(name.len() / BYTES_OF_A_VALUE)?;
                Ok((name.clone(), self.at(name, |own| own.schema(one, depth + 1))?))
            })
            .collect()
    }

    fn data(
        &mut self,
        keyword: &str,
        value: &'a Value,
        fields: &'a Map<String, Value>,
        written: &mut Map<String, Value>,
    ) -> Result<(), SchemaError> {
        // The bound beside it says what is exclusive.
        if matches!(keyword, "exclusiveMinimum" | "exclusiveMaximum") && value.is_boolean() {
            return Ok(());
        }
        self.copy(value)?;
        let formed = match well_formed(keyword, value) {
            Ok(formed) => formed,
            Err(reason) => {
                self.mistake(reason);
                return Ok(());
            }
        };
        if keyword == "pattern" && !self.is_usable(value.as_str().unwrap_or_default()) {
            return Ok(());
        }
        self.patterns += usize::from(keyword == "pattern" || (keyword == "format" && value == "regex"));
        self.texts += usize::from(matches!(keyword, "format" | "minLength" | "maxLength" | "uniqueItems"));
        let is_nullable = fields.get("nullable") == Some(&Value::Bool(true));
        let (keyword, formed) = match keyword {
            "type" if is_nullable => (keyword, or_null(&formed)),
            "enum" if is_nullable => (keyword, with_null(formed)),
            "minimum" if is_exclusive(fields, keyword) => ("exclusiveMinimum", formed),
            "maximum" if is_exclusive(fields, keyword) => ("exclusiveMaximum", formed),
            _ => (keyword, formed),
        };
        written.insert(keyword.to_owned(), formed);
        Ok(())
    }

    /// Whether a pattern can be matched in linear time; a note where not.
    fn is_usable(&mut self, pattern: &str) -> bool {
        let is_usable = is_usable(pattern);
        if !is_usable {
            let quoted: String = pattern.chars().take(MAX_QUOTED).collect();
            match mistake_in(pattern) {
                Some(reason) => self.mistake(format!("{quoted:?} is no pattern: {reason}")),
                None => self
                    .beyond(format!("the pattern {quoted:?} looks around, refers back, or is too large to be matched")),
            }
        }
        is_usable
    }

    fn pattern_properties(
        &mut self,
        value: &'a Value,
        written: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), SchemaError> {
        let keyword = "patternProperties";
        let Value::Object(named) = value else { return Err(wrong(keyword, "an object of schemas")) };
        let mut kept = Map::new();
        for (pattern, one) in named {
            if !self.at(pattern, |own| own.is_usable(pattern)) {
                continue;
            }
            self.name_patterns += 1;
            self.add(pattern.len() / BYTES_OF_A_VALUE)?;
            kept.insert(pattern.clone(), self.at(pattern, |own| own.schema(one, depth + 1))?);
        }
        written.insert(keyword.to_owned(), Value::Object(kept));
        Ok(())
    }

    /// Draft 7's form of `dependentRequired` and `dependentSchemas`.
    fn dependencies(
        &mut self,
        value: &'a Value,
        written: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), SchemaError> {
        let Value::Object(named) = value else { return Err(wrong("dependencies", "an object")) };
        for (name, one) in named {
            let (keyword, form) = if one.is_array() {
                self.copy(one)?;
                ("dependentRequired", one.clone())
            } else {
                ("dependentSchemas", self.at(name, |own| own.schema(one, depth + 1))?)
            };
            if let Value::Object(all) = written.entry(keyword).or_insert_with(|| json!({})) {
                all.entry(name.as_str()).or_insert(form);
            }
        }
        Ok(())
    }

    /// The schema that a reference stands for; none, with a note, where it cannot be put in its place.
    fn replaced(&mut self, reference: &'a Value, depth: usize) -> Result<Option<Value>, SchemaError> {
        let quoted: String = reference.as_str().unwrap_or_default().chars().take(MAX_QUOTED).collect();
        let (target, pointer): Place<'a> = match self.references.target(reference) {
            Ok(place) => place,
            Err(reason) => {
                self.mistake(format!("{reason}: {quoted:?}"));
                return Ok(None);
            }
        };
        let is_open = self.open.iter().any(|open| std::ptr::eq(*open, target)) || std::ptr::eq(self.root, target);
        let is_in_circle = is_open || (self.size > MAX_UNROLLED && self.leads_back(target));
        if !(target.is_object() || target.is_boolean()) {
            self.mistake(format!("the reference leads to no schema: {quoted:?}"));
            return Ok(None);
        }
        if is_in_circle {
            self.beyond(format!("the reference leads back to itself: {quoted:?}"));
            return Ok(None);
        }
        self.open.push(target);
        let before = std::mem::replace(&mut self.pointer, pointer);
        let written = self.schema(target, depth + 1);
        self.pointer = before;
        self.open.pop();
        written.map(Some)
    }

    /// Whether a place leads back to a reference that is being replaced.
    fn leads_back(&mut self, target: &'a Value) -> bool {
        let open = self.open.clone();
        open.into_iter().any(|open| self.references.leads_to(target, open))
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

/// Leaves out what would refuse more without what was left out beside it.
fn forget_dependents(fields: &Map<String, Value>, written: &mut Map<String, Value>) {
    let count = |of: &Map<String, Value>| of.get("patternProperties").and_then(Value::as_object).map_or(0, Map::len);
    if count(fields) > count(written) {
        written.remove("additionalProperties");
    }
    if !written.contains_key("if") {
        written.retain(|keyword, _| !matches!(keyword.as_str(), "then" | "else"));
    }
    if !written.contains_key("contains") {
        written.retain(|keyword, _| !matches!(keyword.as_str(), "maxContains" | "minContains"));
    }
}

/// The list of schemas that all have to fit.
fn all_of(written: &mut Map<String, Value>) -> &mut Vec<Value> {
    let all = written.entry("allOf").or_insert_with(|| json!([]));
    if !all.is_array() {
        *all = json!([]);
    }
    all.as_array_mut().expect("it is made an array above")
}

fn with_null(list: Value) -> Value {
    match list {
        Value::Array(items) if !items.contains(&Value::Null) => items.into_iter().chain([Value::Null]).collect(),
        other => other,
    }
}

fn wrong(keyword: &str, form: &str) -> SchemaError {
    SchemaError::Invalid(format!("{keyword} must be {form}"))
}
