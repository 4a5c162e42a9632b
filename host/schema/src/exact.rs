//! Numbers that a double cannot hold. Most readers of JSON round them without a word, this host's among them, so they are refused
//! where they come in, and their digits go on as text where they go out.

use serde_json::Value;
use thiserror::Error;

use crate::Fault;

/// Significant digits that every double keeps, whatever its exponent (`DBL_DIG` of C).
const KEPT_DIGITS: usize = 15;
/// Digits of the longest double that is written out in full (767), and some more.
const MAX_DIGITS: usize = 800;
/// Characters of a number that a message shows.
const SHOWN: usize = 40;

/// Why a text cannot be read without a change.
#[derive(Debug, Error)]
pub enum InexactError {
    /// It is not JSON, or nests too deeply.
    #[error("this is not JSON, or nests too deeply")]
    Json(#[from] serde_json::Error),
    /// A number in it would be rounded.
    #[error("a number cannot be held exactly")]
    Number(Fault),
}

/// Reads JSON whose numbers stay what they are.
pub fn read_exact(json: &str) -> Result<Value, InexactError> {
    match inexact_number(json) {
        Some(fault) => Err(InexactError::Number(fault)),
        None => Ok(serde_json::from_str(json)?),
    }
}

/// The first number in a JSON text that readers would round, and where it stands. Whole numbers of 64 bits are held, with or
/// without a sign, and so is every fraction that a program prints of a double, with however many digits.
pub fn inexact_number(json: &str) -> Option<Fault> {
    let bytes = json.as_bytes();
    let mut path: Vec<Step<'_>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => path.push(Step::Key("")),
            b'[' => path.push(Step::Index(0)),
            b'}' | b']' => drop(path.pop()),
            b',' => match path.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(key)) => *key = "",
                None => {}
            },
            b'"' => {
                let end = end_of_text(bytes, at);
                // The first text of a member is its key; the others follow a key.
                if let Some(Step::Key(key)) = path.last_mut()
                    && key.is_empty()
                {
                    *key = json.get(at..end).unwrap_or_default();
                }
                at = end;
                continue;
            }
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(bytes, at);
                let number = json.get(at..end).unwrap_or_default();
                if !is_held(number) {
                    return Some(fault(&path, number));
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// A step from a value to one inside it. A key is as the text has it, with its quotes.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    start + length.unwrap_or(rest.len())
}

fn fault(path: &[Step<'_>], number: &str) -> Fault {
    let mut pointer = String::new();
    for step in path {
        pointer.push('/');
        match step {
            Step::Index(index) => pointer.push_str(&index.to_string()),
            Step::Key(key) => {
                let key: String = serde_json::from_str(key).unwrap_or_default();
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    let more = if number.len() > SHOWN { "…" } else { "" };
    let shown = number.get(..SHOWN).unwrap_or(number);
    let message = format!("the number {shown}{more} would be rounded on its way; send it as a string");
    Fault { pointer, message }
}

/// Whether a number of JSON is the same after it was read and written.
fn is_held(number: &str) -> bool {
    let is_whole = !number.contains(['.', 'e', 'E']);
    if is_whole && number.len() <= KEPT_DIGITS {
        return true;
    }
    if is_whole {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let Ok(value) = number.parse::<f64>() else { return false };
    let Some(decimal) = Decimal::read(number) else { return false };
    let digits = decimal.digits.len();
    // Zero, however it is written.
    if digits == 0 {
        return true;
    }
    // A program prints a double with as many digits as it likes; they are those of the double, rounded.
    value.is_finite()
        && digits <= MAX_DIGITS
        && Decimal::read(&format!("{value:.*e}", digits - 1)).is_some_and(|held| held == decimal)
}

/// A number as its significant digits and the place of the first one.
#[derive(PartialEq, Eq)]
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn read(number: &str) -> Option<Self> {
        let number = number.trim_start_matches('-');
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        let leading = all().take_while(|digit| *digit == b'0').count();
        let mut digits: Vec<u8> = all().skip(leading).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self { digits, exponent: 0 });
        }
        let place = i64::try_from(whole.len()).ok()?.checked_sub(i64::try_from(leading).ok()?)?;
        let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?.checked_add(place)?;
        Some(Self { digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_that_a_double_or_64_bits_hold_are_held() {
        for number in [
            "0",
            "-0",
            "0.0",
            "-0.0e5",
            "1",
            "-7",
            "1.0",
            "1.50",
            "0.1",
            "1e3",
            "1E+3",
            "1.5e-7",
            "123456789012345.6",
            "1e22",
            "9007199254740993",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "1e308",
            "5e-324",
            // What other languages print of a double: 17 digits, or all of them.
            "0.10000000000000001",
            "0.1000000000000000055511151231257827",
            "1.7976931348623157e308",
            "0.012345678901234567",
            "100000000000000000000.0",
        ] {
            assert!(is_held(number), "{number}");
        }
    }

    #[test]
    fn numbers_that_would_be_rounded_are_not() {
        for number in [
            "12345678901234567.89",
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "1e309",
            "-1e400",
            "1e-400",
            "0.1234567890123456789",
            "9007199254740993.0",
            "9007199254740992.5",
            "1e99999999999999999999",
            "2.00000000000000000001",
        ] {
            assert!(!is_held(number), "{number}");
        }
    }

    #[test]
    fn the_place_of_a_number_is_told_and_texts_are_no_numbers() {
        let found = |json: &str| inexact_number(json).map(|fault| fault.pointer);
        assert_eq!(found(r#"{"a": [1, {"b/~\"": 1e309}]}"#).as_deref(), Some("/a/1/b~1~0\""));
        assert_eq!(found(r#"[[], {}, {"x": {"y": 2}}, 12345678901234567.89]"#).as_deref(), Some("/3"));
        assert_eq!(found("18446744073709551616").as_deref(), Some(""));
        assert_eq!(found(r#"{"1e309": "1e309", "b": "\\\"1e309", "c": [true, null, "12345678901234567.89"]}"#), None);
        assert_eq!(found(r#"{"": 1, "b": {"": 1e309}}"#).as_deref(), Some("/b/"));
        let long = format!("[{}]", "9".repeat(1_000));
        let message = inexact_number(&long).expect("a fault").message;
        assert!(message.len() < 200 && message.contains("send it as a string"), "{message}");
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let read = read_exact(r#" {"a": [1, 2.5, "1e309"]} "#);
        assert_eq!(read.ok(), Some(json!({"a": [1, 2.5, "1e309"]})));
        assert!(matches!(read_exact("[1e309]"), Err(InexactError::Number(_))));
        assert!(matches!(read_exact("[1,"), Err(InexactError::Json(_))));
    }
}
