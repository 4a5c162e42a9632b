//! The language of filters, as upstream's: `column=operator.value`, several joined by commas, each perhaps with `not.` before the
//! operator. What is read here stays text: a value is compared with values and never becomes a part of a statement.

use std::fmt;

use behalf_caller_db::Comparison;

/// Items of `in` at most, as upstream.
const MAX_ITEMS: usize = 100;

/// Conditions of a filter at most.
const MAX_CONDITIONS: usize = 20;

/// Bytes of a filter at most.
const MAX_BYTES: usize = 8 * 1024;

/// An operator and what it compares with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// A comparison with one value.
    Compare(Comparison, String),
    /// `neq`.
    NotEqual(String),
    /// Equal to one of several.
    In(Vec<String>),
    /// `is null`, or `is true`, `is false`, `is unknown` of a truth value.
    Is(Is),
    /// Different, where NULL is a value.
    IsDistinct(String),
}

/// What `is` compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Is {
    Null,
    True,
    False,
    Unknown,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Condition {
    pub(super) column: String,
    pub(super) test: Test,
    pub(super) is_negated: bool,
    /// The operator and the value as they were written, for errors.
    written: (String, String),
}

impl fmt::Display for Condition {
    /// As upstream shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, value) = &self.written;
        write!(f, "{{{:?}, {operator:?}, {value:?}, {}}}", self.column, self.is_negated)
    }
}

/// Reads a filter. The error is a sentence for the client.
pub(super) fn read(filter: &str) -> Result<Vec<Condition>, String> {
    if filter.trim().is_empty() {
        return Ok(Vec::new());
    }
    if filter.len() > MAX_BYTES || filter.contains('\0') {
        return Err(format!("a filter has at most {MAX_BYTES} bytes and no NUL character"));
    }
    let segments = segments(filter.trim());
    if segments.len() > MAX_CONDITIONS {
        return Err(format!("a filter has at most {MAX_CONDITIONS} conditions"));
    }
    segments.iter().map(|segment| condition(segment.trim())).collect()
}

/// Parts of a text between commas that stand outside of parentheses and quotes.
fn segments(filter: &str) -> Vec<String> {
    let (mut found, mut current) = (Vec::new(), String::new());
    let (mut depth, mut is_quoted, mut before) = (0_usize, false, '\0');
    let mut letters = filter.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if is_quoted => {
                current.push(letter);
                current.extend(letters.next());
                before = letter;
                continue;
            }
            '"' if is_quoted => is_quoted = false,
            '"' if matches!(before, '.' | '(' | ',') => is_quoted = true,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            ',' if !is_quoted && depth == 0 => {
                found.push(std::mem::take(&mut current));
                before = '\0';
                continue;
            }
            _ => {}
        }
        current.push(letter);
        before = letter;
    }
    found.push(current);
    found
}

fn condition(segment: &str) -> Result<Condition, String> {
    if segment.is_empty() {
        return Err("filter must not contain empty segments (check for extra commas)".to_owned());
    }
    let unreadable = |parts: &[&str]| format!("{parts:?}");
    let (column, rest) = segment.split_once('=').ok_or_else(|| unreadable(&[segment]))?;
    let (is_negated, rest) = rest.strip_prefix("not.").map_or((false, rest), |rest| (true, rest));
    let (operator, value) = rest.split_once('.').ok_or_else(|| unreadable(&[rest]))?;
    let written = (operator.to_owned(), value.to_owned());
    let test = match operator {
        "eq" => Test::Compare(Comparison::Equal, unquoted(value)),
        "neq" => Test::NotEqual(unquoted(value)),
        "lt" => Test::Compare(Comparison::Less, unquoted(value)),
        "lte" => Test::Compare(Comparison::LessOrEqual, unquoted(value)),
        "gt" => Test::Compare(Comparison::Greater, unquoted(value)),
        "gte" => Test::Compare(Comparison::GreaterOrEqual, unquoted(value)),
        "like" => Test::Compare(Comparison::Like, unquoted(value)),
        "ilike" => Test::Compare(Comparison::ILike, unquoted(value)),
        "match" => Test::Compare(Comparison::Match, unquoted(value)),
        "imatch" => Test::Compare(Comparison::IMatch, unquoted(value)),
        "isdistinct" => Test::IsDistinct(unquoted(value)),
        "in" => Test::In(items(value)?),
        "is" => Test::Is(match value {
            "null" => Is::Null,
            "true" => Is::True,
            "false" => Is::False,
            "unknown" => Is::Unknown,
            _ => return Err("invalid value for is filter: must be null, true, false, or unknown".to_owned()),
        }),
        _ => return Err(unreadable(&[operator, value])),
    };
    Ok(Condition { column: column.to_owned(), test, is_negated, written })
}

