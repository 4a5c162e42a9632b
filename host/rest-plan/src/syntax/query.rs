//! A whole query string.

use percent_encoding::percent_decode_str;

use super::ast::{Filter, Logic, Order, Path, SelectItem};
use super::filter::{Ends, condition};
use super::scanner::{ParseError, Read, Scanner};
use super::{field, logic, order, select};

/// What a query string says.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// The parameters in the order of their names, encoded again; it is part of `Content-Location`.
    pub(crate) canonical: String,
    pub(crate) select: Vec<SelectItem>,
    pub(crate) filters: Vec<(Path, Filter)>,
    pub(crate) logic: Vec<(Path, Logic)>,
    pub(crate) order: Vec<(Path, Vec<Order>)>,
    pub(crate) limits: Vec<(Path, i64)>,
    pub(crate) offsets: Vec<(Path, i64)>,
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) on_conflict: Option<Vec<String>>,
    /// Arguments of a function: the parameters that are no conditions.
    pub(crate) arguments: Vec<(String, String)>,
    /// Names of the parameters that are conditions or arguments, as they are written.
    pub(crate) filter_keys: Vec<String>,
}

impl Query {
    /// Reads a query string. Parameters without an operator are arguments if `arguments` says so, else errors.
    pub(crate) fn parse(raw: &str, arguments: bool) -> Result<Self, ParseError> {
        let pairs = pairs(raw)?;
        let mut query = Self { canonical: canonical(&pairs), ..Self::default() };
        let mut selected = None;
        for (key, value) in &pairs {
            let Some(value) = value else { continue };
            match key.as_str() {
                "select" => _ = selected.get_or_insert(value.as_str()),
                "columns" if query.columns.is_none() => {
                    query.columns = Some(read(value, "columns parameter", field::names)?);
                }
                "on_conflict" if query.on_conflict.is_none() => {
                    query.on_conflict = Some(read(value, "on_conflict parameter", field::names)?);
                }
                "columns" | "on_conflict" => {}
                _ => query.parameter(key, value, arguments)?,
            }
        }
        query.select = read(selected.unwrap_or("*"), "select parameter", select::select)?;
        Ok(query)
    }

    fn parameter(&mut self, key: &str, value: &str, arguments: bool) -> Result<(), ParseError> {
        match key.rsplit('.').next().unwrap_or(key) {
            "order" => {
                let (path, _) = read(key, "tree path", field::tree_path)?;
                self.order.push((path, read(value, "order", order::order)?));
            }
            "and" | "or" => {
                let (path, negated, any) = read(key, "logic path", logic::key)?;
                let members = read(value, "logic tree", |scanner| logic::members(scanner, 1))?;
                self.logic.push((path, Logic::Group { negated, any, members }));
            }
            "limit" => {
                let (path, _) = read(key, "tree path", field::tree_path)?;
                self.limits.extend(number(value).map(|number| (path, number)));
            }
            "offset" => {
                let (path, _) = read(key, "tree path", field::tree_path)?;
                self.offsets.extend(number(value).map(|number| (path, number)));
            }
            _ => self.filter(key, value, arguments)?,
        }
        Ok(())
    }

    fn filter(&mut self, key: &str, value: &str, arguments: bool) -> Result<(), ParseError> {
        self.filter_keys.push(key.to_owned());
        let (path, field) = read(key, "tree path", field::tree_path)?;
        match read(value, "filter", |scanner| condition(scanner, Ends::AtEnd)) {
            Ok((negated, operation)) => self.filters.push((path, Filter { field, negated, operation })),
            Err(_) if arguments => self.arguments.push((field.name, value.to_owned())),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn read<'t, T>(text: &'t str, what: &str, rule: impl FnOnce(&mut Scanner<'t>) -> Read<T>) -> Result<T, ParseError> {
    let mut scanner = Scanner::new(text);
    rule(&mut scanner).map_err(|miss| scanner.error(what, miss))
}

/// A number, or nothing if it is none, which `PostgREST` takes as no limit.
fn number(text: &str) -> Option<i64> {
    let digits = text.trim().strip_prefix('-').unwrap_or(text.trim());
    if digits.is_empty() || !digits.bytes().all(|next| next.is_ascii_digit()) {
        return None;
    }
    let far = if text.trim().starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.trim().parse().unwrap_or(far))
}

/// Names and values, decoded; a name without `=` has no value.
fn pairs(raw: &str) -> Result<Vec<(String, Option<String>)>, ParseError> {
    raw.split(['&', ';'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => Ok((decode(key)?, Some(decode(value)?))),
            None => Ok((decode(pair)?, None)),
        })
        .collect()
}

pub(crate) fn decode(text: &str) -> Result<String, ParseError> {
    let spaced = if text.contains('+') { text.replace('+', " ") } else { text.to_owned() };
    if !spaced.contains('%') {
        return Ok(spaced);
    }
    percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| ParseError {
        message: "the query string is not UTF-8 when it is decoded".to_owned(),
        details: "unexpected byte expecting UTF-8".to_owned(),
    })
}

fn canonical(pairs: &[(String, Option<String>)]) -> String {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    let mut text = String::new();
    for (key, value) in sorted {
        if !text.is_empty() {
            text.push('&');
        }
        encode_into(&mut text, key);
        text.push('=');
        encode_into(&mut text, value.as_deref().unwrap_or_default());
    }
    text
}

/// Encodes all but letters, digits and `-_.~`.
pub(crate) fn encode_into(text: &mut String, part: &str) {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    text.extend(percent_encoding::utf8_percent_encode(part, KEPT));
}
