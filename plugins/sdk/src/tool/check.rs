//! What a host would refuse of a tool's definition, found by `cargo test`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::offer::check_offer;

/// Longest name of a tool that a host takes.
const MAX_NAME: usize = 64;
/// Longest description that a host takes.
const MAX_DESCRIPTION_CHARS: usize = 4_096;

/// What is wrong with the definitions of a plugin's tools, if anything. `export_tools!` makes a test of it.
pub fn check_definitions(tools: &[(&str, Cow<'static, str>)]) -> Result<(), String> {
    for (index, (name, definition)) in tools.iter().enumerate() {
        check_definition(name, definition)?;
        if tools.iter().take(index).any(|(other, _)| other == name) {
            return Err(format!("two tools are named {name}"));
        }
    }
    Ok(())
}

fn check_definition(name: &str, definition: &str) -> Result<(), String> {
    let definition: Value =
        serde_json::from_str(definition).map_err(|error| format!("the definition of {name} is not JSON: {error}"))?;
    if !is_tool_name(name) {
        return Err(format!("\"{name}\" is not a tool name"));
    }
    if definition["name"] != name {
        return Err(format!("the definition of {name} is named {}", definition["name"]));
    }
    let Some(description) = definition["description"].as_str().filter(|text| !text.is_empty()) else {
        return Err(format!("{name} has no description"));
    };
    if description.chars().count() > MAX_DESCRIPTION_CHARS {
        return Err(format!("the description of {name} is longer than {MAX_DESCRIPTION_CHARS} characters"));
    }
    if definition["inputSchema"]["type"] != "object" {
        return Err(format!(
            "the input schema of {name} does not describe an object: the arguments must be a struct with named fields"
        ));
    }
    for key in ["inputSchema", "outputSchema"] {
        let schema = &definition[key];
        follow(schema, schema, &mut Vec::new()).map_err(|fault| format!("the {key} of {name} {fault}"))?;
    }
    check_offer(&definition).map_err(|fault| format!("the tool {name} {fault}"))
}

fn is_tool_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Follows every reference, as a host does before it takes a schema.
fn follow<'a>(root: &'a Value, value: &'a Value, open: &mut Vec<&'a str>) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| follow(root, item, open)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, field)| match (key.as_str(), field.as_str()) {
            ("$ref", Some(reference)) => {
                let target = reference.strip_prefix('#').filter(|pointer| pointer.starts_with("/$defs/"));
                let Some(target) = target.and_then(|pointer| root.pointer(pointer)) else {
                    return Err(format!("refers to {reference}; a host follows references to #/$defs/ only"));
                };
                if open.contains(&reference) {
                    return Err(format!("refers to itself ({reference}), which a host refuses: break the recursion"));
                }
                open.push(reference);
                follow(root, target, open)?;
                open.pop();
                Ok(())
            }
            _ => follow(root, field, open),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::string::ToString as _;

    use serde_json::json;

    use super::*;

    fn fault(name: &str, definition: &Value) -> String {
        check_definition(name, &definition.to_string()).err().unwrap_or_default()
    }

    #[test]
    fn what_a_host_refuses_is_found_before() {
        let sound = json!({"name": "a", "description": "A.", "inputSchema": {"type": "object"}});
        assert_eq!(fault("a", &sound), "");
        let with = |key: &str, value: Value| {
            let mut definition = sound.clone();
            definition[key] = value;
            definition
        };
        let circle = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}});
        for (definition, word) in [
            (with("name", json!("b")), "is named"),
            (with("description", json!("")), "no description"),
            (with("description", json!("x".repeat(5_000))), "longer"),
            (with("inputSchema", json!({"type": "array"})), "object"),
            (with("inputSchema", circle.clone()), "itself"),
            (with("outputSchema", circle), "itself"),
            (with("outputSchema", json!({"$ref": "https://example.com"})), "#/$defs/"),
        ] {
            let fault = fault("a", &definition);
            assert!(fault.contains(word), "{definition}: {fault}");
        }
        assert!(fault("A", &with("name", json!("A"))).contains("not a tool name"));
    }

    #[test]
    fn a_name_is_given_once() {
        let tool = ("a", Cow::Borrowed(r#"{"name": "a", "description": "A.", "inputSchema": {"type": "object"}}"#));
        assert_eq!(check_definitions(core::slice::from_ref(&tool)), Ok(()));
        assert_eq!(check_definitions(&[tool.clone(), tool]), Err("two tools are named a".to_owned()));
    }
}
