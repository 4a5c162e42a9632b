//! Statements of a plain SQL dump, as far as they tell where the rows of tables are. Texts, comments and bodies of functions are
//! followed to their ends and not looked into: users of the app wrote some of them, and what looks like a statement in there is none.

/// The most bytes of a statement that are kept. A list of columns is shorter.
const MAX_HEAD: usize = 64 * 1024;

/// A table as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// The schema, if it is named.
    pub(crate) schema: Option<String>,
    /// The table.
    pub(crate) name: String,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// Rows follow, in lines of their own.
    Copy {
        table: Table,
        /// `None` where there is no list.
        columns: Option<Vec<String>>,
        /// Whether the rows have another form than COPY's own.
        has_options: bool,
    },
    /// Rows stand in the statement.
    Insert(Table),
    /// Backslashes in texts are escapes.
    OldStrings,
    /// Anything else.
    Other,
}

/// Where a scan is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Text {
        escapes: bool,
    },
    Name,
    Dollar(Vec<u8>),
    Comment(u32),
}

/// Follows statements from line to line.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    state: State,
    head: Vec<u8>,
    depth: u32,
}

impl Scan {
    /// Whether no statement has begun.
    pub(crate) fn is_between(&self) -> bool {
        self.state == State::Plain && self.head.iter().all(u8::is_ascii_whitespace)
    }

