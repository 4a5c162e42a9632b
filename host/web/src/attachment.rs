//! The header `content-disposition`: the name under which browsers save what an answer holds.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand in the extended value as it is, beside letters and digits (RFC 5987, section 3.2.1).
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'!').remove(b'~');

/// The header for this name; empty where browsers take one from the address.
pub fn attachment(name: &str) -> String {
    if name.is_empty() {
        return "attachment;".to_owned();
    }
    let encoded = utf8_percent_encode(name, EXTENDED).to_string();
    format!("attachment; filename={encoded}; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn a_name_cannot_leave_its_place() {
        assert_eq!(attachment(""), "attachment;");
        assert_eq!(attachment("cat.png"), "attachment; filename=cat.png; filename*=UTF-8''cat.png");
        for name in ["a\r\nset-cookie: x", "\"; filename=evil.exe", "ü/../😀", "a'b(c)*;d"] {
            let header = attachment(name);
            let values: Vec<&str> = header.split("; ").collect();
            assert_eq!(values.len(), 3, "{header}");
            assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header}");
            assert!(!header.contains('"') && header.matches('\'').count() == 2, "{header}");
        }
    }
}
