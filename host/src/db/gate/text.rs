//! Cuts the one statement out of a text, before anything parses it.

use pg_query::protobuf::{ScanToken, Token};

use super::refusal::Refusal;

/// The longest text that is read. A hostile one of this size costs the parser some tens of milliseconds; one of 20 MB
/// would cost seconds. Values belong into parameters, which do not count.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// The longest run of `+` and `-` that is read, which is longer than any operator's name.
const MAX_SIGNS: usize = 32;

/// The longest run of the characters of operators that is read: enough for a banner in a comment.
const MAX_SYMBOLS: usize = 256;

/// The statement in a text, without the comments and semicolons around it.
///
/// Only what may begin a statement of an allowed kind goes on to the parser, which so never sees a utility statement: it
/// knows hundreds of those, and none of that code needs to meet a stranger's text.
pub(super) fn one_statement(sql: &str) -> Result<&str, Refusal> {
    if sql.len() > MAX_BYTES {
        return Err(Refusal::TooLong { bytes: sql.len(), limit: MAX_BYTES });
    }
    if sql.contains('\0') {
        return Err(Refusal::Nul);
    }
    refuse_long_symbols(sql)?;
    // With a semicolon of our own there is always a token: for a text without any, the scanner's wrapper makes a slice of
    // a null pointer, which aborts a debug build.
    let tokens = pg_query::scan_tokens(&format!("{sql}\n;")).map_err(|error| syntax(&error))?;
    let mut bounds: Option<(&ScanToken, &ScanToken)> = None;
    let mut ended = false;
    for token in &tokens {
        match Token::try_from(token.token) {
            Ok(Token::SqlComment) => {}
            Ok(Token::CComment) => refuse_hint(slice(sql, token, token)?)?,
            // The character `;`.
            Ok(Token::Ascii59) => ended = bounds.is_some(),
            _ if ended => return Err(Refusal::Several),
            _ => bounds = Some((bounds.map_or(token, |(first, _)| first), token)),
        }
    }
    let (first, last) = bounds.ok_or(Refusal::Empty)?;
    check_verb(sql, first)?;
    slice(sql, first, last)
}

/// The parser's message as a refusal. It quotes at most one word of the text, and is cut in case that word is long.
pub(super) fn syntax(error: &pg_query::Error) -> Refusal {
    let text = match error {
        pg_query::Error::Parse(message) | pg_query::Error::Scan(message) => message.clone(),
        // Decoding fails at its limit of recursion, and nothing else can be wrong with what the C code encoded.
        pg_query::Error::Decode(_) => return Refusal::TooDeep,
        _ => return Refusal::Unexamined,
    };
    if text.contains("stack depth") || text.contains("too deep") || text.contains("memory exhausted") {
        return Refusal::TooDeep;
    }
    Refusal::Syntax { message: text.chars().take(200).collect() }
}

/// The scanner takes a run of such characters for one operator, and on finding a comment in it, or that it may not end in a
/// plus, starts again a character or two later. That is the square of the run's length, seconds for a text of nothing else,
/// and for plus signs the cube. Two minus signs begin a comment, which ends the run. A run in a literal counts as well,
/// since telling the two apart is the scanner's own work.
fn refuse_long_symbols(sql: &str) -> Result<(), Refusal> {
    let (mut signs, mut symbols) = (0, 0);
    let mut before = b' ';
    for byte in sql.bytes() {
        signs = match byte {
            b'-' if before == b'-' => 0,
            b'+' | b'-' => signs + 1,
            _ => 0,
        };
        symbols = if b"~!@#^&|`?+-*/%<>=".contains(&byte) { symbols + 1 } else { 0 };
        if signs > MAX_SIGNS || symbols > MAX_SYMBOLS {
            return Err(Refusal::Construct { what: "A very long run of operator characters" });
        }
        before = byte;
    }
    Ok(())
}

/// `pg_hint_plan` takes settings from comments of this form.
fn refuse_hint(comment: &str) -> Result<(), Refusal> {
    if comment.starts_with("/*+") {
        return Err(Refusal::Construct { what: "A hint comment (/*+ … */)" });
    }
    Ok(())
}

fn check_verb(sql: &str, first: &ScanToken) -> Result<(), Refusal> {
    match Token::try_from(first.token) {
        Ok(
            Token::Select | Token::Values | Token::Table | Token::With | Token::Insert | Token::Update | Token::DeleteP
            | Token::Merge
            // The character `(`.
            | Token::Ascii40,
        ) => Ok(()),
        _ => Err(Refusal::Statement { verb: slice(sql, first, first)?.chars().take(40).collect::<String>().to_uppercase() }),
    }
}

fn slice<'a>(sql: &'a str, first: &ScanToken, last: &ScanToken) -> Result<&'a str, Refusal> {
    let start = usize::try_from(first.start).map_err(|_| Refusal::Unexamined)?;
    let end = usize::try_from(last.end).map_err(|_| Refusal::Unexamined)?;
    sql.get(start..end).ok_or(Refusal::Unexamined)
}