    /// Reads on. Returns the first statement that ends in `line`, and what comes after it.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> Option<(Statement, &'a [u8])> {
        let mut rest = line;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match std::mem::take(&mut self.state) {
                State::Plain => {
                    if byte == b';' && self.depth == 0 {
                        let head = std::mem::take(&mut self.head);
                        return Some((classify(&String::from_utf8_lossy(&head)), rest));
                    }
                    rest = self.plain(byte, rest);
                }
                State::Text { escapes } => match (byte, rest.split_first()) {
                    (b'\'', Some((b'\'', after))) => {
                        rest = after;
                        self.state = State::Text { escapes };
                    }
                    (b'\'', _) => {}
                    (b'\\', Some((_, after))) if escapes => {
                        rest = after;
                        self.state = State::Text { escapes };
                    }
                    _ => self.state = State::Text { escapes },
                },
                State::Name => {
                    self.keep(byte);
                    if byte != b'"' {
                        self.state = State::Name;
                    }
                }
                State::Dollar(tag) => {
                    if byte == b'$' && rest.starts_with(&tag) {
                        rest = rest.get(tag.len()..).unwrap_or_default();
                    } else {
                        self.state = State::Dollar(tag);
                    }
                }
                State::Comment(depth) => rest = self.comment(byte, rest, depth),
            }
        }
        self.keep(b'\n');
        None
    }

    fn plain<'a>(&mut self, byte: u8, rest: &'a [u8]) -> &'a [u8] {
        match byte {
            b'-' if rest.first() == Some(&b'-') => return &[],
            b'/' if rest.first() == Some(&b'*') => {
                self.state = State::Comment(1);
                return rest.get(1..).unwrap_or_default();
            }
            b'\'' => {
                self.state = State::Text { escapes: self.after_e() };
                // Nothing of the text is kept, and two words around it stay two.
                self.keep(b' ');
                return rest;
            }
            b'"' => self.state = State::Name,
            b'$' if !self.in_word() => {
                if let Some(tag) = dollar_tag(rest) {
                    self.state = State::Dollar(tag.to_vec());
                    self.keep(b' ');
                    return rest.get(tag.len()..).unwrap_or_default();
                }
            }
            b'(' => self.depth = self.depth.saturating_add(1),
            b')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.keep(byte);
        rest
    }

    fn comment<'a>(&mut self, byte: u8, rest: &'a [u8], depth: u32) -> &'a [u8] {
        let next = rest.first();
        let (depth, skipped) = match (byte, next) {
            (b'/', Some(b'*')) => (depth.saturating_add(1), 1),
            (b'*', Some(b'/')) => (depth - 1, 1),
            _ => (depth, 0),
        };
        if depth > 0 {
            self.state = State::Comment(depth);
        } else {
            self.keep(b' ');
        }
        rest.get(skipped..).unwrap_or_default()
    }

    fn keep(&mut self, byte: u8) {
        if self.head.len() < MAX_HEAD {
            self.head.push(byte);
        } else if let [.., before, last] = self.head.as_mut_slice() {
            // Of a long statement, all that is looked at is what comes directly before.
            *before = std::mem::replace(last, byte);
        }
    }

    fn in_word(&self) -> bool {
        self.head.last().is_some_and(|byte| is_word(*byte))
    }

    /// Whether a text that begins now is one with escapes: `E'…'`.
    fn after_e(&self) -> bool {
        let mut before = self.head.iter().rev();
        matches!(before.next(), Some(b'e' | b'E')) && !before.next().is_some_and(|byte| is_word(*byte))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The rest of `$tag$`, after its first sign.
fn dollar_tag(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().position(|byte| *byte == b'$')?;
    let (tag, _) = rest.split_at_checked(end)?;
    let is_tag = !tag.first().is_some_and(u8::is_ascii_digit) && tag.iter().all(|byte| is_word(*byte));
    is_tag.then(|| rest.get(..=end)).flatten()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Name(String),
    Sign(char),
}

fn classify(text: &str) -> Statement {
    let tokens = tokens(text);
    let mut words = tokens.iter();
    match (words.next(), words.next()) {
        (Some(Token::Word(first)), _) if first == "copy" => copy(tokens.get(1..).unwrap_or_default()),
        (Some(Token::Word(first)), Some(Token::Word(second))) if first == "insert" && second == "into" => {
            table(tokens.get(2..).unwrap_or_default()).map_or(Statement::Other, |(table, _)| Statement::Insert(table))
        }
        (Some(Token::Word(first)), Some(Token::Word(second)))
            if first == "set" && second == "standard_conforming_strings" =>
        {
            let is_off = tokens.iter().any(|token| *token == Token::Word("off".to_owned()));
            if is_off { Statement::OldStrings } else { Statement::Other }
        }
        _ => Statement::Other,
    }
}

/// `COPY table (columns) FROM stdin`, after its first word.
fn copy(tokens: &[Token]) -> Statement {
    let Some((table, rest)) = table(tokens) else { return Statement::Other };
    let (columns, rest) = columns(rest);
    let is_from = matches!(rest, [Token::Word(from), Token::Word(stdin), ..] if from == "from" && stdin == "stdin");
    if !is_from {
        return Statement::Other;
    }
    Statement::Copy { table, columns, has_options: rest.len() > 2 }
}

fn table(tokens: &[Token]) -> Option<(Table, &[Token])> {
    match tokens {
        [first, Token::Sign('.'), second, rest @ ..] => {
            Some((Table { schema: Some(name(first)?), name: name(second)? }, rest))
        }
        [first, rest @ ..] => Some((Table { schema: None, name: name(first)? }, rest)),
        [] => None,
    }
}

fn columns(tokens: &[Token]) -> (Option<Vec<String>>, &[Token]) {
    let [Token::Sign('('), rest @ ..] = tokens else { return (None, tokens) };
    let Some(end) = rest.iter().position(|token| *token == Token::Sign(')')) else { return (None, tokens) };
    let (inner, rest) = rest.split_at(end);
    (Some(inner.iter().filter_map(name).collect()), rest.get(1..).unwrap_or_default())
}

fn name(token: &Token) -> Option<String> {
    match token {
        Token::Word(name) | Token::Name(name) => Some(name.clone()),
        Token::Sign(_) => None,
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        if first == '"' {
            let mut quoted = String::new();
            while let Some(next) = chars.next() {
                if next != '"' {
                    quoted.push(next);
                } else if chars.next_if_eq(&'"').is_some() {
                    quoted.push('"');
                } else {
                    break;
                }
            }
            tokens.push(Token::Name(quoted));
        } else if first.is_alphanumeric() || first == '_' {
            let mut word = String::from(first);
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || matches!(next, '_' | '$')) {
                word.push(next);
            }
            tokens.push(Token::Word(word.to_lowercase()));
        } else {
            tokens.push(Token::Sign(first));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(dump: &str) -> Vec<Statement> {
        let mut scan = Scan::default();
        let mut found = Vec::new();
        for line in dump.lines() {
            let mut rest = line.as_bytes();
            while let Some((statement, after)) = scan.read(rest) {
                found.push(statement);
                rest = after;
            }
        }
        found
    }

    fn users() -> Table {
        Table { schema: Some("auth".to_owned()), name: "users".to_owned() }
    }

    #[test]
    fn rows_are_found_however_the_table_is_written() {
        for copy in [
            "COPY auth.users (id, email) FROM stdin;",
            "copy \"auth\".\"users\" (\"id\", Email) from STDIN;",
            "COPY auth.users\n  (id,\n email)\n FROM stdin;",
            "/* a /* nested */ comment; */ COPY auth.users (id, email) -- rows; follow\n FROM stdin;",
        ] {
            let columns = Some(vec!["id".to_owned(), "email".to_owned()]);
            let expected = Statement::Copy { table: users(), columns, has_options: false };
            assert_eq!(statements(copy), [expected], "{copy}");
        }
        assert!(matches!(
            statements("COPY auth.users (id) FROM stdin WITH (FORMAT csv);")[..],
            [Statement::Copy { has_options: true, .. }]
        ));
        assert_eq!(
            statements("COPY auth.users (id) TO stdout; COPY (select 1) TO stdout;"),
            [Statement::Other, Statement::Other]
        );
        assert_eq!(statements("INSERT INTO auth.users (id) VALUES ('a');"), [Statement::Insert(users())]);
    }

    #[test]
    fn what_stands_in_a_text_is_no_statement() {
        for text in [
            "INSERT INTO public.notes VALUES ('\nCOPY auth.users (id) FROM stdin;\n');",
            "INSERT INTO public.notes VALUES ('it''s\n;COPY auth.users (id) FROM stdin;\n');",
            "INSERT INTO public.notes VALUES (E'\\'\nCOPY auth.users (id) FROM stdin;\n');",
            "INSERT INTO public.notes VALUES (E'a''b\\'\n;COPY auth.users (id) FROM stdin;\n');",
            "INSERT INTO public.notes VALUES ('\\');",
            "DO $$ begin\n COPY auth.users (id) FROM stdin;\n end $$;",
            "CREATE FUNCTION f() AS $a_1$ $$ ;\nINSERT INTO auth.users VALUES (1);\n$$ $a$ $a_1$;",
            "COMMENT ON TABLE \"x;\nCOPY auth.users (id) FROM stdin;\" IS 'y';",
            "-- COPY auth.users (id) FROM stdin;\nSELECT 1;",
            "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO auth.users VALUES (1); SELECT 1);",
            "SELECT a$b$c, '$b$';",
        ] {
            let found = statements(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(!matches!(&found[0], Statement::Copy { .. }), "{text}");
            assert_ne!(found[0], Statement::Insert(users()), "{text}");
        }
    }

    #[test]
    fn a_dump_whose_texts_have_old_escapes_is_noticed() {
        assert_eq!(statements("SET standard_conforming_strings = off;"), [Statement::OldStrings]);
        assert_eq!(statements("SET standard_conforming_strings = on;"), [Statement::Other]);
    }

    #[test]
    fn a_long_statement_takes_no_memory_and_ends_where_it_ends() {
        let long =
            format!("INSERT INTO public.t VALUES ({});\nCOPY auth.users (id) FROM stdin;", "1, ".repeat(100_000));
        assert_eq!(statements(&long).len(), 2);
        let text = format!("SELECT {} E'\\';' ;", "1, ".repeat(100_000));
        assert_eq!(statements(&text).len(), 1);
    }
}
