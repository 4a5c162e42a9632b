//! Amounts as banks write them.

use core::fmt;

/// The most whole digits: the column of the table has twelve.
const MOST_DIGITS: usize = 12;

/// An amount in hundredths. Negative: it was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(i64);

impl Amount {
    /// Reads `-1.234,50`, `1,234.50-`, `(1'234.5)`, `+12` and the like. The last point or comma begins the fraction, unless three digits
    /// follow it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        let (negative, text) = sign(&text);
        let (whole, fraction) = match text.rfind(['.', ',']) {
            Some(at) if (1..=2).contains(&(text.len() - at - 1)) => (&text[..at], &text[at + 1..]),
            _ => (text, ""),
        };
        let whole = without_groups(whole)?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(&whole) || !is_number(fraction) || whole.len() > MOST_DIGITS || text.is_empty() {
            return None;
        }
        let hundredths: i64 = format!("0{whole}{fraction:0<2}").parse().ok()?;
        Some(Self(if negative { -hundredths } else { hundredths }))
    }

    /// Spent, whatever sign the statement gives it: a column of its own has said so.
    pub(crate) fn spent(self) -> Self {
        Self(-self.0.abs())
    }

    /// Received, in the same way.
    pub(crate) fn received(self) -> Self {
        Self(self.0.abs())
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// As Postgres reads a numeric.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let hundredths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// Whether it is negative, and the rest. Some put the sign behind, and accountants use brackets.
fn sign(text: &str) -> (bool, &str) {
    const MINUS: [char; 2] = ['-', '\u{2212}'];
    if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        return (true, inner);
    }
    if let Some(rest) = text.strip_prefix(MINUS).or_else(|| text.strip_suffix(MINUS)) {
        return (true, rest);
    }
    (false, text.strip_prefix('+').or_else(|| text.strip_suffix('+')).unwrap_or(text))
}

/// Digits without what parts the thousands. None where the parts are not of three digits, or differ in their sign.
fn without_groups(text: &str) -> Option<String> {
    const GROUPS: [char; 4] = ['.', ',', '\'', '\u{2019}'];
    let Some(separator) = text.chars().find(|character| GROUPS.contains(character)) else {
        return Some(text.to_owned());
    };
    let parts: Vec<&str> = text.split(separator).collect();
    let (first, rest) = parts.split_first()?;
    let sound = (1..=3).contains(&first.len()) && rest.iter().all(|part| part.len() == 3);
    sound.then(|| parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_the_ways_of_banks() {
        for (text, expected) in [
            ("-42,10", "-42.10"),
            ("1.204,00", "1204.00"),
            ("1,204.5", "1204.50"),
            ("1'234'567.89", "1234567.89"),
            ("12\u{a0}345,67", "12345.67"),
            ("23.50-", "-23.50"),
            ("(23.50)", "-23.50"),
            ("\u{2212}5", "-5.00"),
            ("+ 5", "5.00"),
            (",50", "0.50"),
            ("1.234", "1234.00"),
            ("1.234.567", "1234567.00"),
            ("-0,00", "0.00"),
            ("999999999999.99", "999999999999.99"),
        ] {
            assert_eq!(Amount::parse(text).map(|amount| amount.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in [
            "",
            " ",
            "-",
            "()",
            "x",
            "1.2.3",
            "1,23,4",
            "12.3456",
            "1e5",
            "--5",
            "1000000000000",
            "٣",
            "1.,5",
            "12 EUR",
        ] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_column_of_its_own_says_which_way_money_went() {
        let amount = |text| Amount::parse(text).expect("an amount");
        assert_eq!((amount("5").spent(), amount("-5").received()), (amount("-5"), amount("5")));
    }
}
