//! Text of clients in errors, which must not make the answer as large as the request.

use std::borrow::Cow;

/// How many characters of a name are shown.
const NAME: usize = 200;
/// How many characters of a list or of a whole parameter are shown.
const TEXT: usize = 1_000;

/// A name of a client, as errors show it.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    to(name, NAME)
}

/// A longer text of a client, as errors show it.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    to(text, TEXT)
}

fn to(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)) {
        Some(start) => Cow::Owned(format!("{start}…")),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn long_names_end_with_an_ellipsis() {
        let full = "é".repeat(200);
        assert_eq!(name(&full), full);
        assert_eq!(name(&format!("{full}x")), format!("{full}…"));
    }
}
