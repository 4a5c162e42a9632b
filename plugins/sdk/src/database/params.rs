//! What becomes a parameter.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::Value;

/// The parameters of a statement: `params![name, 3, Some(true)]`, each of a type that becomes a
/// [`Value`](crate::database::Value).
///
/// Numbers, booleans and text are what they look like; `Option` is NULL where it is `None`; `Vec<u8>` and `&[u8]` are bytea,
/// `Vec<f32>` and `&[f32]` are pgvector's vector; `serde_json::Value` goes by the table in [`database`](crate::database).
/// For arrays there is [`database::array`](crate::database::array), for json columns and composite types
/// [`database::json`](crate::database::json), and with the features `uuid` and `chrono` these crates' types.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::database::Value::from($value)),*] as &[$crate::database::Value]
    };
}

/// See the table in [`database`](crate::database).
impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Boolean(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Self::Integer(value),
                // Beyond 64 bits with a sign; as text it may still be a numeric.
                (None, _) if number.is_u64() => Self::Text(number.to_string()),
                (None, Some(value)) => Self::Float(value),
                (None, None) => Self::Text(number.to_string()),
            },
            serde_json::Value::String(value) => Self::Text(value.clone()),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => Self::Text(value.to_string()),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(value) => Self::Text(value),
            value => Self::from(&value),
        }
    }
}

