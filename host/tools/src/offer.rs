//! What a tool's definition says that the tool is for clients of MCP beside a tool: a resource or a prompt.

use behalf_contracts::{ToolResource, UriTemplate, is_media_type};
use serde_json::{Map, Value};

/// Takes the resource and the prompt out of a definition's fields. `input` is the schema of its arguments. The error says what is wrong.
pub(crate) fn take_offer(
    fields: &mut Map<String, Value>,
    input: &Value,
    read_only: bool,
) -> Result<(Option<ToolResource>, bool), &'static str> {
    let resource = fields.remove("resource").filter(|value| !value.is_null());
    let prompt = match fields.remove("prompt") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(prompt)) => prompt,
        Some(_) => return Err("prompt is true or false"),
    };
    if resource.is_none() && !prompt {
        return Ok((None, false));
    }
    if resource.is_some() && prompt {
        return Err("a tool is a resource or a prompt, not both");
    }
    if !read_only {
        return Err("a resource or a prompt changes nothing: say readOnlyHint");
    }
    let Some(resource) = resource else { return Ok((None, prompt)) };
    let resource = read_resource(&resource)?;
    let properties = input.get("properties").and_then(Value::as_object);
    let is_known = |name: &str| properties.is_some_and(|properties| properties.contains_key(name));
    if !resource.uri.variables().all(is_known) {
        return Err("each variable of the resource's uri is a property of inputSchema");
    }
    let mut required = input.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    if required.any(|name| resource.uri.variables().all(|variable| variable != name)) {
        return Err("each required property of inputSchema is a variable of the resource's uri");
    }
    Ok((Some(resource), false))
}

/// Reads `{"uri": "notes://{id}", "mimeType": "text/markdown"}`.
pub(crate) fn read_resource(resource: &Value) -> Result<ToolResource, &'static str> {
    const FORM: &str = "resource is an object with uri and, if need be, mimeType";
    let fields = resource.as_object().ok_or(FORM)?;
    if fields.keys().any(|key| key != "uri" && key != "mimeType") {
        return Err(FORM);
    }
    let uri = UriTemplate::parse(fields.get("uri").and_then(Value::as_str).ok_or(FORM)?)?;
    let mime_type = match fields.get("mimeType") {
        None | Some(Value::Null) => None,
        Some(Value::String(kind)) if is_media_type(kind) => Some(kind.clone()),
        Some(_) => return Err("the resource's mimeType is of the form type/subtype"),
    };
    Ok(ToolResource { uri, mime_type })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(definition: Value, read_only: bool) -> Result<(Option<ToolResource>, bool), &'static str> {
        let Value::Object(mut fields) = definition else { panic!("an object") };
        let input = json!({ "properties": { "id": { "type": "string" }, "style": {} }, "required": ["id"] });
        take_offer(&mut fields, &input, read_only)
    }

    #[test]
    fn a_resource_and_a_prompt_are_read() {
        assert_eq!(taken(json!({}), false), Ok((None, false)));
        assert_eq!(taken(json!({ "prompt": false, "resource": null }), false), Ok((None, false)));
        assert_eq!(taken(json!({ "prompt": true }), true), Ok((None, true)));
        let (resource, prompt) =
            taken(json!({ "resource": { "uri": "notes://{id}", "mimeType": "text/markdown" } }), true)
                .expect("it is one");
        let resource = resource.expect("it is one");
        assert_eq!(
            (resource.uri.as_str(), resource.mime_type.as_deref(), prompt),
            ("notes://{id}", Some("text/markdown"), false)
        );
    }

    #[test]
    fn what_cannot_be_offered_is_refused_with_its_reason() {
        let notes = json!({ "uri": "notes://{id}" });
        for (definition, read_only, reason) in [
            (json!({ "resource": notes }), false, "readOnlyHint"),
            (json!({ "prompt": true }), false, "readOnlyHint"),
            (json!({ "resource": notes, "prompt": true }), true, "not both"),
            (json!({ "prompt": "yes" }), true, "true or false"),
            (json!({ "resource": "notes://{id}" }), true, "object"),
            (json!({ "resource": { "uri": "notes://{id}", "name": "x" } }), true, "object"),
            (json!({ "resource": { "uri": "notes://{id}", "mimeType": "markdown" } }), true, "type/subtype"),
            (json!({ "resource": { "uri": "notes" } }), true, "scheme"),
            (json!({ "resource": { "uri": "notes://{id}/{page}" } }), true, "property of inputSchema"),
            (json!({ "resource": { "uri": "notes://all" } }), true, "required property"),
        ] {
            let said = taken(definition.clone(), read_only).expect_err("it is refused");
            assert!(said.contains(reason), "{definition}: {said}");
        }
    }
}
