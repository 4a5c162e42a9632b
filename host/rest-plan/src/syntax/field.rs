//! Names and JSON paths.

use super::ast::{Field, Operand, Path, Step};
use super::scanner::{Read, Scanner};

const NAME: &str = "field name (* or [a..z0..9_$])";

fn is_word(next: char) -> bool {
    next.is_alphanumeric() || matches!(next, '_' | ' ' | '$')
}

/// A name without quotes, as casts and configurations have it.
pub(super) fn word<'t>(scanner: &mut Scanner<'t>) -> Read<&'t str> {
    let word = scanner.take_while(is_word);
    if word.is_empty() { scanner.miss(NAME) } else { Ok(word.trim()) }
}

/// A text in quotes; a backslash takes the next character as it is.
pub(super) fn quoted(scanner: &mut Scanner<'_>) -> Read<String> {
    scanner.attempt(|scanner| {
        scanner.expect("\"", "quoted text")?;
        let mut text = String::new();
        loop {
            text.push_str(scanner.take_while(|next| next != '"' && next != '\\'));
            if scanner.eat("\"") {
                return Ok(text);
            }
            scanner.expect("\\", "\"")?;
            match scanner.eat_if(|_| true) {
                Some(next) => text.push(next),
                None => return scanner.miss("a character"),
            }
        }
    })
}

/// A name: in quotes, or words that dashes join; a dash before `>` is an arrow.
pub(super) fn name(scanner: &mut Scanner<'_>) -> Read<String> {
    dashed(scanner, is_word, NAME)
}

fn dashed(scanner: &mut Scanner<'_>, fits: impl Fn(char) -> bool + Copy, expected: &'static str) -> Read<String> {
    if scanner.peek() == Some('"') {
        return quoted(scanner);
    }
    let mut name = String::new();
    loop {
        let part = scanner.take_while(fits);
        if part.is_empty() {
            return scanner.miss(expected);
        }
        name.push_str(part.trim());
        if scanner.rest().starts_with("->") || !scanner.eat("-") {
            return Ok(name);
        }
        name.push('-');
    }
}

pub(super) fn json_path(scanner: &mut Scanner<'_>) -> Read<Vec<Step>> {
    let mut steps = Vec::new();
    loop {
        let as_text = if scanner.eat("->>") {
            true
        } else if scanner.eat("->") {
            false
        } else {
            return Ok(steps);
        };
        let operand = match scanner.attempt(index) {
            Ok(index) => Operand::Index(index),
            Err(_) => Operand::Key(dashed(
                scanner,
                |next| !matches!(next, '(' | '-' | ':' | '.' | ',' | '>' | ')'),
                "any non reserved character different from: .,>()",
            )?),
        };
        steps.push(Step { as_text, operand });
    }
}

fn index(scanner: &mut Scanner<'_>) -> Read<String> {
    let sign = if scanner.eat("-") { "-" } else { "+" };
    let digits = scanner.take_while(|next| next.is_ascii_digit());
    let ends = scanner.is_end() || ["->", "::", ".", ","].iter().any(|end| scanner.rest().starts_with(end));
    if digits.is_empty() || !ends {
        return scanner.miss("digit, \"->\", \"::\", \".\", \",\" or end of input");
    }
    Ok(format!("{sign}{digits}"))
}

pub(super) fn field(scanner: &mut Scanner<'_>) -> Read<Field> {
    scanner.blanks();
    let name = name(scanner)?;
    let path = json_path(scanner)?;
    scanner.blanks();
    Ok(Field { name, path })
}

/// A column below embedded resources, as the keys of a query string have it: `clients.projects.id`.
pub(super) fn tree_path(scanner: &mut Scanner<'_>) -> Read<(Path, Field)> {
    let mut path = dotted(scanner)?;
    let steps = json_path(scanner)?;
    match path.pop() {
        Some(name) => Ok((path, Field { name, path: steps })),
        None => scanner.miss(NAME),
    }
}

pub(super) fn dotted(scanner: &mut Scanner<'_>) -> Read<Vec<String>> {
    let mut names = vec![name(scanner)?];
    while scanner.eat(".") {
        names.push(name(scanner)?);
    }
    Ok(names)
}

/// A list of names with commas between them.
pub(super) fn names(scanner: &mut Scanner<'_>) -> Read<Vec<String>> {
    let mut names = vec![name(scanner)?];
    loop {
        scanner.blanks();
        if !scanner.eat(",") {
            return Ok(names);
        }
        scanner.blanks();
        names.push(name(scanner)?);
    }
}
