//! The text of one paragraph with its emphasis and links.

use crate::pages::is_unwanted;

/// How a run of text looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Style {
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) strike: bool,
    pub(crate) code: bool,
}

/// Most bytes of an address that becomes a link.
const MAX_ADDRESS: usize = 2000;
/// Most characters of a character's name. The longest one has 31.
const MAX_NAME: usize = 40;

/// A paragraph that is being written. `\n` in it is a line break inside of the paragraph.
#[derive(Debug, Default)]
pub(crate) struct Line {
    text: String,
    /// Text of one style that is not yet in `text`.
    run: String,
    style: Style,
    /// Where the last Markdown of its own ends in `text`.
    own_end: usize,
    /// Where the label of an open link begins in `text`, and the link's address.
    link: Option<(usize, String)>,
}

impl Line {
    /// Adds text. Characters that Markdown would take for its own are escaped.
    pub(crate) fn push(&mut self, text: &str, style: Style) {
        if style != self.style {
            self.flush();
            self.style = style;
        }
        for c in text.chars() {
            match c {
                '\u{ad}' => {}
                c if is_unwanted(c) && !matches!(c, '\r') => {}
                '\u{a0}' | '\t' | '\r' | '\n' => self.run.push(' '),
                c => self.run.push(c),
            }
        }
    }

    /// Adds Markdown as it is.
    pub(crate) fn push_markdown(&mut self, markdown: &str) {
        self.flush();
        self.part_from(markdown);
        self.text.push_str(markdown);
        self.own_end = self.text.len();
    }

    /// Breaks the line inside of the paragraph.
    pub(crate) fn push_break(&mut self) {
        self.flush();
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    /// Begins a link. One inside of another is a part of the outer one's label.
    pub(crate) fn begin_link(&mut self, address: &str) {
        self.flush();
        if self.link.is_none() {
            self.link = Some((self.text.len(), address.into()));
        }
    }

    /// Ends the link. Addresses other than those of pages and mail leave the label alone.
    pub(crate) fn end_link(&mut self) {
        self.flush();
        let Some((from, address)) = self.link.take() else { return };
        // A line break can have taken spaces away from before the label.
        let label = self.text.split_off(from.min(self.text.len()));
        self.own_end = self.own_end.min(self.text.len());
        let trimmed = label.trim();
        if trimmed.is_empty() || !is_address(&address) {
            self.text.push_str(&label);
            return;
        }
        let lead = &label[..label.len() - label.trim_start().len()];
        let trail = &label[label.trim_end().len()..];
        self.part_from("[");
        let address = address.replace(' ', "%20").replace('(', "%28").replace(')', "%29");
        if trimmed == address {
            self.text.push_str(&label);
        } else {
            self.text.extend([lead, "[", &trimmed.replace('\n', " "), "](", &address, ")", trail]);
        }
    }

    /// The bytes that were written.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.run.len()
    }

