//! The keyword `uniqueItems` in linear time. The validator's own compares every pair of items whose hashes are the same, and its
//! hashes tell neither nested arrays nor large numbers apart: a megabyte of brackets would take it half a minute.

use std::collections::HashSet;

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Number, Value};

/// Integers of JSON are smaller than this, so larger fractions equal none.
const MAX_INTEGER: f64 = 2e19;

struct UniqueItems {
    wanted: bool,
}

/// Makes the keyword.
pub(crate) fn unique_items<'a>(
    _parent: &'a Map<String, Value>,
    value: &'a Value,
    _path: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let wanted = value.as_bool().ok_or_else(|| ValidationError::custom("uniqueItems must be true or false"))?;
    Ok(Box::new(UniqueItems { wanted }))
}

impl<'i> Keyword<'i> for UniqueItems {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom("has non-unique elements")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        let items = instance.as_array().filter(|_| self.wanted);
        let mut seen = HashSet::new();
        items.is_none_or(|items| items.iter().all(|item| seen.insert(Item::from(item))))
    }
}

/// A value in a form that is the same, also as a hash, for values that JSON Schema calls equal.
#[derive(PartialEq, Eq, Hash)]
enum Item<'a> {
    Null,
    Bool(bool),
    Integer(i128),
    /// The bits of a number that is no integer.
    Fraction(u64),
    Text(&'a str),
    List(Vec<Self>),
    /// In the order of their names.
    Fields(Vec<(&'a str, Self)>),
}

impl<'a> From<&'a Value> for Item<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => number_item(number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let mut fields: Vec<_> =
                    fields.iter().map(|(name, field)| (name.as_str(), Self::from(field))).collect();
                fields.sort_unstable_by_key(|(name, _)| *name);
                Self::Fields(fields)
            }
        }
    }
}

/// `1` and `1.0` are equal, and so are `0` and `-0.0`.
fn number_item(number: &Number) -> Item<'static> {
    if let Some(integer) = number.as_i128() {
        return Item::Integer(integer);
    }
    let number = number.as_f64().unwrap_or(f64::INFINITY);
    if number.fract() == 0.0 && number.abs() < MAX_INTEGER {
        #[expect(clippy::cast_possible_truncation, reason = "it is an integer that fits")]
        return Item::Integer(number as i128);
    }
    Item::Fraction(number.to_bits())
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use serde_json::json;

    use super::*;
    use crate::Schema;

    #[test]
    fn items_are_equal_as_json_schema_says() {
        let schema = Schema::new(&json!({"uniqueItems": true})).expect("a schema");
        for unique in [
            json!([]),
            json!("aa"),
            json!([1, true, "1", null, [1], {"1": 1}, 0, false, "", "true", {}]),
            json!([[], [[]], [[], []], [[[]]]]),
            json!([["a", "b"], ["ab"], ["b", "a"], ["a", ["b"]]]),
            json!([{"a": "b"}, {"b": "a"}, {"a": {"b": 1}}, {"a": {}, "b": 1}]),
            json!([9_007_199_254_740_993_u64, 9_007_199_254_740_992.0, u64::MAX, u64::MAX - 1, i64::MIN, 1e300, 0.5]),
        ] {
            assert!(schema.fits(&unique), "{unique}");
        }
        for twice in [
            json!([1, 2, 1]),
            json!([1, 1.0]),
            json!([0, -0.0]),
            json!([0.5, 0.5]),
            json!([9_007_199_254_740_992_u64, 9_007_199_254_740_992.0]),
            json!([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}]),
            json!([null, null]),
        ] {
            let faults = schema.faults(&twice);
            assert!(faults.len() == 1 && faults[0].message.contains("non-unique"), "{twice}: {faults:?}");
        }
        assert!(Schema::new(&json!({"uniqueItems": false})).expect("a schema").fits(&json!([1, 1])));
        let odd = Schema::new(&json!({"uniqueItems": 1})).expect("a schema");
        assert!(odd.fits(&json!([1, 1])) && odd.unchecked().len() == 1, "{:?}", odd.unchecked());
    }

    /// Brackets that differ for each number below 65,536.
    fn brackets(number: u32) -> Value {
        (0..16).fold(json!([]), |inner, bit| {
            Value::Array(if (number >> bit) & 1 == 1 { vec![inner, json!([])] } else { vec![inner] })
        })
    }

    #[test]
    fn items_that_are_hard_to_tell_apart_have_hashes_of_their_own() {
        let schema = Schema::new(&json!({"uniqueItems": true})).expect("a schema");
        let trees: Vec<Value> = (0..40_000).map(brackets).collect();
        // As fractions of 64 bits, these are the same by the thousand.
        let numbers: Vec<Value> = (0..100_000).map(|below| json!(u64::MAX - below)).collect();
        for mut items in [trees, numbers] {
            let state = RandomState::new();
            let hashes: HashSet<u64> = items.iter().map(|item| state.hash_one(Item::from(item))).collect();
            // Two of so many could be the same by chance, a thousand could not.
            assert!(hashes.len() + 2 > items.len(), "{} hashes of {} items", hashes.len(), items.len());
            let first = items[0].clone();
            assert!(schema.fits(&Value::Array(items.clone())));
            items.push(first);
            assert!(!schema.fits(&Value::Array(items)));
        }
    }
}
