//! The single values in a JSON value, at every depth, and the places at which they are.

use serde_json::Value;

/// Levels that are looked at.
const DEPTH: usize = 16;

/// Every single value in this one, with the pointer to its place: texts, numbers, booleans and nulls, in order.
pub(crate) fn leaves(value: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    collect(value, String::new(), 0, &mut found);
    found
}

fn collect<'a>(value: &'a Value, place: String, depth: usize, found: &mut Vec<(String, &'a Value)>) {
    if depth > DEPTH {
        return;
    }
    match value {
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                collect(entry, format!("{place}/{index}"), depth + 1, found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                collect(field, below(&place, name), depth + 1, found);
            }
        }
        single => found.push((place, single)),
    }
}

/// The pointer to a field of what is at this place.
pub(crate) fn below(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The value with another one at this place, which may be a new field of an object that is there. None puts nothing there.
pub(crate) fn with(value: &Value, place: &str, new: Option<&Value>) -> Option<Value> {
    let mut changed = value.clone();
    let (parent, name) = place.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    match (changed.pointer_mut(parent)?, new) {
        (Value::Object(fields), Some(new)) => {
            fields.insert(name, new.clone());
        }
        (Value::Object(fields), None) => {
            fields.remove(&name);
        }
        (Value::Array(entries), Some(new)) => *entries.get_mut(name.parse::<usize>().ok()?)? = new.clone(),
        _ => return None,
    }
    Some(changed)
}

/// All texts and numbers in a value, the names of fields included, one a line.
pub(crate) fn words(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Array(entries) if depth <= DEPTH => entries.iter().for_each(|entry| write(entry, depth + 1, out)),
        Value::Object(fields) if depth <= DEPTH => {
            for (name, field) in fields {
                out.push_str(name);
                out.push('\n');
                write(field, depth + 1, out);
            }
        }
        Value::String(text) => {
            out.push_str(text);
            out.push('\n');
        }
        other => {
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn single_values_are_found_and_replaced_at_every_depth() {
        let value = json!({"a/b": {"c": [1, {"d": "x"}]}, "e": null});
        let places: Vec<_> = leaves(&value).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, ["/a~1b/c/0", "/a~1b/c/1/d", "/e"]);
        assert_eq!(
            with(&value, "/a~1b/c/1/d", Some(&json!("y"))),
            Some(json!({"a/b": {"c": [1, {"d": "y"}]}, "e": null}))
        );
        assert_eq!(with(&value, "/new", Some(&json!(1))).and_then(|new| new.get("new").cloned()), Some(json!(1)));
        assert_eq!(with(&value, "/e", None), Some(json!({"a/b": {"c": [1, {"d": "x"}]}})));
        assert_eq!(with(&value, "/gone/deeper", Some(&json!(1))), None);
        assert_eq!(words(&value), "a/b\nc\n1\nd\nx\ne\nnull\n");
    }
}
