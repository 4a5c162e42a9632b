//! Comparisons that this host makes itself: of types whose order is no matter of a locale. Everything else is asked of the server.

use std::cmp::Ordering;

use behalf_caller_db::{BaseType, Comparison, VisibleColumn};
use uuid::Uuid;

/// Postgres cuts names after so many bytes.
const MAX_NAME: usize = 63;

/// What is known of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Order(Ordering),
    /// Whether they are equal, and nothing of their order.
    Equal(bool),
}

/// Whether a comparison holds; none where the server has to be asked.
pub(super) fn holds(column: &VisibleColumn, comparison: Comparison, left: &str, right: &str) -> Option<bool> {
    let known = known(column, left, right)?;
    Some(match (comparison, known) {
        (Comparison::Equal, Known::Equal(is_equal)) => is_equal,
        (Comparison::Equal, Known::Order(order)) => order.is_eq(),
        (Comparison::Less, Known::Order(order)) => order.is_lt(),
        (Comparison::LessOrEqual, Known::Order(order)) => order.is_le(),
        (Comparison::Greater, Known::Order(order)) => order.is_gt(),
        (Comparison::GreaterOrEqual, Known::Order(order)) => order.is_ge(),
        _ => return None,
    })
}

/// Whether a text is a value of the column's type for certain.
pub(super) fn is_value(column: &VisibleColumn, text: &str) -> bool {
    known(column, text, text).is_some()
}

/// Whether values of this type are texts, which patterns can be compared with.
pub(super) fn is_text(base: &BaseType) -> bool {
    base.schema == "pg_catalog" && matches!(base.name.as_str(), "text" | "varchar" | "bpchar" | "name")
}

fn known(column: &VisibleColumn, left: &str, right: &str) -> Option<Known> {
    let base = &column.base;
    if base.kind == "e" {
        let place = |label: &str| column.labels.iter().position(|one| one == label);
        return Some(Known::Order(place(left)?.cmp(&place(right)?)));
    }
    if base.schema != "pg_catalog" {
        return None;
    }
    match base.name.as_str() {
        "int2" => ordered::<i16>(left, right),
        "int4" => ordered::<i32>(left, right),
        "int8" => ordered::<i64>(left, right),
        "oid" => ordered::<u32>(left, right),
        "float4" => Some(float(f64::from(left.parse::<f32>().ok()?), f64::from(right.parse::<f32>().ok()?))),
        "float8" => Some(float(left.parse().ok()?, right.parse().ok()?)),
        "numeric" => Some(Known::Order(Decimal::read(left)?.cmp(&Decimal::read(right)?))),
        "bool" => Some(Known::Order(truth(left)?.cmp(&truth(right)?))),
        "uuid" => Some(Known::Order(uuid(left)?.cmp(&uuid(right)?))),
        "text" | "varchar" => Some(Known::Equal(left == right)),
        "bpchar" => Some(Known::Equal(left.trim_end_matches(' ') == right.trim_end_matches(' '))),
        "name" if right.len() <= MAX_NAME => Some(Known::Equal(left == right)),
        _ => None,
    }
}

fn ordered<T: std::str::FromStr + Ord>(left: &str, right: &str) -> Option<Known> {
    Some(Known::Order(left.trim().parse::<T>().ok()?.cmp(&right.trim().parse::<T>().ok()?)))
}

/// NaN equals itself and is greater than all others, as in Postgres. Zero has no sign.
fn float(left: f64, right: f64) -> Known {
    Known::Order(left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan())))
}

/// The spellings that the server writes, and those that people write.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

fn uuid(text: &str) -> Option<Uuid> {
    if text.starts_with("urn") { None } else { Uuid::parse_str(text).ok() }
}

/// A decimal number of any length, without an exponent.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    is_negative: bool,
    whole: &'a str,
    part: &'a str,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !is_digits(whole) || !is_digits(part) {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        let is_zero = whole.is_empty() && part.is_empty();
        Some(Self { is_negative: is_negative && !is_zero, whole, part })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let size = |one: &Self, other: &Self| {
            one.whole.len().cmp(&other.whole.len()).then(one.whole.cmp(other.whole)).then(one.part.cmp(other.part))
        };
        match (self.is_negative, other.is_negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use behalf_caller_db::ColumnRights;

    use super::*;

    fn column(name: &str) -> VisibleColumn {
        let base = BaseType {
            schema: "pg_catalog".to_owned(),
            name: name.to_owned(),
            kind: "b".to_owned(),
            is_array: false,
            element: String::new(),
        };
        VisibleColumn {
            name: "a".to_owned(),
            type_name: name.to_owned(),
            base,
            labels: Vec::new(),
            key: None,
            readers: ColumnRights::default(),
        }
    }

    #[test]
    fn simple_types_are_compared_as_postgres_does() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less};
        for (name, comparison, left, right, is_so) in [
            ("int4", Less, "9", "10", Some(true)),
            ("int4", Equal, "9", " 9 ", Some(true)),
            ("int4", Equal, "9", "9000000000", None),
            ("int8", Greater, "-1", "-2", Some(true)),
            ("float8", Greater, "NaN", "Infinity", Some(true)),
            ("float8", Equal, "NaN", "NaN", Some(true)),
            ("float8", Equal, "0", "-0", Some(true)),
            ("numeric", Equal, "1.50", "01.5", Some(true)),
            ("numeric", Less, "-10", "-9.99", Some(true)),
            ("numeric", Greater, "100000000000000000000.1", "100000000000000000000.09", Some(true)),
            ("numeric", Equal, "0", "-0.0", Some(true)),
            ("numeric", Less, "1", "1e2", None),
            ("bool", Equal, "t", "true", Some(true)),
            ("bool", Equal, "t", "yes", None),
            ("uuid", Equal, "0f3a0000-0000-4000-8000-000000000001", "0F3A0000000040008000000000000001", Some(true)),
            ("text", Equal, "a", "A", Some(false)),
            ("text", Less, "a", "b", None),
            ("bpchar", Equal, "a  ", "a", Some(true)),
            ("date", Equal, "2026-01-01", "2026-01-01", None),
            ("text", GreaterOrEqual, "a", "a", None),
        ] {
            assert_eq!(holds(&column(name), comparison, left, right), is_so, "{name} {left} {right}");
        }
    }

    #[test]
    fn an_enum_has_the_order_of_its_labels() {
        let mut one = column("mood");
        one.base.kind = "e".to_owned();
        one.base.schema = "public".to_owned();
        one.labels = ["sad", "ok", "happy"].map(str::to_owned).to_vec();
        assert_eq!(holds(&one, Comparison::Less, "sad", "happy"), Some(true));
        assert_eq!(holds(&one, Comparison::Less, "sad", "angry"), None);
        assert!(!is_value(&one, "angry") && is_value(&one, "ok"));
    }

    #[test]
    fn types_of_others_are_never_guessed() {
        let mut one = column("int4");
        one.base.schema = "evil".to_owned();
        assert_eq!(holds(&one, Comparison::Equal, "1", "1"), None);
        assert!(!is_text(&one.base) && is_text(&column("varchar").base));
    }
}
