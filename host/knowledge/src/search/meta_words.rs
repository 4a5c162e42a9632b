//! Words for the values of a chunk's `meta`, as the function `behalf.meta_words` of the database makes them.

use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

/// A query for the chunks that can have these values; none where no value has a word.
///
/// Texts and truth values have one. A number may be written in several ways that are equal, and a list or an object may be part of a
/// larger one, so these are only looked at in the chunks themselves.
pub(super) fn query(filter: &Map<String, Value>) -> Option<String> {
    let words = filter.iter().filter(|(_, value)| matches!(value, Value::String(_) | Value::Bool(_) | Value::Null));
    let words: Vec<String> = words.map(|(key, value)| format!("'{}'", word(key, value))).collect();
    (!words.is_empty()).then(|| words.join(" & "))
}

/// `serde_json` writes texts as Postgres does.
fn word(key: &str, value: &Value) -> String {
    format!("m{}", hex::encode(Md5::digest(format!("{key}={value}"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_values_with_one_form_have_a_word() {
        let filter = json!({"lang": "de", "page": 3, "tags": ["a"], "draft": false});
        let query = query(filter.as_object().expect("an object")).expect("two words");
        assert_eq!(query.matches("'m").count(), 2);
        assert_eq!(super::query(json!({"page": 3}).as_object().expect("an object")), None);
    }

    #[test]
    fn a_word_is_that_of_the_database() {
        // select 'm' || md5('lang=' || '"de"'::jsonb::text)
        assert_eq!(word("lang", &json!("de")), format!("m{}", hex::encode(Md5::digest("lang=\"de\""))));
    }
}
