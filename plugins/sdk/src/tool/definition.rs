//! A tool's definition, with schemas from types.

use alloc::borrow::Cow;
use alloc::string::String;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::Value;

/// What `#[tool]` knows of a tool; its types are given to [`text`](Self::text).
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// A name for people.
    pub title: Option<&'static str>,
    /// What a model reads to choose it.
    pub description: &'static str,
    /// What it says of itself.
    pub annotations: Annotations,
    /// The MCP resource that it is as well.
    pub resource: Option<Resource>,
    /// Whether it is an MCP prompt as well.
    pub prompt: bool,
}

/// An MCP resource.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its address; variables in braces are parameters.
    pub uri: &'static str,
    /// What reading it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<&'static str>,
}

/// MCP's hints.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "MCP has four hints")]
pub struct Annotations {
    /// It changes nothing.
    #[serde(rename = "readOnlyHint")]
    pub read_only: bool,
    /// It may change or remove what is there.
    #[serde(rename = "destructiveHint")]
    pub destructive: bool,
    /// Twice is as good as once.
    #[serde(rename = "idempotentHint")]
    pub idempotent: bool,
    /// It reaches beyond the project.
    #[serde(rename = "openWorldHint")]
    pub open_world: bool,
}

/// A definition in the order a reader wants it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    description: &'a str,
    input_schema: Schema,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Schema>,
    annotations: &'a Annotations,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Resource>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    prompt: bool,
}

impl Definition {
    /// The definition of a tool that is called with `A` and answers `O`. The same types give the same text.
    pub fn text<A: JsonSchema, O: JsonSchema>(&self) -> Cow<'static, str> {
        let input = SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<A>();
        let output = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<O>();
        Cow::Owned(self.write(tidy(input, &A::schema_name()), tidy(output, &O::schema_name())))
    }

    fn write(&self, input_schema: Schema, output_schema: Schema) -> String {
        let written = Written {
            name: self.name,
            title: self.title,
            description: self.description,
            input_schema,
            // MCP knows only schemas of objects, and a client would refuse the tool for another one. What a prompt answers is not read
            // as data.
            output_schema: Some(output_schema)
                .filter(|schema| !self.prompt && schema.get("type").is_some_and(|kind| kind == "object")),
            annotations: &self.annotations,
            resource: self.resource,
            prompt: self.prompt,
        };
        serde_json::to_string(&written).expect("a schema is JSON with text as keys")
    }
}

/// Without what models read in vain, and with the type that hosts look for.
fn tidy(mut schema: Schema, type_name: &str) -> Schema {
    // A type's name is the author's business; a title that was given stays.
    if schema.get("title").is_some_and(|title| title == type_name) {
        schema.remove("title");
    }
    if schema.get("type").is_none() && is_object(schema.as_value(), schema.as_value(), 0) {
        schema.insert("type".into(), "object".into());
    }
    without_number_format(&mut schema);
    schema
}

/// `int32`, `uint`, `double` and the like are `OpenAPI`'s words; JSON Schema has no formats of numbers.
fn without_number_format(schema: &mut Schema) {
    let is_number = |kind: &Value| kind == "integer" || kind == "number";
    let of_number = schema.get("type").is_some_and(|kind| match kind {
        Value::Array(kinds) => kinds.iter().any(is_number),
        kind => is_number(kind),
    });
    if of_number {
        schema.remove("format");
    }
    schemars::transform::transform_subschemas(&mut without_number_format, schema);
}

