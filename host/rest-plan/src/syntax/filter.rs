//! Conditions on one column: `not.eq.5`, `in.(a,b)`, `wfts(english).cat`.

use super::ast::{Is, Operation, Operator, Quantifier, Search};
use super::field::{quoted, word};
use super::scanner::{Read, Scanner};

const OPERATORS: &str = "\"not\" or operator (eq, gt, ...)";

/// Where a value ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// With the parameter.
    AtEnd,
    /// At a comma or a parenthesis, as in `and=(…)`.
    AtComma,
}

/// Reads a condition: whether it is negated, and what it says.
pub(super) fn condition(scanner: &mut Scanner<'_>, ends: Ends) -> Read<(bool, Operation)> {
    let negated = scanner.eat("not.");
    let start = *scanner;
    let operator = scanner.take_while(|next| next.is_ascii_lowercase());
    let operation = match operator {
        "in" if scanner.peek() == Some('.') => {
            scanner.eat(".");
            Operation::In(list(scanner)?)
        }
        "is" if scanner.peek() == Some('.') => {
            scanner.eat(".");
            Operation::Is(is(scanner)?)
        }
        "isdistinct" if scanner.peek() == Some('.') => {
            scanner.eat(".");
            Operation::IsDistinct(value(scanner, ends))
        }
        _ => match search(operator) {
            Some(how) => match scanner.attempt(configuration) {
                Ok(configuration) => Operation::Search { how, configuration, value: value(scanner, ends) },
                Err(_) => return start.miss(OPERATORS),
            },
            None => match compare(operator).map(|operator| (operator, scanner.attempt(|s| quantifier(s, operator)))) {
                Some((operator, Ok(quantifier))) => {
                    Operation::Compare { operator, quantifier, value: value(scanner, ends) }
                }
                _ => return start.miss(OPERATORS),
            },
        },
    };
    Ok((negated, operation))
}

fn search(word: &str) -> Option<Search> {
    Some(match word {
        "fts" => Search::Query,
        "plfts" => Search::Plain,
        "phfts" => Search::Phrase,
        "wfts" => Search::Web,
        _ => return None,
    })
}

fn compare(word: &str) -> Option<Operator> {
    Some(match word {
        "eq" => Operator::Equal,
        "neq" => Operator::NotEqual,
        "gt" => Operator::Greater,
        "gte" => Operator::GreaterEqual,
        "lt" => Operator::Less,
        "lte" => Operator::LessEqual,
        "like" => Operator::Like,
        "ilike" => Operator::ILike,
        "match" => Operator::Match,
        "imatch" => Operator::IMatch,
        "cs" => Operator::Contains,
        "cd" => Operator::ContainedIn,
        "ov" => Operator::Overlaps,
        "sl" => Operator::StrictlyLeft,
        "sr" => Operator::StrictlyRight,
        "nxr" => Operator::NotRight,
        "nxl" => Operator::NotLeft,
        "adj" => Operator::Adjacent,
        _ => return None,
    })
}

impl Operator {
    /// Whether `any` and `all` can follow it.
    fn takes_quantifier(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::Greater
                | Self::GreaterEqual
                | Self::Less
                | Self::LessEqual
                | Self::Like
                | Self::ILike
                | Self::Match
                | Self::IMatch
        )
    }
}

fn quantifier(scanner: &mut Scanner<'_>, operator: Operator) -> Read<Option<Quantifier>> {
    let quantifier = if operator.takes_quantifier() && scanner.eat("(any)") {
        Some(Quantifier::Any)
    } else if operator.takes_quantifier() && scanner.eat("(all)") {
        Some(Quantifier::All)
    } else {
        None
    };
    scanner.expect(".", "delimiter (.)")?;
    Ok(quantifier)
}

fn configuration(scanner: &mut Scanner<'_>) -> Read<Option<String>> {
    let configuration = if scanner.eat("(") {
        let name = word(scanner)?.to_owned();
        scanner.expect(")", "\")\"")?;
        Some(name)
    } else {
        None
    };
    scanner.expect(".", "delimiter (.)")?;
    Ok(configuration)
}

fn is(scanner: &mut Scanner<'_>) -> Read<Is> {
    let start = *scanner;
    let word = scanner.take_while(|next| next.is_ascii_alphabetic() || next == '_');
    let values = [
        ("null", Is::Null),
        ("not_null", Is::NotNull),
        ("true", Is::True),
        ("false", Is::False),
        ("unknown", Is::Unknown),
    ];
    match values.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
        Some((_, is)) => Ok(*is),
        None => start.miss("isVal: (null, not_null, true, false, unknown)"),
    }
}

fn value(scanner: &mut Scanner<'_>, ends: Ends) -> String {
    if ends == Ends::AtEnd {
        return scanner.take_while(|_| true).to_owned();
    }
    if let Ok(value) = scanner.attempt(quoted_item) {
        return value;
    }
    if let Ok(value) = scanner.attempt(array) {
        return value;
    }
    scanner.take_while(|next| next != ',' && next != ')').to_owned()
}

/// A quoted text that is the whole of an item.
fn quoted_item(scanner: &mut Scanner<'_>) -> Read<String> {
    let value = quoted(scanner)?;
    match scanner.peek() {
        None | Some(',' | ')') => Ok(value),
        Some(_) => scanner.miss("\",\" or \")\""),
    }
}

/// An array of one dimension, whose commas belong to it.
fn array(scanner: &mut Scanner<'_>) -> Read<String> {
    let start = scanner.rest();
    scanner.expect("{", "\"{\"")?;
    let inner = scanner.take_while(|next| next != '{' && next != '}');
    scanner.expect("}", "\"}\"")?;
    Ok(start.get(..inner.len() + 2).unwrap_or_default().to_owned())
}

fn list(scanner: &mut Scanner<'_>) -> Read<Vec<String>> {
    scanner.blanks();
    scanner.expect("(", "\"(\"")?;
    scanner.blanks();
    let mut items = Vec::new();
    loop {
        items.push(match scanner.attempt(quoted_item) {
            Ok(item) => item,
            Err(_) => scanner.take_while(|next| next != ',' && next != ')').to_owned(),
        });
        if !scanner.eat(",") {
            scanner.expect(")", "\",\" or \")\"")?;
            scanner.blanks();
            return Ok(items);
        }
    }
}
