//! The address and the media type of a tool that is an MCP resource as well.

use syn::{Error, LitStr};

/// Finds what is wrong with an address whose variables stand in braces, as in `notes://{id}`.
pub(crate) fn check_uri(uri: &LitStr) -> syn::Result<()> {
    let text = uri.value();
    let fault = |message: &str| Err(Error::new(uri.span(), message));
    if !has_scheme(&text) {
        return fault("the address of a resource begins with a scheme, as in \"notes://{id}\"");
    }
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((variable, after)) = after.split_once('}').filter(|_| !before.contains('}')) else { break };
        if !is_variable(variable) {
            return fault(&format!(
                "the variable \"{variable}\" is none: a variable has a to z, 0 to 9 and _, and begins with no digit"
            ));
        }
        rest = after;
    }
    if rest.contains(['{', '}']) { fault("a brace has no other one: variables stand in { and }") } else { Ok(()) }
}

/// Finds what is wrong with a media type.
pub(crate) fn check_media_type(media_type: &LitStr) -> syn::Result<()> {
    if is_media_type(&media_type.value()) {
        return Ok(());
    }
    Err(Error::new(media_type.span(), "this is not a media type, as in \"text/markdown\""))
}

fn has_scheme(uri: &str) -> bool {
    let of_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte);
    uri.starts_with(|first: char| first.is_ascii_lowercase())
        && uri.split_once(':').is_some_and(|(scheme, _)| scheme.bytes().all(of_scheme))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_media_type(text: &str) -> bool {
    let (name, parameters) = text.split_once(';').map_or((text, None), |(name, after)| (name.trim_end(), Some(after)));
    let Some((kind, subtype)) = name.split_once('/') else { return false };
    let of_kind = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let of_subtype = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
    kind.starts_with(|first: char| first.is_ascii_lowercase())
        && kind.bytes().all(of_kind)
        && !subtype.is_empty()
        && subtype.bytes().all(of_subtype)
        && parameters.is_none_or(|parameters| !parameters.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(uri: &str) -> String {
        check_uri(&LitStr::new(uri, proc_macro2::Span::call_site()))
            .err()
            .map(|fault| fault.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn an_address_has_a_scheme_and_sound_variables() {
        for sound in ["notes:all", "notes://{id}", "git+ssh://a.b/{owner}/{_2}?q={q}"] {
            assert_eq!(fault(sound), "", "{sound}");
        }
        for (uri, word) in [
            ("notes", "scheme"),
            ("Notes://a", "scheme"),
            ("1a:b", "scheme"),
            ("{id}:b", "scheme"),
            (":a", "scheme"),
            ("a://{id", "brace"),
            ("a://id}", "brace"),
            ("a://}{id}", "brace"),
            ("a://{id}}", "brace"),
            ("a://{{id}}", "\"{id\""),
            ("a://{}", "\"\""),
            ("a://{2}", "\"2\""),
            ("a://{Id}", "\"Id\""),
            ("a://{a-b}", "\"a-b\""),
        ] {
            assert!(fault(uri).contains(word), "{uri}: {}", fault(uri));
        }
    }

    #[test]
    fn a_media_type_has_a_kind_and_a_subtype() {
        for good in ["text/markdown", "application/vnd.ms-excel", "text/html; charset=utf-8"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in ["", "markdown", "text/", "/a", "Text/a", "text/a b", "text/a;"] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
