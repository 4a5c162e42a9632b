//! Texts for `ilike`.

/// A pattern that matches the text itself: `%`, `_` and `\` lose their meaning.
pub(super) fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