/// A value in quotes without them; any other as it is.
fn unquoted(value: &str) -> String {
    let Some(rest) = value.strip_prefix('"') else { return value.to_owned() };
    let mut text = String::with_capacity(rest.len());
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next()),
            '"' if letters.as_str().is_empty() => return text,
            '"' => break,
            letter => text.push(letter),
        }
    }
    value.to_owned()
}

/// The items between parentheses. They are separated as those of an array: an item may stand in quotes.
fn items(value: &str) -> Result<Vec<String>, String> {
    let inner = value.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.ok_or("`in` filter value must be wrapped by parentheses")?;
    if inner.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (mut found, mut current, mut is_quoted, mut was_quoted) = (Vec::new(), String::new(), false, false);
    let mut letters = inner.chars();
    let item = |text: String, was_quoted: bool| if was_quoted { text } else { text.trim().to_owned() };
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => current.extend(letters.next()),
            '"' => {
                is_quoted = !is_quoted;
                was_quoted = true;
            }
            ',' if !is_quoted => {
                found.push(item(std::mem::take(&mut current), was_quoted));
                was_quoted = false;
            }
            letter => current.push(letter),
        }
    }
    found.push(item(current, was_quoted));
    if found.len() > MAX_ITEMS {
        return Err(format!("too many values for `in` filter. Maximum {MAX_ITEMS}"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(filter: &str) -> Condition {
        let mut all = read(filter).expect(filter);
        assert_eq!(all.len(), 1, "{filter}");
        all.remove(0)
    }

    #[test]
    fn operators_are_read() {
        let condition = one("subject=eq.hey.you");
        assert_eq!((condition.column.as_str(), condition.is_negated), ("subject", false));
        assert_eq!(condition.test, Test::Compare(Comparison::Equal, "hey.you".to_owned()));
        assert_eq!(one("id=in.(1, 2,\"a,b\")").test, Test::In(vec!["1".into(), "2".into(), "a,b".into()]));
        assert_eq!(one("id=in.()").test, Test::In(Vec::new()));
        let negated = one("subject=not.like.hey%");
        assert!(negated.is_negated);
        assert_eq!(negated.test, Test::Compare(Comparison::Like, "hey%".to_owned()));
        assert_eq!(one("a=is.null").test, Test::Is(Is::Null));
        assert_eq!(one(r#"a=eq."x,\"y""#).test, Test::Compare(Comparison::Equal, r#"x,"y"#.to_owned()));
        assert_eq!(one(r#"a=eq."x"y"#).test, Test::Compare(Comparison::Equal, r#""x"y"#.to_owned()));
        assert_eq!(read("id=gt.0,id=lt.100").expect("two").len(), 2);
        assert_eq!(read("  ").expect("none").len(), 0);
        assert_eq!(one("id=not.eq.5").to_string(), r#"{"id", "eq", "5", true}"#);
    }

    #[test]
    fn what_cannot_be_read_is_said_as_upstream_says_it() {
        for (filter, says) in [
            ("subject=foo.hey", r#"["foo", "hey"]"#),
            ("undefined", r#"["undefined"]"#),
            ("id=eq.1,", "empty segments"),
            ("id=in.1", "wrapped by parentheses"),
            ("id=is.maybe", "must be null, true, false, or unknown"),
            ("id=eq.\0", "NUL"),
        ] {
            let error = read(filter).expect_err(filter);
            assert!(error.contains(says), "{filter}: {error}");
        }
        let many = format!("id=in.({})", vec!["1"; 101].join(","));
        assert!(read(&many).is_err_and(|error| error.contains("too many values")));
        assert!(read(&vec!["id=eq.1"; 21].join(",")).is_err());
        assert!(read(&format!("id=eq.{}", "1".repeat(9_000))).is_err());
    }
}
