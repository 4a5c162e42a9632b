//! What goes into statements and patterns as it is meant.

use alloc::format;
use alloc::string::String;

/// Postgres cuts longer names off without a word, and what is left may name something else.
const MAX_IDENTIFIER_BYTES: usize = 63;

/// An identifier in double quotes, safe to put into a statement.
pub fn quote_identifier(name: &str) -> Result<String, crate::Error> {
    if name.is_empty() || name.contains('\0') {
        return Err(crate::Error::invalid_arguments("A name must not be empty or contain NUL."));
    }
    if name.len() > MAX_IDENTIFIER_BYTES {
        return Err(crate::Error::invalid_arguments(format!(
            "The name \"{name}\" is longer than {MAX_IDENTIFIER_BYTES} bytes."
        )));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `table` or `schema.table`, quoted.
pub fn quote_table(name: &str) -> Result<String, crate::Error> {
    match name.split_once('.') {
        Some((schema, table)) => Ok(format!("{}.{}", quote_identifier(schema)?, quote_identifier(table)?)),
        None => quote_identifier(name),
    }
}

/// Text in a pattern of LIKE, taken literally: `%`, `_` and `\` lose their meaning.
///
/// ```
/// assert_eq!(behalf_sdk::database::escape_like("100%"), r"100\%");
/// ```
pub fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_what_was_typed_literally() {
        assert_eq!(escape_like(r"a%b_c\d"), r"a\%b\_c\\d");
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quote_identifier("note").as_deref().ok(), Some("\"note\""));
        assert_eq!(quote_identifier(r#"a" or 1=1 --"#).as_deref().ok(), Some(r#""a"" or 1=1 --""#));
        assert_eq!(quote_table("public.notes").as_deref().ok(), Some("\"public\".\"notes\""));
        assert_eq!(quote_table("a.b.c").as_deref().ok(), Some("\"a\".\"b.c\""));
    }

    #[test]
    fn a_name_that_postgres_would_cut_is_refused() {
        assert!(quote_identifier(&"x".repeat(63)).is_ok());
        for name in ["", "a\0b", &"x".repeat(64), "."] {
            assert!(quote_table(name).is_err(), "{name:?}");
        }
    }
}
