//! The parameter `select`.

use super::ast::{Aggregate, Embed, Field, Join, SelectField, SelectItem};
use super::field::{field, name, word};
use super::scanner::{Read, Scanner};
use super::{MAX_EMBED_DEPTH, MAX_EMBEDS};

/// Reads a list of columns and embedded resources.
pub(super) fn select(scanner: &mut Scanner<'_>) -> Read<Vec<SelectItem>> {
    let mut embeds = 0;
    items(scanner, 0, &mut embeds)
}

fn items(scanner: &mut Scanner<'_>, depth: usize, embeds: &mut usize) -> Read<Vec<SelectItem>> {
    let mut items = Vec::new();
    if scanner.is_end() || scanner.peek() == Some(')') {
        return Ok(items);
    }
    loop {
        items.push(item(scanner, depth, embeds)?);
        scanner.blanks();
        if !scanner.eat(",") {
            return Ok(items);
        }
        scanner.blanks();
    }
}

fn item(scanner: &mut Scanner<'_>, depth: usize, embeds: &mut usize) -> Read<SelectItem> {
    let Ok(mut embed) = scanner.attempt(embed_head) else { return select_field(scanner).map(SelectItem::Field) };
    *embeds += 1;
    if depth >= MAX_EMBED_DEPTH {
        return scanner.miss("fewer levels of embedded resources: there may be 20");
    }
    if *embeds > MAX_EMBEDS {
        return scanner.miss("fewer embedded resources: there may be 100");
    }
    scanner.expect("(", "\"(\"")?;
    embed.items = items(scanner, depth + 1, embeds)?;
    scanner.expect(")", "\",\" or \")\"")?;
    scanner.blanks();
    Ok(SelectItem::Embed(embed))
}

/// What stands before the parentheses of an embedded resource; they must follow.
fn embed_head(scanner: &mut Scanner<'_>) -> Read<Embed> {
    scanner.blanks();
    let spread = scanner.eat("...");
    let alias = if spread { None } else { scanner.attempt(alias).ok() };
    let name = name(scanner)?;
    if !spread && name == "count" {
        return scanner.miss("a resource");
    }
    let (mut hint, mut join) = (None, None);
    for _ in 0..2 {
        if !scanner.eat("!") {
            break;
        }
        if scanner.eat("left") {
            join = join.or(Some(Join::Left));
        } else if scanner.eat("inner") {
            join = join.or(Some(Join::Inner));
        } else {
            let read = super::field::name(scanner)?;
            hint = hint.or(Some(read));
        }
    }
    scanner.blanks();
    if scanner.peek() != Some('(') {
        return scanner.miss("\"(\"");
    }
    Ok(Embed { name, alias, hint, join, spread, items: Vec::new() })
}

fn alias(scanner: &mut Scanner<'_>) -> Read<String> {
    let alias = name(scanner)?;
    if scanner.rest().starts_with("::") {
        return scanner.miss("\":\"");
    }
    scanner.expect(":", "\":\"")?;
    Ok(alias)
}

fn select_field(scanner: &mut Scanner<'_>) -> Read<SelectField> {
    scanner.blanks();
    let plain = |field, alias| SelectField { field, alias, cast: None, aggregate: None, aggregate_cast: None };
    let all = || Field { name: "*".to_owned(), path: Vec::new() };
    let star = scanner.attempt(|scanner| {
        scanner.expect("*", "\"*\"")?;
        scanner.blanks();
        ends(scanner)
    });
    if star.is_ok() {
        return Ok(plain(all(), None));
    }
    let alias = scanner.attempt(alias).ok();
    let count = scanner.attempt(|scanner| {
        scanner.expect("count()", "\"count()\"")?;
        let cast = cast(scanner)?;
        ends(scanner)?;
        Ok(cast)
    });
    if let Ok(aggregate_cast) = count {
        return Ok(SelectField { aggregate: Some(Aggregate::Count), aggregate_cast, ..plain(all(), alias) });
    }
    let mut selected = plain(field(scanner)?, alias);
    selected.cast = cast(scanner)?;
    selected.aggregate = scanner.attempt(aggregate).ok();
    selected.aggregate_cast = cast(scanner)?;
    scanner.blanks();
    ends(scanner)?;
    Ok(selected)
}

fn cast(scanner: &mut Scanner<'_>) -> Read<Option<String>> {
    if scanner.eat("::") { word(scanner).map(|word| Some(word.to_owned())) } else { Ok(None) }
}

fn aggregate(scanner: &mut Scanner<'_>) -> Read<Aggregate> {
    scanner.expect(".", "\".\"")?;
    for aggregate in [Aggregate::Sum, Aggregate::Avg, Aggregate::Count, Aggregate::Max, Aggregate::Min] {
        if scanner.eat(aggregate.name()) {
            scanner.expect("()", "\"()\"")?;
            return Ok(aggregate);
        }
    }
    scanner.miss("an aggregate function")
}

fn ends(scanner: &Scanner<'_>) -> Read<()> {
    match scanner.peek() {
        None | Some(')' | ',') => Ok(()),
        Some(_) => scanner.miss("\"->\", \"->>\", \"::\", \".\", \")\", \",\" or end of input"),
    }
}
