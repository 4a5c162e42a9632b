//! Arrays as parameters.

use alloc::string::{String, ToString as _};

use super::Value;
use super::json::hex;
use super::params::float_text;

/// An array as a parameter: for `= any($1)` or an array column, for json and jsonb, and for pgvector's types. The host gives it the
/// form that the parameter's type takes.
pub fn array<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Value {
    let mut json = String::from("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        match value.into() {
            Value::Null => json.push_str("null"),
            Value::Boolean(value) => json.push_str(if value { "true" } else { "false" }),
            Value::Integer(value) => json.push_str(&value.to_string()),
            Value::Float(value) if value.is_finite() => json.push_str(&float_text(value)),
            // JSON has no word for these.
            Value::Float(value) => push_text(&mut json, &float_text(value)),
            Value::Text(text) => push_text(&mut json, &text),
            Value::Bytes(bytes) => push_text(&mut json, &hex(&bytes)),
            Value::Vector(numbers) => match array(numbers) {
                Value::Text(inner) => json.push_str(&inner),
                _ => json.push_str("null"),
            },
        }
    }
    json.push(']');
    Value::Text(json)
}

fn push_text(json: &mut String, text: &str) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::vec;

    use super::*;

    #[test]
    fn elements_stay_what_they_are() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(array([1, -2]), text("[1,-2]"));
        assert_eq!(array(["NULL", "", r#"a,"b\"#]), text(r#"["NULL","","a,\"b\\"]"#));
        assert_eq!(array(vec![Some(1.5), None, Some(f64::INFINITY)]), text(r#"[1.5,null,"Infinity"]"#));
        assert_eq!(array([true, false]), text("[true,false]"));
        assert_eq!(array([vec![0_u8, 255]]), text(r#"["\\x00ff"]"#));
        assert_eq!(array([vec![0.5_f32, 1.0]]), text("[[0.5,1]]"));
        assert_eq!(array::<i64>([]), text("[]"));
    }
}
