//! Mail addresses as GoTrue takes them.

use crate::error::AuthError;

/// Bytes of an address.
const MAX_BYTES: usize = 255;
/// Bytes of one part of a domain's name.
const MAX_LABEL: usize = 63;

/// The address in lower case. Only letters, digits and the signs of RFC 5322 that need no quotes are taken, so an address cannot
/// bring a header, a second address or a name with it.
pub(crate) fn parse(text: &str) -> Result<String, AuthError> {
    if text.is_empty() {
        return Err(AuthError::validation("An email address is required"));
    }
    if text.len() > MAX_BYTES {
        return Err(AuthError::validation("An email address is too long"));
    }
    let valid = text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && local.bytes().all(is_local) && domain.split('.').all(is_label)
    });
    if valid {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(AuthError::validation("Unable to validate email address: invalid format"))
    }
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    bytes.len() <= MAX_LABEL
        && ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_lower_case() {
        assert_eq!(parse("Ada+Tag@B.Example").expect("an address"), "ada+tag@b.example");
        assert!(parse("a@localhost").is_ok());
    }

    #[test]
    fn what_could_end_a_header_or_name_two_people_is_no_address() {
        for text in [
            "",
            "a",
            "@b.example",
            "a@",
            "a@b..example",
            "a@-b.example",
            "a@b@c.example",
            "a b@c.example",
            "a@b.example\r\nBcc: c@d.example",
            "a@b.example\n",
            "a@b.example,c@d.example",
            "Ada <a@b.example>",
            "\"a\"@b.example",
            "ä@b.example",
            "a@b.example\0",
            "a@b.example?cc=c",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&format!("{}@b.example", "a".repeat(250))).is_err());
    }
}
