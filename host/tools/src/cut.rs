//! Cuts texts that come from outside to a number of characters.

/// The first `chars` characters of a text.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
