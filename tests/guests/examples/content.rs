//! The tools that MCP's conformance suite expects a server to have, as far as a component can be one.

use behalf_guests::{Outcome, Tool, Value, failed, json, progress};

const TOOLS: &[Tool] = &[
    ("test_simple_text", "{}: a text", |_| Ok(json!("This is a simple text response for testing."))),
    ("test_image_content", "{}: an image", |_| Ok(json!({"content": [image()]}))),
    ("test_audio_content", "{}: a sound", |_| {
        Ok(json!({"content": [{"type": "audio", "data": SOUND, "mimeType": "audio/wav"}]}))
    }),
    ("test_embedded_resource", "{}: a resource", |_| {
        Ok(
            json!({"content": [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")]}),
        )
    }),
    ("test_multiple_content_types", "{}: a text, an image and a resource", several),
    ("test_tool_with_progress", "{}: says three times how far it is", with_progress),
    ("test_error_handling", "{}: fails", |_| Err(failed("This tool intentionally returns an error for testing"))),
    ("listed", "{}: a list, with a schema that says so", |_| Ok(json!([1, 2, 3]))),
    ("not_quite_content", "{}: data that looks like content at first", |_| {
        Ok(json!({"content": [{"type": "image", "data": "?", "mimeType": "text/html"}]}))
    }),
];

/// One red pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A wave file without a single sample.
const SOUND: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA==";

struct Component;

impl behalf_guests::Guest for Component {
    fn definitions() -> String {
        let mut tools: Vec<_> = TOOLS.iter().map(|(name, about, _)| behalf_guests::definition(name, about)).collect();
        for tool in &mut tools {
            if tool["name"] == "listed" {
                tool["outputSchema"] = json!({"type": "array", "items": {"type": "integer"}});
                tool["title"] = json!("A list");
                tool["annotations"] = json!({"readOnlyHint": true});
            }
        }
        let mut of_2020 = behalf_guests::definition("json_schema_2020_12_tool", "{name?, address?}: what it was given");
        of_2020["inputSchema"] = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "type": "object",
                    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
                },
            },
            "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
            "additionalProperties": false,
        });
        tools.push(of_2020);
        Value::Array(tools).to_string()
    }

    fn call(name: String, arguments: String) -> Result<String, behalf_guests::Error> {
        if name == "json_schema_2020_12_tool" {
            return Ok(arguments);
        }
        behalf_guests::call(TOOLS, &name, &arguments)
    }
}

behalf_guests::bindings::export_component!(Component with_types_in behalf_guests::bindings);

fn image() -> Value {
    json!({"type": "image", "data": PIXEL, "mimeType": "image/png"})
}

fn resource(uri: &str, mime: &str, text: &str) -> Value {
    json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": text}})
}

fn several(_: &Value) -> Outcome {
    let text = json!({"type": "text", "text": "Multiple content types test:"});
    let data = resource("test://mixed-content-resource", "application/json", "{\"test\":\"data\",\"value\":123}");
    Ok(json!({"content": [text, image(), data]}))
}

fn with_progress(_: &Value) -> Outcome {
    for done in [0, 50, 50, 100] {
        progress::report(done, Some(100), Some("Completed so much"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(json!("done"))
}
