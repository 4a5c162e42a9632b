//! Names of sources, as people see them. No name becomes a path: bytes are stored under ids.
//!
//! A name is kept as it was sent, apart from what could mislead: control characters, characters that turn the direction of writing,
//! and separators of paths. It is not brought into a normal form of Unicode, because nothing looks a source up by its name.

/// Characters of a name.
pub(crate) const MAX_CHARS: usize = 255;

/// What a file is called that says nothing of itself.
const UNNAMED: &str = "document";

/// Characters of the name in the path under which the platform's clients know the file.
const MAX_PATH_CHARS: usize = 80;

/// The name of a file, from the form or the address that it came with: its last part, cut to the length that a name may have. What
/// its end says of its type stays.
pub(crate) fn of_file(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let name: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let name = name.trim();
    if name.is_empty() || name.chars().all(|c| c == '.') {
        return UNNAMED.to_owned();
    }
    shortened(name)
}

/// A name that somebody chose; none where nothing is left of it, or too much. A separator becomes a dash, so that `2024/25` stays
/// readable.
pub(crate) fn chosen(sent: &str) -> Option<String> {
    let plain = sent.chars().filter(|c| !is_hidden(*c));
    let name: String = plain.map(|c| if matches!(c, '/' | '\\') { '-' } else { c }).collect();
    let name = name.trim();
    (!name.is_empty() && name.chars().count() <= MAX_CHARS).then(|| name.to_owned())
}

/// The name as the last part of a path: letters, digits, dashes and underscores of ASCII.
pub(crate) fn in_path(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let plain = stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
    let plain: String = plain.take(MAX_PATH_CHARS).collect();
    let plain = plain.trim_matches('_').to_owned();
    if plain.is_empty() { UNNAMED.to_owned() } else { plain }
}

/// At most [`MAX_CHARS`] characters, with the end after the last dot if it is short.
fn shortened(name: &str) -> String {
    if name.chars().count() <= MAX_CHARS {
        return name.to_owned();
    }
    let end = name.rsplit_once('.').map(|(_, end)| end).filter(|end| end.chars().count() <= 10);
    let end = end.map_or_else(String::new, |end| format!(".{end}"));
    let room = MAX_CHARS.saturating_sub(end.chars().count());
    let stem: String = name.chars().take(room).collect();
    format!("{stem}{end}")
}

/// Whether a character shows nothing, or shows what follows in another order.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_the_last_part_of_its_name() {
        for (sent, name) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd.txt", "passwd.txt"),
            ("C:\\fakepath\\Über uns.docx", "Über uns.docx"),
            ("a\0b\r\n.pdf", "ab.pdf"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("folder/", "folder"),
            ("", "document"),
            ("/", "document"),
            ("..", "document"),
            (" \u{200b} ", "document"),
        ] {
            assert_eq!(of_file(sent), name, "{sent:?}");
        }
        let long = of_file(&format!("{}.docx", "ü".repeat(400)));
        assert!(long.chars().count() == MAX_CHARS && long.ends_with("ü.docx"), "{long}");
        assert_eq!(of_file(&format!("a.{}", "x".repeat(400))).chars().count(), MAX_CHARS);
    }

    #[test]
    fn a_chosen_name_is_plain_and_not_empty() {
        assert_eq!(chosen(" Report 2024/25\n").as_deref(), Some("Report 2024-25"));
        assert_eq!(chosen("a\\b").as_deref(), Some("a-b"));
        for refused in ["", " ", "\0\u{feff}", &"x".repeat(MAX_CHARS + 1)] {
            assert_eq!(chosen(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn a_path_has_plain_letters_only() {
        assert_eq!(in_path("Über uns (2).pdf"), "ber_uns__2");
        assert_eq!(in_path("../x/..pdf"), "x");
        assert_eq!(in_path("日本.pdf"), "document");
        assert_eq!(in_path(&"a".repeat(300)).len(), MAX_PATH_CHARS);
    }
}
