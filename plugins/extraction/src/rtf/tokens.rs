//! What an RTF file consists of.

/// Most letters of a word.
const MAX_WORD: usize = 32;

/// A part of an RTF file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token<'b> {
    /// `{`
    Open,
    /// `}`
    Close,
    /// `\word` with its number, if it has one.
    Word(&'b str, Option<i32>),
    /// `\` and a sign.
    Sign(u8),
    /// A byte of text that is written as `\'hh`.
    Byte(u8),
    /// Bytes of text.
    Text(&'b [u8]),
}

/// Reads the parts of an RTF file.
pub(super) struct Tokens<'b> {
    rest: &'b [u8],
}

impl<'b> Tokens<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The first bytes, as long as they are wanted.
    fn take_while(&mut self, wanted: impl Fn(u8) -> bool, most: usize) -> &'b [u8] {
        let length = self.rest.iter().take(most).take_while(|byte| wanted(**byte)).count();
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// What comes after `\`.
    fn control(&mut self) -> Option<Token<'b>> {
        let sign = *self.rest.first()?;
        if !sign.is_ascii_alphabetic() {
            self.rest = &self.rest[1..];
            if sign != b'\'' {
                return Some(Token::Sign(sign));
            }
            let code = self.rest.get(..2).and_then(|code| std::str::from_utf8(code).ok());
            let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
            self.rest = self.rest.get(if byte.is_some() { 2.. } else { 0.. }).unwrap_or_default();
            return Some(Token::Byte(byte.unwrap_or(b'?')));
        }
        let word =
            std::str::from_utf8(self.take_while(|byte| byte.is_ascii_alphabetic(), MAX_WORD)).unwrap_or_default();
        let minus = !self.take_while(|byte| byte == b'-', 1).is_empty();
        let digits = std::str::from_utf8(self.take_while(|byte| byte.is_ascii_digit(), 10)).unwrap_or_default();
        let number = digits.parse::<i32>().ok().map(|number| if minus { -number } else { number });
        // One space after a word belongs to it.
        self.take_while(|byte| byte == b' ', 1);
        if word == "bin" {
            let length = number.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
            self.rest = self.rest.get(length..).unwrap_or_default();
        }
        Some(Token::Word(word, number))
    }
}

impl<'b> Iterator for Tokens<'b> {
    type Item = Token<'b>;

    fn next(&mut self) -> Option<Token<'b>> {
        self.take_while(|byte| matches!(byte, b'\r' | b'\n' | 0), usize::MAX);
        let (first, rest) = self.rest.split_first()?;
        match first {
            b'{' | b'}' => self.rest = rest,
            b'\\' => {
                self.rest = rest;
                return self.control();
            }
            _ => {
                let text = |byte| !matches!(byte, b'{' | b'}' | b'\\' | b'\r' | b'\n' | 0);
                return Some(Token::Text(self.take_while(text, usize::MAX)));
            }
        }
        Some(if *first == b'{' { Token::Open } else { Token::Close })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_signs_and_bytes_are_told_apart() {
        let tokens: Vec<Token<'_>> = Tokens::new(b"{\\b1 x\\par\r\ny\\'e4\\u-1?\\~\\bin3 a}b\\'zz}").collect();
        let expected = [
            Token::Open,
            Token::Word("b", Some(1)),
            Token::Text(b"x"),
            Token::Word("par", None),
            Token::Text(b"y"),
            Token::Byte(0xe4),
            Token::Word("u", Some(-1)),
            Token::Text(b"?"),
            Token::Sign(b'~'),
            Token::Word("bin", Some(3)),
            Token::Byte(b'?'),
            Token::Text(b"zz"),
            Token::Close,
        ];
        assert_eq!(tokens, expected);
        assert_eq!(Tokens::new(b"\\bin99999999 x").collect::<Vec<_>>(), [Token::Word("bin", Some(99_999_999))]);
        assert_eq!(Tokens::new(b"\\").count(), 0);
    }
}
