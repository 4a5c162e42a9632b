//! Phone numbers as GoTrue takes them. No messages are sent to them.

use crate::error::AuthError;

/// A number as GoTrue stores it: digits only.
pub(crate) fn parse(text: &str) -> Result<String, AuthError> {
    let digits = text.strip_prefix('+').unwrap_or(text).replace(' ', "");
    let fits = (2..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    fits.then_some(digits).ok_or_else(|| AuthError::validation("Invalid phone number format (E.164 required)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_stored_as_its_digits() {
        assert_eq!(parse("+49 170 1234567").expect("a number"), "491701234567");
        for bad in ["", "0123", "+", "12345678901234567", "12a", "１２３"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
