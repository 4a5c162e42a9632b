//! Deny rules of an assignment, in the platform's language: `<field> [NOT] CONTAINS|STARTS_WITH|MATCHES|IN <value>`. A
//! call whose arguments match a rule is refused. For example, `to.host NOT IN api.example` allows calls to one host
//! only.

use regex::Regex;
use serde_json::Value;
use thiserror::Error;

/// The most rules of one assignment.
const MAX_RULES: usize = 50;
/// The most bytes of one rule.
const MAX_RULE_BYTES: usize = 1_000;
/// The most bytes of a compiled pattern.
const MAX_PATTERN_BYTES: usize = 256 * 1024;

/// Why rules are refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RuleError {
    /// The value is no list of texts, or the list is too long.
    #[error("rules must be a list of at most {MAX_RULES} texts")]
    List,
    /// The text is no rule.
    #[error("{0:?} is no rule; write <field> [NOT] CONTAINS|STARTS_WITH|MATCHES|IN <value>")]
    Form(String),
    /// The pattern is invalid or too large.
    #[error("{0:?} holds a pattern that cannot be used")]
    Pattern(String),
}

/// A rule that refuses calls.
#[derive(Clone, Debug)]
pub struct Rule {
    text: String,
    path: Vec<String>,
    negated: bool,
    condition: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Contains(String),
    StartsWith(String),
    Matches(Regex),
    In(Vec<Value>),
}

/// Parses the rules of an assignment.
pub fn read_rules(rules: &Value) -> Result<Vec<Rule>, RuleError> {
    let Value::Array(items) = rules else { return Err(RuleError::List) };
    if items.len() > MAX_RULES {
        return Err(RuleError::List);
    }
    items.iter().map(|item| Rule::parse(item.as_str().ok_or(RuleError::List)?)).collect()
}

impl Rule {
    fn parse(text: &str) -> Result<Self, RuleError> {
        let form = || RuleError::Form(text.chars().take(100).collect());
        if text.len() > MAX_RULE_BYTES {
            return Err(form());
        }
        let (field, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(form)?;
        let (mut word, mut value) = rest.trim_start().split_once(char::is_whitespace).ok_or_else(form)?;
        let negated = word.eq_ignore_ascii_case("not");
        if negated {
            (word, value) = value.trim_start().split_once(char::is_whitespace).ok_or_else(form)?;
        }
        let path: Vec<_> = field.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(form());
        }
        let value = value.trim();
        let literal = match serde_json::from_str(value) {
            Ok(Value::String(text)) => text,
            _ => value.to_owned(),
        };
        if literal.is_empty() {
            return Err(form());
        }
        let condition = match word.to_ascii_uppercase().as_str() {
            "CONTAINS" => Test::Contains(literal.to_lowercase()),
            "STARTS_WITH" => Test::StartsWith(literal.to_lowercase()),
            "MATCHES" => {
                let pattern = regex::RegexBuilder::new(&literal).size_limit(MAX_PATTERN_BYTES).build();
                Test::Matches(pattern.map_err(|_| RuleError::Pattern(text.chars().take(100).collect()))?)
            }
            "IN" => Test::In(read_list(value)),
            _ => return Err(form()),
        };
        Ok(Self { text: text.trim().to_owned(), path, negated, condition })
    }

    /// Whether these arguments match the rule. A missing field matches no condition, so only a rule with `NOT` matches
    /// it.
    fn fits(&self, arguments: &Value) -> bool {
        let found = self.path.iter().try_fold(arguments, |value, name| value.get(name));
        let holds = found.is_some_and(|value| texts(value).any(|value| self.condition.holds(value)));
        holds != self.negated
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        // Case is ignored, as in SQL, host names and most identifiers; otherwise another case would evade a rule.
        let text = || match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self {
            Self::Contains(part) => text().to_lowercase().contains(part),
            Self::StartsWith(start) => text().trim_start().to_lowercase().starts_with(start),
            Self::Matches(pattern) => pattern.is_match(&text()),
            Self::In(list) => list.iter().any(|one| one == value || *one == Value::String(text())),
        }
    }
}

/// The value itself and, if it is a list, its items.
fn texts(value: &Value) -> impl Iterator<Item = &Value> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(value).chain(items)
}

/// Parses a JSON list, or words separated by commas.
fn read_list(value: &str) -> Vec<Value> {
    match serde_json::from_str(value) {
        Ok(Value::Array(items)) => items,
        _ => value
            .trim_matches(|c| matches!(c, '(' | ')'))
            .split(',')
            .map(|word| Value::String(word.trim().trim_matches(|c| matches!(c, '"' | '\'')).to_owned()))
            .collect(),
    }
}

/// The text of the first rule that refuses a call with these arguments.
pub fn forbids<'a>(rules: &'a [Rule], arguments: &Value) -> Option<&'a str> {
    rules.iter().find(|rule| rule.fits(arguments)).map(|rule| rule.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn forbidden(rule: &str, arguments: &Value) -> bool {
        let rules = read_rules(&json!([rule])).expect("a rule");
        forbids(&rules, arguments).is_some()
    }

    #[test]
    fn each_test_forbids_what_fits_it() {
        let arguments =
            json!({ "query": "  Select * from Secrets", "to": { "host": "evil.test" }, "n": 3, "tags": ["a", "b"] });
        for rule in [
            "query CONTAINS secrets",
            r#"query STARTS_WITH "select""#,
            "query MATCHES (?i)from\\s+secrets",
            "to.host IN evil.test, worse.test",
            "n IN [3, 4]",
            "tags IN (b, c)",
            "to.host NOT IN good.test",
            "missing NOT CONTAINS x",
            "query not contains drop",
        ] {
            assert!(forbidden(rule, &arguments), "{rule}");
        }
        for rule in ["query CONTAINS drop", "n IN 4", "missing CONTAINS x", "to.host NOT IN evil.test", "tags IN d"] {
            assert!(!forbidden(rule, &arguments), "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in ["", "query", "query CONTAINS", "query LIKE x", "a..b IN x", "query MATCHES (", "query NOT x"] {
            assert!(read_rules(&json!([bad])).is_err(), "{bad}");
        }
        assert!(read_rules(&json!("query CONTAINS x")).is_err() && read_rules(&json!([1])).is_err());
        assert!(read_rules(&json!(vec!["a IN b"; MAX_RULES + 1])).is_err());
    }
}
