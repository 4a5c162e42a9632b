//! What functions set as `response.status` and `response.headers`.

use serde_json::{Map, Value};

use crate::error::RestError;

pub(super) fn status(text: &[u8]) -> Result<u16, RestError> {
    let digits: String =
        std::str::from_utf8(text).unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    match digits.parse() {
        Ok(status @ 100..=999) => Ok(status),
        _ => Err(RestError::response_status()),
    }
}

pub(super) fn headers(text: &[u8]) -> Result<Vec<(String, String)>, RestError> {
    let list: Vec<Map<String, Value>> = serde_json::from_slice(text).map_err(|_| RestError::response_headers())?;
    list.into_iter()
        .map(|object| {
            let mut entries = object.into_iter();
            match (entries.next(), entries.next()) {
                (Some((name, Value::String(value))), None) if is_header(&name, &value) => Ok((name, value)),
                _ => Err(RestError::response_headers()),
            }
        })
        .collect()
}

/// Whether HTTP can carry it: a line end in a value would begin another header.
fn is_header(name: &str, value: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token) && !value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// Those of functions stand for those of the same name.
pub(super) fn merge(headers: &mut Vec<(String, String)>, set: Vec<(String, String)>) {
    headers.retain(|(name, _)| !set.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    headers.extend(set);
}

#[cfg(test)]
mod tests {
    use super::{headers, merge, status};

    #[test]
    fn headers_are_objects_of_one_text() {
        assert_eq!(headers(br#"[{"X-A":"1"},{"X-A":"2"}]"#).unwrap().len(), 2);
        for bad in [
            &b"{}"[..],
            b"[1]",
            br#"[{"a":1}]"#,
            br#"[{"a":"1","b":"2"}]"#,
            br#"[{"a":"1\r\nx: y"}]"#,
            br#"[{"a b":"1"}]"#,
        ] {
            assert_eq!(headers(bad).unwrap_err().code, "PGRST111");
        }
    }

    #[test]
    fn a_status_is_a_number_of_http() {
        assert_eq!(status(b"418").unwrap(), 418);
        assert_eq!(status(b"x").unwrap_err().code, "PGRST112");
        assert_eq!(status(b"99999").unwrap_err().code, "PGRST112");
    }

    #[test]
    fn headers_of_functions_replace_others() {
        let mut all = vec![("Content-Type".to_owned(), "a".to_owned())];
        merge(&mut all, vec![("content-type".to_owned(), "b".to_owned())]);
        assert_eq!(all, [("content-type".to_owned(), "b".to_owned())]);
    }
}
