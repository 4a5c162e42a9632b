//! Media types, as in `text/markdown`.

use alloc::format;
use alloc::string::String;

/// Characters of a wrong one that an error shows.
const SHOWN: usize = 100;

/// Whether a text is a media type, with or without parameters such as `; charset=utf-8`.
pub(crate) fn is_media_type(text: &str) -> bool {
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

/// A wrong one in a sentence: whoever swaps two arguments gives a whole text.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_a_kind_and_a_subtype() {
        for good in ["text/plain", "image/svg+xml", "application/vnd.ms-excel", "text/html ; charset=utf-8"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in ["", "png", "/png", "image/", "image/a b", "Image/png", "image/png;", "a/b/c", "1/a", "é/a"] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
