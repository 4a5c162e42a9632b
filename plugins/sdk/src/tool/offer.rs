//! What a tool is besides a tool: an MCP resource or an MCP prompt.

use alloc::format;
use alloc::string::String;

use serde_json::Value;

use crate::content::media_type::is_media_type;

/// What is wrong with it in a definition, as the end of a sentence that begins with the tool. `#[tool]` finds the most of it earlier; this
/// is for definitions by hand as well.
pub(super) fn check_offer(definition: &Value) -> Result<(), String> {
    let resource = definition.get("resource");
    let is_prompt = match definition.get("prompt") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => return Err("has a prompt that is neither true nor false".into()),
    };
    let kind = match (resource, is_prompt) {
        (None, false) => return Ok(()),
        (Some(_), true) => return Err("is a resource and a prompt: it can be one of them".into()),
        (Some(_), false) => "resource",
        (None, true) => "prompt",
    };
    if definition["annotations"]["readOnlyHint"] != true {
        return Err(format!("is a {kind} and may write: a {kind} is read only"));
    }
    resource.map_or(Ok(()), |resource| check_resource(resource, &definition["inputSchema"]))
}

fn check_resource(resource: &Value, input_schema: &Value) -> Result<(), String> {
    let Some(uri) = resource["uri"].as_str() else { return Err("is a resource without a uri".into()) };
    let fault = |what: &str| format!("is the resource {uri:?}, which has {what}");
    if !has_scheme(uri) {
        return Err(fault("no scheme, as in notes://{id}"));
    }
    let mut rest = uri;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((variable, after)) = after.split_once('}').filter(|_| !before.contains('}')) else { break };
        if !is_variable(variable) {
            return Err(fault(&format!(
                "the variable {variable:?}: a variable has a to z, 0 to 9 and _, and begins with no digit"
            )));
        }
        if !may_be_parameter(variable, input_schema) {
            return Err(fault(&format!("the variable {variable:?}, which is no parameter of the tool")));
        }
        rest = after;
    }
    if rest.contains(['{', '}']) {
        return Err(fault("a brace without its other one"));
    }
    match resource.get("mimeType") {
        Some(given) if !given.as_str().is_some_and(is_media_type) => {
            Err(fault(&format!("{given} as its mimeType, which is not a media type, as in text/markdown")))
        }
        _ => Ok(()),
    }
}

/// A schema of alternatives has its properties elsewhere, and is not followed here.
fn may_be_parameter(variable: &str, input_schema: &Value) -> bool {
    match input_schema.get("properties") {
        Some(properties) => properties.get(variable).is_some(),
        None => input_schema["additionalProperties"] != false,
    }
}

fn has_scheme(uri: &str) -> bool {
    let of_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte);
    uri.starts_with(|first: char| first.is_ascii_lowercase())
        && uri.split_once(':').is_some_and(|(scheme, _)| scheme.bytes().all(of_scheme))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(offer: &Value) -> String {
        let mut definition = json!({
            "inputSchema": {"type": "object", "properties": {"id": {}, "_2": {}}},
            "annotations": {"readOnlyHint": true},
        });
        for (key, value) in offer.as_object().expect("an object") {
            definition[key] = value.clone();
        }
        check_offer(&definition).err().unwrap_or_default()
    }

    #[test]
    fn a_tool_is_a_resource_or_a_prompt_or_neither() {
        for sound in [
            json!({}),
            json!({"prompt": false}),
            json!({"prompt": true}),
            json!({"resource": {"uri": "notes:all"}}),
            json!({"resource": {"uri": "git+ssh://a/{id}/{_2}", "mimeType": "text/markdown"}}),
        ] {
            assert_eq!(fault(&sound), "", "{sound}");
        }
    }

    #[test]
    fn what_a_host_refuses_is_found_before() {
        let writes = json!({"readOnlyHint": false});
        let resource = |uri: &str| json!({"resource": {"uri": uri}});
        for (offer, word) in [
            (json!({"prompt": 1}), "neither true nor false"),
            (json!({"prompt": true, "resource": {"uri": "a:"}}), "one of them"),
            (json!({"prompt": true, "annotations": writes}), "a prompt is read only"),
            (json!({"resource": {"uri": "a:"}, "annotations": {}}), "a resource is read only"),
            (json!({"resource": {}}), "without a uri"),
            (resource("notes"), "no scheme"),
            (resource("1a:b"), "no scheme"),
            (resource("{id}:b"), "no scheme"),
            (resource("a://{id"), "brace"),
            (resource("a://id}"), "brace"),
            (resource("a://}{id}"), "brace"),
            (resource("a://{id}}"), "brace"),
            (resource("a://{{id}}"), "the variable \"{id\""),
            (resource("a://{}"), "the variable \"\""),
            (resource("a://{2}"), "begins with no digit"),
            (resource("a://{Id}"), "begins with no digit"),
            (resource("a://{other}"), "no parameter"),
            (json!({"resource": {"uri": "a:", "mimeType": "markdown"}}), "not a media type"),
        ] {
            let fault = fault(&offer);
            assert!(fault.contains(word), "{offer}: {fault}");
        }
    }
}
