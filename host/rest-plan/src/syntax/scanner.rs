//! A place in a text, with the errors that name it.

use crate::error::cut;

/// Text that does not follow the grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    /// What was read and where it stopped.
    pub(crate) message: String,
    /// What stood there and what was expected.
    pub(crate) details: String,
}

/// Where a rule of the grammar did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    at: usize,
    expected: &'static str,
}

pub(super) type Read<T> = Result<T, Miss>;

/// Reads a text from its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn miss<T>(&self, expected: &'static str) -> Read<T> {
        Err(Miss { at: self.at, expected })
    }

    /// Goes past the text, if it is next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn expect(&mut self, text: &str, expected: &'static str) -> Read<()> {
        if self.eat(text) { Ok(()) } else { self.miss(expected) }
    }

    /// Goes past the next character, if it fits.
    pub(super) fn eat_if(&mut self, fits: impl Fn(char) -> bool) -> Option<char> {
        let next = self.peek().filter(|next| fits(*next))?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// The text up to the first character that does not fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|next| !fits(next)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    pub(super) fn blanks(&mut self) {
        self.take_while(|next| next == ' ' || next == '\t');
    }

    /// Reads with a rule, and stays where it was if the rule does not fit.
    pub(super) fn attempt<T>(&mut self, rule: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let start = self.at;
        let result = rule(self);
        if result.is_err() {
            self.at = start;
        }
        result
    }

    /// The error to show for a miss; `what` says which parameter was read.
    pub(super) fn error(&self, what: &str, miss: Miss) -> ParseError {
        let before = self.text.get(..miss.at).unwrap_or_default();
        let column = before.chars().count() + 1;
        let found = self.text.get(miss.at..).and_then(|rest| rest.chars().next());
        let unexpected = found.map_or_else(|| "end of input".to_owned(), |found| format!("{:?}", found.to_string()));
        ParseError {
            message: format!(
                "{:?} (line 1, column {column})",
                format!("failed to parse {what} ({})", cut::text(self.text))
            ),
            details: format!("unexpected {unexpected} expecting {}", miss.expected),
        }
    }
}