/// A value and a reference to it, by the same expression.
macro_rules! values {
    ($($(#[$when:meta])? $type:ty: $value:ident => $made:expr),+ $(,)?) => {
        $(
            $(#[$when])?
            impl From<$type> for Value {
                fn from($value: $type) -> Self {
                    $made
                }
            }

            $(#[$when])?
            impl From<&$type> for Value {
                fn from(value: &$type) -> Self {
                    let $value = *value;
                    $made
                }
            }
        )+
    };
}

values! {
    bool: value => Self::Boolean(value),
    i8: value => Self::Integer(value.into()),
    i16: value => Self::Integer(value.into()),
    i32: value => Self::Integer(value.into()),
    i64: value => Self::Integer(value),
    u8: value => Self::Integer(value.into()),
    u16: value => Self::Integer(value.into()),
    u32: value => Self::Integer(value.into()),
    // Beyond 64 bits with a sign; as text it may still be a numeric.
    u64: value => i64::try_from(value).map_or_else(|_| Self::Text(value.to_string()), Self::Integer),
    usize: value => Self::from(value as u64),
    f32: value => Self::Float(value.into()),
    f64: value => Self::Float(value),
    char: value => Self::Text(value.into()),
    #[cfg(feature = "uuid")]
    uuid::Uuid: value => Self::Text(value.to_string()),
    #[cfg(feature = "chrono")]
    chrono::NaiveDate: value => Self::Text(value.to_string()),
    #[cfg(feature = "chrono")]
    chrono::NaiveTime: value => Self::Text(value.to_string()),
    #[cfg(feature = "chrono")]
    chrono::NaiveDateTime: value => Self::Text(value.to_string()),
}

#[cfg(feature = "chrono")]
impl<Tz: chrono::TimeZone> From<chrono::DateTime<Tz>> for Value {
    fn from(value: chrono::DateTime<Tz>) -> Self {
        Self::Text(value.to_utc().to_rfc3339())
    }
}

#[cfg(feature = "chrono")]
impl<Tz: chrono::TimeZone> From<&chrono::DateTime<Tz>> for Value {
    fn from(value: &chrono::DateTime<Tz>) -> Self {
        Self::Text(value.to_utc().to_rfc3339())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(value: Cow<'_, str>) -> Self {
        Self::Text(value.into_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<&Vec<u8>> for Value {
    fn from(value: &Vec<u8>) -> Self {
        Self::Bytes(value.clone())
    }
}

impl From<Vec<f32>> for Value {
    fn from(value: Vec<f32>) -> Self {
        Self::Vector(value)
    }
}

impl From<&[f32]> for Value {
    fn from(value: &[f32]) -> Self {
        Self::Vector(value.to_vec())
    }
}

impl From<&Vec<f32>> for Value {
    fn from(value: &Vec<f32>) -> Self {
        Self::Vector(value.clone())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A reference to what may be absent, such as a field of arguments that are needed again.
impl<T: Clone + Into<Value>> From<&Option<T>> for Value {
    fn from(value: &Option<T>) -> Self {
        value.clone().into()
    }
}

/// As Postgres spells it.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value.is_sign_positive() { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_becomes_the_parameter_it_looks_like() {
        let cases = [
            (json!(null), Value::Null),
            (json!(true), Value::Boolean(true)),
            (json!(-7), Value::Integer(-7)),
            (json!(1.5), Value::Float(1.5)),
            (json!(u64::MAX), Value::Text("18446744073709551615".to_owned())),
            (json!("x"), Value::Text("x".to_owned())),
            (json!({"a": [1]}), Value::Text(r#"{"a":[1]}"#.to_owned())),
            (json!([1, null, "NULL", "a,\"b\"\\"]), Value::Text(r#"[1,null,"NULL","a,\"b\"\\"]"#.to_owned())),
            (json!([[1], [2]]), Value::Text("[[1],[2]]".to_owned())),
            (json!([]), Value::Text("[]".to_owned())),
            (json!([{"a": 1}]), Value::Text(r#"[{"a":1}]"#.to_owned())),
        ];
        for (json, expected) in cases {
            let value = Value::from(&json);
            assert_eq!(value, expected);
            assert_eq!(Value::from(json), value);
        }
    }

    #[test]
    fn the_usual_types_are_parameters_owned_and_lent() {
        let text = |text: &str| Value::Text(text.to_owned());
        let name = String::from("x");
        let limit: Option<u8> = None;
        let numbers = vec![0.5_f32];
        let params = crate::params![
            1_i32,
            2_u32,
            &3_i64,
            u64::MAX,
            4_usize,
            0.5_f32,
            true,
            "a",
            name.clone(),
            &name,
            Some("b"),
            None::<i64>,
            limit,
            &limit,
            &Some(1_u8),
            vec![1_u8],
            [2_u8].as_slice(),
            numbers.as_slice(),
            &numbers,
            'c',
            Cow::Borrowed("d"),
            json!([1]),
            Value::Null,
        ];
        let integer = Value::Integer;
        assert_eq!(
            params,
            [
                integer(1),
                integer(2),
                integer(3),
                text("18446744073709551615"),
                integer(4),
                Value::Float(0.5),
                Value::Boolean(true),
                text("a"),
                text("x"),
                text("x"),
                text("b"),
                Value::Null,
                Value::Null,
                Value::Null,
                integer(1),
                Value::Bytes(vec![1]),
                Value::Bytes(vec![2]),
                Value::Vector(vec![0.5]),
                Value::Vector(vec![0.5]),
                text("c"),
                text("d"),
                text("[1]"),
                Value::Null,
            ]
        );
        assert!(crate::params![].is_empty());
    }

    #[cfg(all(feature = "chrono", feature = "uuid"))]
    #[test]
    fn ids_and_times_are_sent_as_postgres_reads_them() {
        use chrono::{DateTime, NaiveDate};
        let time = DateTime::parse_from_rfc3339("2026-03-04T05:06:07.5+02:00").expect("a time");
        let date = NaiveDate::from_ymd_opt(2026, 3, 4).expect("a date");
        let date_time = date.and_hms_opt(5, 6, 7).expect("a time of day");
        let params = crate::params![time, &time, date, date_time, date_time.time(), uuid::Uuid::nil()];
        let expected = [
            "2026-03-04T03:06:07.500+00:00",
            "2026-03-04T03:06:07.500+00:00",
            "2026-03-04",
            "2026-03-04 05:06:07",
            "05:06:07",
            "00000000-0000-0000-0000-000000000000",
        ];
        assert_eq!(params, expected.map(Value::from));
    }
}
