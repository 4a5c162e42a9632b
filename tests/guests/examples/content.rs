//! The tools that MCP's conformance suite expects a server to have, as far as a component can be one.

use behalf_guests::{Outcome, Tool, Value, caller, failed, json, progress, text};

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
    ("with_parts", "{bad?}: shows parts of its result before the rest", with_parts),
    ("with_link", "{}: a link", |_| {
        Ok(json!({"content": [{"type": "resource_link", "uri": "test://static-text", "name": "The text"}]}))
    }),
    ("not_quite_content", "{}: data that looks like content at first", |_| {
        Ok(json!({"content": [{"type": "image", "data": "?", "mimeType": "text/html"}]}))
    }),
];

/// One red pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A wave file without a single sample.
const SOUND: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA==";

/// The resources, each with its address and what its tool takes.
const RESOURCES: &[(&str, Option<&str>)] = &[
    ("test://static-text", Some("text/plain")),
    ("test://static-binary", Some("image/png")),
    ("test://template/{id}/data", Some("application/json")),
    ("test://sum/{a}/{b}", None),
    ("test://mine", None),
];

/// The tools that read them, in the same order.
const READERS: &[Tool] = &[
    ("read_text", "{}: the text", |_| Ok(json!("This is the content of the static text resource."))),
    ("read_binary", "{}: the picture", |_| Ok(json!({"content": [image()]}))),
    ("read_template", "{id}: what it was asked for", |arguments| {
        Ok(json!({"id": text(arguments, "id"), "templateTest": true, "data": "Data"}))
    }),
    ("read_sum", "{a, b}: a sum", |arguments| {
        Ok(json!(arguments["a"].as_i64().zip(arguments["b"].as_i64()).map(|(a, b)| a + b)))
    }),
    ("read_mine", "{}: who asks", |_| Ok(json!(caller::get_identity().subject))),
];

const PROMPTS: &[Tool] = &[
    ("test_simple_prompt", "{}: a prompt", |_| Ok(json!("This is a simple prompt for testing."))),
    ("test_prompt_with_arguments", "{arg1, arg2}: a prompt with them", |arguments| {
        Ok(json!(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            text(arguments, "arg1"),
            text(arguments, "arg2")
        )))
    }),
    ("test_prompt_with_embedded_resource", "{resourceUri}: a prompt with a file", |arguments| {
        let file = resource(text(arguments, "resourceUri"), "text/plain", "Embedded resource content for testing.");
        Ok(json!({"content": [file, {"type": "text", "text": "Please process the embedded resource above."}]}))
    }),
    ("test_prompt_with_image", "{}: a prompt with a picture", |_| {
        let said = |role, content| json!({"role": role, "content": content});
        let text = json!({"type": "text", "text": "Please analyze the image above."});
        Ok(json!({"messages": [said("user", image()), said("assistant", text)]}))
    }),
];

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
        for ((name, about, _), (uri, mime)) in READERS.iter().zip(RESOURCES) {
            let mut reader = reading(name, about);
            reader["resource"] = json!({"uri": uri, "mimeType": mime});
            tools.push(reader);
        }
        tools.extend(PROMPTS.iter().map(|(name, about, _)| {
            let mut prompt = reading(name, about);
            prompt["prompt"] = json!(true);
            prompt
        }));
        Value::Array(tools).to_string()
    }

    fn call(name: String, arguments: String) -> Result<String, behalf_guests::Error> {
        if name == "json_schema_2020_12_tool" {
            return Ok(arguments);
        }
        let all: Vec<Tool> = [TOOLS, READERS, PROMPTS].concat();
        behalf_guests::call(&all, &name, &arguments)
    }
}

behalf_guests::bindings::export_component!(Component with_types_in behalf_guests::bindings);

/// A tool that reads, with the arguments that its description names.
fn reading(name: &str, about: &str) -> Value {
    let names = about.split(['{', '}']).nth(1).unwrap_or_default();
    let names: Vec<_> = names.split(", ").filter(|name| !name.is_empty()).collect();
    let kind = if name == "read_sum" { "integer" } else { "string" };
    let property = |name: &&str| (String::from(*name), json!({"type": kind, "description": "Given."}));
    let mut tool = behalf_guests::definition(name, about);
    tool["annotations"] = json!({"readOnlyHint": true});
    tool["inputSchema"] = json!({
        "type": "object",
        "properties": names.iter().map(property).collect::<serde_json::Map<_, _>>(),
        "required": names,
    });
    tool
}

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

fn with_parts(arguments: &Value) -> Outcome {
    if let Some(bad) = arguments["bad"].as_str() {
        progress::partial(bad);
    }
    for row in 1..=3 {
        progress::partial(&json!({"row": row}).to_string());
    }
    progress::partial("12345678901234567.89");
    Ok(json!("three rows"))
}

fn with_progress(_: &Value) -> Outcome {
    for done in [0, 50, 50, 100] {
        progress::report(done, Some(100), Some("Completed so much"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(json!("done"))
}
