//! Finds the one statement in a text, before anything parses it.

use pg_query::protobuf::{ScanToken, Token};

use super::refusal::Refusal;

/// The longest text that is accepted. A hostile one of this size costs the parser some tens of milliseconds; one of 20
/// MB would cost seconds. Long values belong in parameters, which do not count.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// The longest run of `+` and `-` that is accepted; no operator has a longer name.
const MAX_SIGNS: usize = 32;

/// The longest run of operator characters that is accepted: enough for a line of them in a comment.
const MAX_SYMBOLS: usize = 256;

/// Returns the statement in a text, without the comments and semicolons around it.
///
/// Only a text that begins as an allowed statement reaches the parser. So the parser's code for hundreds of utility
/// statements never runs on untrusted text.
pub(super) fn one_statement(sql: &str) -> Result<&str, Refusal> {
    if sql.len() > MAX_BYTES {
        return Err(Refusal::TooLong { bytes: sql.len(), limit: MAX_BYTES });
    }
    if sql.contains('\0') {
        return Err(Refusal::Nul);
    }
    refuse_long_symbols(sql)?;
    // The added semicolon makes sure that there is a token: for a text without any, the scanner's wrapper makes a slice
    // of a null pointer, which aborts a debug build.
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

/// Turns the parser's message into a refusal. The message quotes at most one word of the text; a long one is cut off.
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
    Refusal::Syntax { message: cut(&text) }
}

/// Cuts a name or message to a length that fits into a refusal.
pub(super) fn cut(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    text.chars().take(MAX_CHARS).collect()
}

/// Refuses long runs of operator characters, on which the scanner is slow.
///
/// The scanner reads such a run as one operator. When it finds a comment in it, or a plus sign at its end, it starts
/// again a character or two later. The time grows with the square of the run's length, and for plus signs with the
/// cube: a text of nothing else takes seconds. Two minus signs begin a comment, which ends the run. A run inside a
/// literal counts as well, because only the scanner can tell the two apart.
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

/// Refuses a hint comment: the extension `pg_hint_plan` reads settings from it.
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