    /// Whether anything but spaces was written.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty() && self.run.trim().is_empty()
    }

    /// Whether the next text stands at the beginning or after a space. HTML shows one space for many.
    pub(crate) fn ends_with_space(&self) -> bool {
        let last = self.run.chars().next_back().or_else(|| self.text.chars().next_back());
        last.is_none_or(char::is_whitespace)
    }

    /// The paragraph, without spaces around it.
    pub(crate) fn take(&mut self) -> String {
        if self.link.is_some() {
            self.end_link();
        }
        self.flush();
        (self.style, self.own_end) = (Style::default(), 0);
        std::mem::take(&mut self.text).trim().into()
    }

    /// Puts a text before all of it.
    pub(crate) fn prepend(&mut self, text: &str) {
        if self.link.is_some() {
            self.end_link();
        }
        self.flush();
        self.text.insert_str(0, text);
        self.own_end += text.len();
    }

    /// Keeps what follows from making a link, a picture or a note of the end of the text.
    fn part_from(&mut self, next: &str) {
        let follows = |end: &[char]| next.starts_with(end);
        let is_special = match self.text.chars().next_back() {
            Some(']') => follows(&['(', '[', ':']),
            Some('!') => follows(&['[']),
            Some('[') => follows(&['^']),
            _ => false,
        };
        if !is_special {
            return;
        }
        if self.text.len() > self.own_end {
            self.text.insert(self.text.len() - 1, '\\');
        } else if !follows(&['[']) {
            self.text.push('\\');
        }
    }

    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        let core = run.trim();
        if core.is_empty() || self.style == Style::default() {
            self.part_from(&run);
            escape(&run, &mut self.text);
            return;
        }
        let lead = &run[..run.len() - run.trim_start().len()];
        let trail = &run[run.trim_end().len()..];
        self.text.push_str(lead);
        if self.style.code && !core.contains('`') {
            self.text.push('`');
            self.text.push_str(core);
            self.text.push('`');
        } else {
            let marks = [(self.style.strike, "~~"), (self.style.bold, "**"), (self.style.italic, "*")];
            marks.iter().filter(|(set, _)| *set).for_each(|(_, mark)| self.text.push_str(mark));
            self.part_from(core);
            escape(core, &mut self.text);
            marks.iter().rev().filter(|(set, _)| *set).for_each(|(_, mark)| self.text.push_str(mark));
        }
        self.text.push_str(trail);
    }
}

/// Whether an address is that of a page or of mail.
pub(crate) fn is_address(address: &str) -> bool {
    let lower: String = address.chars().take(8).flat_map(char::to_lowercase).collect();
    let known = ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme));
    known && address.len() <= MAX_ADDRESS && !address.contains(|c: char| c.is_control() || matches!(c, '<' | '>'))
}

