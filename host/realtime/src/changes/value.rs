//! Values of the log as JSON, in the forms that `to_jsonb` gives them.

use behalf_caller_db::BaseType;

/// Arrays have at most six dimensions; the limit stops a hostile text.
const MAX_DEPTH: usize = 6;

/// Writes a value.
pub(super) fn write(out: &mut String, base: &BaseType, text: &str) {
    if base.is_array {
        let start = out.len();
        if array(out, &base.element, text).is_none() {
            out.truncate(start);
            string(out, text);
        }
        return;
    }
    let name = if base.schema == "pg_catalog" { base.name.as_str() } else { "" };
    scalar(out, name, text);
}

/// Writes a text.
pub(super) fn string(out: &mut String, text: &str) {
    // A text is always JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_else(|_| "null".to_owned()));
}

fn scalar(out: &mut String, name: &str, text: &str) {
    match name {
        "bool" if text == "t" => out.push_str("true"),
        "bool" if text == "f" => out.push_str("false"),
        "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" if is_number(text) => out.push_str(text),
        "json" | "jsonb" if serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok() => out.push_str(text),
        // As upstream: without the mark that tells it is hexadecimal.
        "bytea" => string(out, text.strip_prefix("\\x").unwrap_or(text)),
        "timestamp" | "timestamptz" => string(out, &time(text)),
        _ => string(out, text),
    }
}

/// Whether a text of a number is one in JSON too: `NaN` and `Infinity` are none.
fn is_number(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
        && text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// `2026-11-23 10:00:00.5+00` as `2026-11-23T10:00:00.5+00:00`. `infinity` and years BC stay as they are.
fn time(text: &str) -> String {
    if text.ends_with("BC") || text.ends_with("infinity") {
        return text.to_owned();
    }
    let mut time = text.replacen(' ', "T", 1);
    let zone = time.rfind(['+', '-']).filter(|at| time.get(..*at).is_some_and(|before| before.contains('T')));
    if zone.is_some_and(|at| time.len() - at == 3) {
        time.push_str(":00");
    }
    time
}

/// Writes an array; nothing where the text is none.
fn array(out: &mut String, element: &str, text: &str) -> Option<()> {
    let start = if text.starts_with('[') { text.find('=')? + 1 } else { 0 };
    let mut rest = text.get(start..)?;
    nested(out, element, &mut rest, 0)?;
    rest.is_empty().then_some(())
}

fn nested(out: &mut String, element: &str, rest: &mut &str, depth: usize) -> Option<()> {
    if depth >= MAX_DEPTH {
        return None;
    }
    *rest = rest.strip_prefix('{')?;
    out.push('[');
    if let Some(after) = rest.strip_prefix('}') {
        *rest = after;
        out.push(']');
        return Some(());
    }
    loop {
        if rest.starts_with('{') {
            nested(out, element, rest, depth + 1)?;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = unquoted(quoted)?;
            *rest = after;
            scalar(out, element, &text);
        } else {
            let end = rest.find([',', '}'])?;
            let (text, after) = rest.split_at(end);
            *rest = after;
            if text == "NULL" { out.push_str("null") } else { scalar(out, element, text) }
        }
        if let Some(after) = rest.strip_prefix(',') {
            *rest = after;
            out.push(',');
        } else {
            *rest = rest.strip_prefix('}')?;
            out.push(']');
            return Some(());
        }
    }
}

/// The text up to the closing quote, and what follows.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let (mut text, mut letters) = (String::new(), quoted.chars());
    loop {
        match letters.next()? {
            '"' => return Some((text, letters.as_str())),
            '\\' => text.push(letters.next()?),
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(name: &str, element: &str, text: &str) -> String {
        let base = BaseType {
            schema: "pg_catalog".to_owned(),
            name: name.to_owned(),
            kind: "b".to_owned(),
            is_array: !element.is_empty(),
            element: element.to_owned(),
        };
        let mut out = String::new();
        write(&mut out, &base, text);
        out
    }

    #[test]
    fn values_have_the_forms_of_to_jsonb() {
        for (name, text, is) in [
            ("bool", "t", "true"),
            ("int8", "9007199254740993", "9007199254740993"),
            ("numeric", "1.50", "1.50"),
            ("numeric", "NaN", "\"NaN\""),
            ("float8", "1e+20", "1e+20"),
            ("float8", "Infinity", "\"Infinity\""),
            ("oid", "5", "\"5\""),
            ("jsonb", r#"{"a": [1]}"#, r#"{"a": [1]}"#),
            ("bytea", "\\x0102", "\"0102\""),
            ("timestamptz", "2026-11-23 10:00:00.5+00", "\"2026-11-23T10:00:00.5+00:00\""),
            ("timestamp", "2026-11-23 10:00:00", "\"2026-11-23T10:00:00\""),
            ("timestamp", "infinity", "\"infinity\""),
            ("date", "2026-11-23", "\"2026-11-23\""),
            ("text", "a\"b\u{1}", "\"a\\\"b\\u0001\""),
        ] {
            assert_eq!(json(name, "", text), is, "{name} {text}");
        }
    }

    #[test]
    fn arrays_are_arrays_and_what_is_none_is_text() {
        for (element, text, is) in [
            ("int4", "{1,NULL,3}", "[1,null,3]"),
            ("text", r#"{a,"b \"c\"",NULL,"NULL"}"#, r#"["a","b \"c\"",null,"NULL"]"#),
            ("int4", "[0:1]={{1},{2}}", "[[1],[2]]"),
            ("int4", "{}", "[]"),
            ("jsonb", r#"{"{\"a\": 1}"}"#, r#"[{"a": 1}]"#),
            ("int4", "{1,", "\"{1,\""),
            ("int4", "{1}x", "\"{1}x\""),
            ("int4", "{{{{{{{1}}}}}}}", "\"{{{{{{{1}}}}}}}\""),
        ] {
            assert_eq!(json("_x", element, text), is, "{text}");
        }
    }
}
