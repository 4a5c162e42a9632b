//! Versions of clients that need an answer of another form.

use http::HeaderMap;
use http::header::USER_AGENT;

/// Whether the client fails on buckets that have a type: the Python client before it knew of any.
pub(crate) fn knows_no_bucket_type(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    is_before(text("x-client-info"), "supabase-py/", (2, 18, 0))
        || is_before(text(USER_AGENT.as_str()), "supabase-py/storage3 v", (0, 12, 1))
}

/// Whether a version behind `name` is in the text, and an older one.
fn is_before(text: &str, name: &str, wanted: (u32, u32, u32)) -> bool {
    let text = text.to_ascii_lowercase();
    let Some((_, version)) = text.split_once(name) else { return false };
    let mut numbers = version.splitn(3, '.').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part.get(..digits)?.parse::<u32>().ok()
    });
    let mut next = || numbers.next().flatten();
    match (next(), next(), next()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) < wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_older_python_clients_are_spared_the_type() {
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header"));
            knows_no_bucket_type(&headers)
        };
        assert!(with("x-client-info", "supabase-py/2.17.3"));
        assert!(!with("x-client-info", "supabase-py/2.18.0"));
        assert!(!with("x-client-info", "supabase-js/2.1.0"));
        assert!(with("user-agent", "supabase-py/storage3 v0.11.9"));
        assert!(!with("user-agent", "supabase-py/storage3 v0.12.1"));
        assert!(!with("user-agent", "supabase-py/storage3 v0"));
        assert!(!knows_no_bucket_type(&HeaderMap::new()));
    }
}