/// Escapes what would change how the text around it reads, and nothing else: searches look for the text as it is. What
/// follows the text is not known here.
pub(crate) fn escape(text: &str, out: &mut String) {
    let mut before = ' ';
    let mut rest = text.chars().filter(|c| !is_unwanted(*c)).peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied();
        let next = after.unwrap_or(' ');
        let special = match c {
            '*' => !(before.is_whitespace() && next.is_whitespace()),
            '_' => before.is_alphanumeric() != next.is_alphanumeric(),
            '<' => after.is_none_or(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?')),
            '`' => true,
            '~' => before == '~' || next == '~',
            '\\' => after.is_none_or(|next| next.is_ascii_punctuation()),
            // Before these a bracket ends the label of a link.
            ']' => matches!(next, '(' | '[' | ':'),
            '[' => next == '^',
            '!' => next == '[',
            '&' => next == '#' || next.is_ascii_alphabetic(),
            _ => false,
        };
        // Most ampersands begin no character's name.
        if special && (c != '&' || is_name_of_character(rest.clone())) {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
}

/// Whether what follows `&` makes it stand for another character, as in `&lt;`.
fn is_name_of_character(mut rest: impl Iterator<Item = char>) -> bool {
    let end = rest.by_ref().take(MAX_NAME).find(|c| !c.is_ascii_alphanumeric() && *c != '#');
    end == Some(';')
}

/// A line so that its beginning is not taken for a heading, a list, a quote, a line across the page or a table.
pub(crate) fn escape_begin(text: &str) -> String {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let after = text[digits..].chars().nth(1).is_none_or(char::is_whitespace);
    let marker = text[digits..].chars().next().unwrap_or(' ');
    let begins = match marker {
        '-' | '+' | '*' => after || is_made_of(text, "-|: ") || is_made_of(text, "* "),
        '#' => text.trim_start_matches('#').chars().next().is_none_or(char::is_whitespace),
        '>' => true,
        '=' => is_made_of(text, "="),
        '_' => is_made_of(text, "_ "),
        '|' | ':' => text.contains('-') && is_made_of(text, "-|: "),
        _ => false,
    };
    if digits == 0 && begins {
        return format!("\\{text}");
    }
    if (1..=9).contains(&digits) && matches!(marker, '.' | ')') && after {
        return format!("{}\\{}", &text[..digits], &text[digits..]);
    }
    text.into()
}

fn is_made_of(text: &str, characters: &str) -> bool {
    text.chars().all(|c| characters.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOLD: Style = Style { bold: true, italic: false, strike: false, code: false };

    #[test]
    fn emphasis_stands_at_the_words() {
        let mut line = Line::default();
        line.push("see ", Style::default());
        line.push(" this ", BOLD);
        line.push("and that", BOLD);
        line.push(".", Style { italic: true, ..Style::default() });
        assert_eq!(line.take(), "see  **this and that***.*");
        line.push("f(x)", Style { code: true, ..BOLD });
        assert_eq!(line.take(), "`f(x)`");
        assert!(line.is_blank());
    }

    #[test]
    fn only_pages_and_mail_become_links() {
        let cases = [
            ("https://example.org/a b(c)", "[label](https://example.org/a%20b%28c%29) "),
            ("mailto:a@example.org", "[label](mailto:a@example.org) "),
            ("javascript:alert(1)", "label "),
            ("file:///etc/passwd", "label "),
            ("data:text/html,x", "label "),
            ("https://a\n/b", "label "),
        ];
        for (address, expected) in cases {
            let mut line = Line::default();
            line.begin_link(address);
            line.push("label ", Style::default());
            line.end_link();
            line.push(".", Style::default());
            assert_eq!(line.take(), format!("{expected}."), "{address}");
        }
    }

    #[test]
    fn signs_before_links_and_notes_make_no_pictures() {
        let mut line = Line::default();
        line.push("a!", Style::default());
        line.push_markdown("[^1]");
        line.push_markdown("[^2]");
        line.push("(b) [x]", Style::default());
        line.push_markdown("[^3]");
        line.push(" c!", Style::default());
        line.begin_link("https://example.org");
        line.push("d", Style::default());
        line.end_link();
        assert_eq!(line.take(), "a\\![^1][^2]\\(b) [x\\][^3] c\\![d](https://example.org)");
    }

    #[test]
    fn a_link_survives_a_line_break_before_it() {
        let mut line = Line::default();
        line.push("a   ", Style::default());
        line.begin_link("https://example.org");
        line.push_break();
        line.push("b", Style::default());
        assert_eq!(line.take(), "a\nb");
    }

    #[test]
    fn text_is_not_taken_for_markdown() {
        let mut line = Line::default();
        line.push("a*b* 2 * 3 snake_case _x_ <script> a < b `c` \\d [x](y) [z] &lt; & ~~s~~", Style::default());
        let expected = r"a\*b\* 2 * 3 snake_case \_x\_ \<script> a < b \`c\` \d [x\](y) [z] \&lt; & \~\~s\~\~";
        assert_eq!(line.take(), expected);
        let cases = [
            ("# a", "\\# a"),
            ("#tag", "#tag"),
            ("- a", "\\- a"),
            ("--", "\\--"),
            ("=", "\\="),
            ("=a", "=a"),
            ("___", "\\___"),
            ("| :- | - |", "\\| :- | - |"),
            ("| a |", "| a |"),
            ("1. a", "1\\. a"),
            ("2024 a", "2024 a"),
            ("-5", "-5"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape_begin(text), expected);
        }
    }

    #[test]
    fn parts_of_a_paragraph_make_no_markdown_together() {
        let code = Style { code: true, ..Style::default() };
        // A part that holds a backtick is no code.
        for (parts, expected) in [
            (["<", "script>`"], "\\<script>\\`"),
            (["\\", "<b>`"], "\\\\\\<b>\\`"),
            (["[x]", "(javascript:`)"], "[x\\](javascript:\\`)"),
            (["[x]", ": javascript:`"], "[x\\]: javascript:\\`"),
            (["![", "^1]`"], "\\!\\[^1]\\`"),
            (["<\u{1}\u{202e}b>", "`"], "\\<b>\\`"),
        ] {
            let mut line = Line::default();
            line.push(parts[0], Style::default());
            line.push(parts[1], code);
            assert_eq!(line.take(), expected);
        }
    }
}
