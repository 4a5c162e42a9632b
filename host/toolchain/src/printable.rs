//! Texts of strangers, made safe to print.

/// Replaces the control characters of a stranger's text, which could steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
