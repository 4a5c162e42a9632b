//! Reads SQL and PL/pgSQL for the functions that it calls: identifiers outside of comments and literals. What cannot be read is
//! taken to use everything.

use std::collections::BTreeSet;

/// What a text uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Names of called functions, without those that are qualified with another schema than `pg_catalog`.
    pub(super) calls: BTreeSet<String>,
    /// All identifiers and key words.
    pub(super) words: BTreeSet<String>,
    /// Whether it runs statements that it builds as text, or cannot be read to its end.
    pub(super) dynamic: bool,
    /// Whether it creates a temporary table.
    pub(super) temporary: bool,
    /// Its literals, in which an extension may keep statements.
    pub(super) literals: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// An identifier or key word, in lower case.
    Word(String),
    /// An identifier in quotes.
    Quoted(String),
    Literal(String),
    Sign(char),
}

/// Reads a function's body or an expression.
pub(super) fn scan(text: &str) -> Seen {
    let (tokens, complete) = tokens(text);
    let mut seen = Seen { dynamic: !complete, ..Seen::default() };
    for (at, token) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        let is_call = tokens.get(at + 1) == Some(&Token::Sign('('));
        let foreign = before(1) == Some(&Token::Sign('.'))
            && !matches!(before(2), Some(Token::Word(schema) | Token::Quoted(schema)) if schema == "pg_catalog");
        if let Token::Word(name) | Token::Quoted(name) = token {
            seen.words.insert(name.clone());
            seen.temporary |= name == "pg_temp";
        }
        match token {
            Token::Word(name) | Token::Quoted(name) if is_call && !foreign => {
                seen.calls.insert(name.clone());
            }
            Token::Literal(text) => seen.literals.push(text.clone()),
            _ => {}
        }
        if let Token::Word(word) = token {
            let made = match before(1) {
                Some(Token::Word(word)) if word == "into" => names_a_table(tokens.get(at + 1)),
                Some(Token::Word(word)) => matches!(word.as_str(), "create" | "local" | "global" | "replace"),
                _ => false,
            };
            seen.dynamic |= word == "execute";
            seen.temporary |= made && matches!(word.as_str(), "temp" | "temporary");
        }
    }
    seen
}

/// Whether `into temp` is followed by a table. Otherwise `temp` is a variable.
fn names_a_table(next: Option<&Token>) -> bool {
    const CLAUSES: [&str; 7] = ["from", "where", "group", "order", "limit", "union", "using"];
    match next {
        Some(Token::Word(word)) => !CLAUSES.contains(&word.as_str()),
        next => matches!(next, Some(Token::Quoted(_))),
    }
}

/// The tokens, and whether every comment and literal ends within the text.
fn tokens(text: &str) -> (Vec<Token>, bool) {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if rest.starts_with("--") {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if first == '\'' {
            let escapes = matches!(found.last(), Some(Token::Word(word)) if word == "e") && ends_with_e(text, rest);
            quoted(rest, '\'', escapes).map(|(value, taken)| {
                found.push(Token::Literal(value));
                taken
            })
        } else if first == '"' {
            quoted(rest, '"', false).map(|(name, taken)| {
                found.push(Token::Quoted(name));
                taken
            })
        } else if let Some(tag) = dollar_tag(rest) {
            rest.get(tag.len()..).and_then(|body| body.find(tag)).map(|end| {
                found.push(Token::Literal(rest.get(tag.len()..tag.len() + end).unwrap_or_default().to_owned()));
                end + 2 * tag.len()
            })
        } else if is_start(first) {
            let word = rest.split(|one: char| !is_start(one) && !one.is_ascii_digit() && one != '$').next();
            let word = word.unwrap_or_default();
            found.push(Token::Word(word.to_lowercase()));
            Some(word.len())
        } else {
            if !first.is_whitespace() {
                found.push(Token::Sign(first));
            }
            Some(first.len_utf8())
        };
        match taken.and_then(|taken| rest.get(taken..)) {
            Some(left) => rest = left,
            None => return (found, false),
        }
    }
    (found, true)
}

fn is_start(one: char) -> bool {
    one.is_ascii_alphabetic() || one == '_' || !one.is_ascii()
}

/// Whether the `e` before a literal touches it, as in `e'…'`.
fn ends_with_e(text: &str, rest: &str) -> bool {
    text.strip_suffix(rest).is_some_and(|before| before.ends_with(['e', 'E']))
}

/// The length of a comment, in which comments may be nested.
fn comment(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let left = text.get(at..)?;
        if left.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if left.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += left.chars().next()?.len_utf8();
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The value between quotes, in which two quotes mean one, and its length with the quotes.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, one)) = chars.next() {
        if escapes && one == '\\' {
            value.extend(chars.next().map(|(_, one)| one));
        } else if one != quote {
            value.push(one);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            value.push(quote);
        } else {
            return Some((value, at + quote.len_utf8()));
        }
    }
    None
}

/// `$tag$` at the beginning of the text. A parameter such as `$1` is none.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let end = inner.find('$')?;
    let tag = inner.get(..end)?;
    let fine = tag.chars().all(|one| is_start(one) || one.is_ascii_digit())
        && !tag.starts_with(|one: char| one.is_ascii_digit());
    if fine { text.get(..end + 2) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Vec<String> {
        scan(text).calls.into_iter().collect()
    }

    #[test]
    fn calls_are_found_however_they_are_written() {
        for text in [
            "begin perform pg_notify('a', 'b'); end",
            "select PG_Notify ('a', 'b')",
            "select pg_catalog.pg_notify('a', 'b')",
            "select \"pg_catalog\" . \"pg_notify\"('a', 'b')",
            "select pg_notify /* why */ -- and\n ('a', 'b')",
            "select $x$ it''s $x$, pg_notify($1, e'a\\'b')",
            "select 'it''s', pg_notify('', '')",
        ] {
            assert_eq!(calls(text), ["pg_notify"], "{text}");
        }
    }

    #[test]
    fn comments_literals_and_functions_of_the_app_are_no_calls() {
        for text in [
            "-- pg_notify('a')\nselect 1",
            "/* pg_notify('a') /* nested */ pg_notify('b') */ select 1",
            "select 'pg_notify(1)', $$pg_notify(2)$$, $t$pg_notify(3)$t$",
            "select app.pg_notify('mine', 'x')",
            "select pg_notify from t",
        ] {
            assert!(!calls(text).contains(&"pg_notify".to_owned()), "{text}");
        }
    }

    #[test]
    fn statements_built_as_text_and_temporary_tables_are_noticed() {
        for text in
            ["begin execute statement; end", "for r in execute format('x') loop end loop", "return query EXECUTE q"]
        {
            assert!(scan(text).dynamic, "{text}");
        }
        assert!(!scan("select 'execute' as \"execute\"").dynamic);
        assert!(scan("create temp table t as select 1").temporary);
        assert!(scan("create or replace temporary view v as select 1").temporary);
        assert!(scan("select 1 as a into temp t").temporary);
        assert!(!scan("select temp from weather").temporary);
        assert!(!scan("select a into temp from weather").temporary);
    }

    #[test]
    fn what_does_not_end_counts_as_unreadable() {
        for text in ["select 'open", "select /* open", "select $a$ open", "select \"open"] {
            assert!(scan(text).dynamic, "{text}");
        }
        assert!(!scan("select $1, $2").dynamic);
    }
}
