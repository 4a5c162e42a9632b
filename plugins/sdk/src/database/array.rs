//! Arrays as parameters.

use alloc::format;
use alloc::string::{String, ToString as _};

use super::Value;

/// An array as a parameter, for `= any($1)` or an array column. The server infers the type of its elements.
pub fn array<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Value {
    let mut literal = String::from("{");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            literal.push(',');
        }
        match value.into() {
            Value::Null => literal.push_str("NULL"),
            Value::Boolean(value) => literal.push_str(if value { "t" } else { "f" }),
            Value::Integer(value) => literal.push_str(&value.to_string()),
            Value::Float(value) => literal.push_str(&super::params::float_text(value)),
            Value::Text(text) => push_quoted_element(&mut literal, &text),
            Value::Bytes(bytes) => push_quoted_element(&mut literal, &super::json::hex(&bytes)),
            Value::Vector(numbers) => push_quoted_element(&mut literal, &format!("{numbers:?}")),
        }
    }
    literal.push('}');
    Value::Text(literal)
}

/// Postgres's text form of an array; none if the values cannot be one.
pub fn array_literal(values: &[serde_json::Value]) -> Option<String> {
    let mut literal = String::from("{");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            literal.push(',');
        }
        match value {
            serde_json::Value::Null => literal.push_str("NULL"),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
                literal.push_str(&value.to_string());
            }
            serde_json::Value::String(text) => push_quoted_element(&mut literal, text),
            serde_json::Value::Array(inner) => literal.push_str(&array_literal(inner)?),
            serde_json::Value::Object(_) => return None,
        }
    }
    literal.push('}');
    Some(literal)
}

/// Always quoted, so that an element that says NULL, is empty or holds a comma stays what it is.
fn push_quoted_element(literal: &mut String, text: &str) {
    literal.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal.push('"');
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::vec;

    use super::*;

    #[test]
    fn elements_stay_what_they_are() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(array([1, -2]), text("{1,-2}"));
        assert_eq!(array(["NULL", "", r#"a,"b\"#]), text(r#"{"NULL","","a,\"b\\"}"#));
        assert_eq!(array(vec![Some(1.5), None, Some(f64::INFINITY)]), text("{1.5,NULL,Infinity}"));
        assert_eq!(array([true, false]), text("{t,f}"));
        assert_eq!(array([vec![0_u8, 255]]), text(r#"{"\\x00ff"}"#));
        assert_eq!(array([vec![0.5_f32, 1.0]]), text(r#"{"[0.5, 1.0]"}"#));
        assert_eq!(array::<i64>([]), text("{}"));
    }
}