/// Whether every branch of a schema describes an object, as those of an enum with tagged variants do.
fn is_object(root: &Value, schema: &Value, depth: usize) -> bool {
    // Deeper is a circle, or nobody's schema.
    const MAX_DEPTH: usize = 16;
    if depth > MAX_DEPTH {
        return false;
    }
    if let Some(kind) = schema.get("type") {
        return kind == "object";
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.is_some_and(|target| is_object(root, target, depth + 1));
    }
    ["oneOf", "anyOf"]
        .iter()
        .filter_map(|key| schema.get(key)?.as_array())
        .any(|branches| !branches.is_empty() && branches.iter().all(|branch| is_object(root, branch, depth + 1)))
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::vec::Vec;

    use serde::Deserialize;
    use serde_json::json;

    use super::super::callable::{Callable, NoArguments};
    use super::*;
    use crate::{Error, tool};

    const ANNOTATIONS: Annotations =
        Annotations { read_only: true, destructive: false, idempotent: true, open_world: false };

    fn definition<A: JsonSchema, O: JsonSchema>() -> Value {
        let (title, resource) = (None, None);
        let definition =
            Definition { name: "a", title, description: "A.", annotations: ANNOTATIONS, resource, prompt: false };
        serde_json::from_str(&definition.text::<A, O>()).expect("a definition is JSON")
    }

    #[derive(Deserialize, Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        /// Words to look for.
        #[schemars(length(max = 200))]
        search: Option<String>,
        #[schemars(range(min = 1, max = 100))]
        limit: Option<u8>,
        #[serde(default)]
        near: Vec<Point>,
    }

    #[derive(Deserialize, Serialize, JsonSchema)]
    struct Point {
        x: f64,
    }

    #[test]
    fn arguments_become_a_schema_of_an_object() {
        let schema = &definition::<Arguments, ()>()["inputSchema"];
        assert_eq!(
            schema,
            &json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "search": {"description": "Words to look for.", "type": ["string", "null"], "maxLength": 200},
                    "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
                    "near": {"type": "array", "items": {"$ref": "#/$defs/Point"}, "default": []},
                },
                "additionalProperties": false,
                "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
            })
        );
    }

    #[test]
    fn a_field_with_a_default_is_not_required_of_arguments_but_always_answered() {
        let definition = definition::<Arguments, Arguments>();
        assert_eq!(definition["inputSchema"].get("required"), None);
        assert_eq!(definition["outputSchema"]["required"], json!(["search", "limit", "near"]));
    }

    #[derive(Deserialize, Serialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Shape {
        #[allow(dead_code, reason = "only its schema is looked at")]
        Circle { radius: f64 },
        #[allow(dead_code, reason = "only its schema is looked at")]
        Point(Point),
    }

    #[derive(Deserialize, Serialize, JsonSchema)]
    struct Wrapped(Shape);

    #[test]
    fn an_enum_of_objects_is_an_object() {
        let definition = definition::<Shape, Wrapped>();
        for key in ["inputSchema", "outputSchema"] {
            assert_eq!(definition[key]["type"], "object", "{definition}");
        }
    }

    #[test]
    fn a_result_that_is_no_object_has_no_schema() {
        assert_eq!(definition::<NoArguments, ()>().get("outputSchema"), None);
        assert_eq!(definition::<NoArguments, Value>().get("outputSchema"), None);
        assert_eq!(definition::<NoArguments, Vec<u8>>().get("outputSchema"), None);
        assert_eq!(definition::<NoArguments, Option<Point>>().get("outputSchema"), None);
        assert_eq!(definition::<NoArguments, crate::Content>().get("outputSchema"), None);
    }

    /// Finds a point
    /// near another.
    #[tool(title = "Find a point", read_only, idempotent)]
    fn find_point(arguments: Point) -> Result<Point, Error> {
        Ok(arguments)
    }

    /// Forgets every point.
    #[tool(name = "forget_points", idempotent, open_world)]
    fn forget() -> Result<(), serde_json::Error> {
        serde_json::from_str("null")
    }

    #[test]
    fn the_attribute_says_what_the_function_says() {
        let text = find_point::definition();
        assert_eq!(text, find_point::definition());
        assert!(text.starts_with(
            r#"{"name":"find_point","title":"Find a point","description":"Finds a point near another.","#
        ));
        let definition: Value = serde_json::from_str(&text).expect("JSON");
        let hints =
            json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false});
        assert_eq!(definition["annotations"], hints);
        assert_eq!(definition["outputSchema"]["properties"]["x"], json!({"type": "number"}));

        let definition: Value = serde_json::from_str(&forget::definition()).expect("JSON");
        assert_eq!(definition["name"], "forget_points");
        let hints =
            json!({"readOnlyHint": false, "destructiveHint": true, "idempotentHint": true, "openWorldHint": true});
        assert_eq!(definition["annotations"], hints);
        assert_eq!(definition["inputSchema"]["additionalProperties"], false);
    }

    /// One point.
    #[tool(read_only, resource = "points://{x}", mime_type = "text/plain")]
    fn point(arguments: Point) -> Result<Point, Error> {
        Ok(arguments)
    }

    /// Asks for a point.
    #[tool(read_only, prompt)]
    fn ask_for(arguments: Point) -> Result<Point, Error> {
        Ok(arguments)
    }

    #[test]
    fn a_tool_may_be_a_resource_or_a_prompt() {
        let json = |text: Cow<'_, str>| serde_json::from_str::<Value>(&text).expect("JSON");
        let (plain, resource, prompt) =
            (json(find_point::definition()), json(point::definition()), json(ask_for::definition()));
        assert_eq!(resource["resource"], json!({"uri": "points://{x}", "mimeType": "text/plain"}));
        assert_eq!((resource.get("prompt"), resource.get("outputSchema").is_some()), (None, true));
        assert_eq!(prompt["prompt"], true);
        assert_eq!((prompt.get("resource"), prompt.get("outputSchema")), (None, None));
        assert_eq!((plain.get("resource"), plain.get("prompt")), (None, None));
    }

    /// Shows a point.
    #[tool(read_only)]
    fn show_point(arguments: Point) -> Result<crate::Content, Error> {
        let kind = if arguments.x > 0.0 { "image/png" } else { "text/plain" };
        Ok(crate::Content::new().text("A point.").image(kind, b"dot"))
    }

    #[test]
    fn content_is_a_result_or_an_error() {
        let written =
            r#"{"content":[{"type":"text","text":"A point."},{"type":"image","data":"ZG90","mimeType":"image/png"}]}"#;
        assert_eq!(show_point::call(r#"{"x": 1}"#), Ok(written.to_owned()));
        let wrong = "block 2 is an image, and \"text/plain\" is not a media type that begins with image/";
        let sentence = alloc::format!("The result of show_point cannot be written as JSON: {wrong}");
        assert_eq!(show_point::call(r#"{"x": 0}"#), Err(Error::failed(sentence)));
    }

    #[test]
    fn a_tool_is_called_by_its_json() {
        assert_eq!(find_point::call(r#"{"x": 1.5}"#), Ok(r#"{"x":1.5}"#.to_owned()));
        assert_eq!(find_point::call("{}").map_err(|error| error.code), Err("invalid_arguments".to_owned()));
        assert_eq!(forget::call("{}"), Ok("null".to_owned()));
        assert!(forget::call(r#"{"a": 1}"#).is_err());
    }
}
