//! The definitions: how the component gives them, and what they contain.

use behalf_schema::{Schema, unchecked};
use serde_json::{Value, json};

use crate::arguments::{KnownValues, with_definitions};
use crate::call::shortened;
use crate::component::{DefinitionsFailure, Refusal};
use crate::marks::Marks;
use crate::suite::Suite;
use crate::test_bed::{TestBed, TestBedError};
use crate::tool::Tool;

/// The number of new instances that are asked.
const INSTANCES: usize = 5;

impl<G: TestBed> Suite<'_, G> {
    /// Checks the definitions and registers the plugin. True if its tools can be called.
    pub(crate) async fn definitions(&mut self) -> Result<bool, TestBedError> {
        let inspect = self.reproduce.inspect();
        self.findings.checked("definitions.answer");
        self.findings.checked("definitions.free");
        let mut answers = Vec::new();
        let mut starts = Vec::new();
        for _ in 0..INSTANCES {
            match self.test_bed.definitions(1).await? {
                Ok(defined) => {
                    starts.push(u64::try_from(defined.start.as_micros()).unwrap_or(u64::MAX));
                    answers.extend(defined.answers);
                }
                Err(DefinitionsFailure::Capability(message)) => {
                    self.findings.broken("definitions.free", message, inspect);
                    return Ok(false);
                }
                Err(DefinitionsFailure::Failed(message)) => {
                    self.findings.broken("definitions.answer", message, inspect);
                    return Ok(false);
                }
            }
        }
        starts.sort_unstable();
        self.measures.start_us = starts.get(INSTANCES / 2).copied().unwrap_or_default();
        let Some(text) = answers.first().cloned() else { return Ok(false) };
        self.same("definitions.stable", &answers);
        match self.test_bed.definitions(3).await? {
            Ok(defined) => self.same("definitions.repeatable", &defined.answers),
            Err(DefinitionsFailure::Capability(message) | DefinitionsFailure::Failed(message)) => {
                self.findings.broken(
                    "definitions.repeatable",
                    format!("asked again, it ended: {message}"),
                    inspect.clone(),
                );
            }
        }
        let parsed: Value = serde_json::from_str(&text).unwrap_or_default();
        self.examples(&parsed);
        self.annotations(&parsed);
        if !self.register(&parsed).await? {
            return Ok(false);
        }
        self.tools = Tool::all(&parsed);
        self.good = vec![Vec::new(); self.tools.len()];
        let rows = self.test_bed.rows().await?;
        (self.marks, self.known) = (Marks::of(&rows), KnownValues::of(&rows));
        self.claims();
        Ok(true)
    }

    fn same(&mut self, id: &'static str, answers: &[String]) {
        self.findings.checked(id);
        let Some(first) = answers.first() else { return };
        if let Some(other) = answers.iter().find(|other| *other != first) {
            let place = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
            let around = |text: &str| {
                shortened(&String::from_utf8_lossy(text.as_bytes().get(place.saturating_sub(40)..).unwrap_or_default()))
            };
            self.findings.broken(
                id,
                format!("two answers differ from byte {place}: …{} and …{}", around(first), around(other)),
                self.reproduce.check(id),
            );
        }
    }

    async fn register(&mut self, definitions: &Value) -> Result<bool, TestBedError> {
        for id in ["definitions.form", "schema.input", "world.granted"] {
            self.findings.checked(id);
        }
        let has_output = |tool: &Value| tool.get("outputSchema").is_some_and(|schema| !schema.is_null());
        if definitions.as_array().is_some_and(|tools| tools.iter().any(has_output)) {
            self.findings.checked("schema.output");
        }
        let (id, message) = match self.test_bed.register(&self.setup).await? {
            Ok(()) => return Ok(self.schemas(definitions)),
            Err(Refusal::InputSchema(message)) => ("schema.input", message),
            Err(Refusal::OutputSchema(message)) => ("schema.output", message),
            Err(Refusal::Definitions(message)) => ("definitions.form", message),
            Err(Refusal::Grants(message)) => ("world.granted", message),
        };
        self.findings.broken(id, message, self.reproduce.inspect());
        Ok(false)
    }

    /// Looks for what is wrong in schemas that a host takes and passes values by. True if nothing is.
    fn schemas(&mut self, definitions: &Value) -> bool {
        let mut is_right = true;
        for tool in definitions.as_array().into_iter().flatten() {
            let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
            for (id, key) in [("schema.input", "inputSchema"), ("schema.output", "outputSchema")] {
                let notes = tool.get(key).map(unchecked).unwrap_or_default();
                for note in notes.iter().filter(|note| note.is_mistake) {
                    let seen = format!("{key} of {name}, at {}: {}", note.pointer, note.reason);
                    self.findings.broken(id, seen, self.reproduce.inspect());
                    is_right = false;
                }
            }
        }
        is_right
    }

    fn examples(&mut self, definitions: &Value) {
        for tool in definitions.as_array().into_iter().flatten() {
            for key in ["inputSchema", "outputSchema"] {
                if let Some(schema) = tool.get(key) {
                    let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
                    self.examples_in(schema, schema, &format!("{key} of {name}"));
                }
            }
        }
    }

    /// Checks the examples and defaults of a schema and of the schemas in it. The JSON parser bounds the depth.
    fn examples_in(&mut self, schema: &Value, root: &Value, place: &str) {
        let Some(fields) = schema.as_object() else { return };
        let examples = fields.get("examples").and_then(Value::as_array).into_iter().flatten();
        for example in examples.chain(fields.get("default")) {
            self.findings.checked("schema.examples");
            let whole = with_definitions(fields, root);
            if Schema::new(&whole).is_ok_and(|schema| !schema.fits(example)) {
                let seen = format!("{place}: {} does not fit", shortened(&example.to_string()));
                self.findings.broken("schema.examples", seen, self.reproduce.inspect());
            }
        }
        for (name, part) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.examples_in(part, root, &format!("{place}, property {name:?}"));
        }
        for key in ["items", "additionalProperties", "not"] {
            if let Some(part) = fields.get(key) {
                self.examples_in(part, root, place);
            }
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for part in fields.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.examples_in(part, root, place);
            }
        }
    }

    fn annotations(&mut self, definitions: &Value) {
        const ID: &str = "annotations.consistent";
        for tool in definitions.as_array().into_iter().flatten() {
            let Some(annotations) = tool.get("annotations").filter(|one| !one.is_null()) else { continue };
            self.findings.checked(ID);
            let hint = |name: &str| annotations.get(name);
            let hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
            let odd = hints.iter().find(|name| hint(name).is_some_and(|value| !value.is_boolean()));
            let both = hint("readOnlyHint") == Some(&json!(true)) && hint("destructiveHint") == Some(&json!(true));
            let seen = match odd {
                Some(name) => format!("{name} is no boolean"),
                None if both => "readOnlyHint and destructiveHint are both true".to_owned(),
                None if !annotations.is_object() => "they are no object".to_owned(),
                None => continue,
            };
            let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
            self.findings.broken(ID, format!("{name}: {seen}"), self.reproduce.inspect());
        }
    }
}
