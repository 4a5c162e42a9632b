//! The parameters `and` and `or`.

use super::MAX_DEPTH;
use super::ast::{Filter, Logic, Path};
use super::field::{dotted, field};
use super::filter::{Ends, condition};
use super::scanner::{Read, Scanner};

/// Reads the key of a group: the embedded resource that it is for, whether it is negated, and whether one member is enough.
pub(super) fn key(scanner: &mut Scanner<'_>) -> Read<(Path, bool, bool)> {
    let mut path = dotted(scanner)?;
    let any = path.pop().as_deref() == Some("or");
    let negated = path.iter().any(|name| name == "not");
    path.retain(|name| name != "not");
    Ok((path, negated, any))
}

/// Reads the members of a group, in parentheses.
pub(super) fn members(scanner: &mut Scanner<'_>, depth: usize) -> Read<Vec<Logic>> {
    if depth > MAX_DEPTH {
        return scanner.miss("fewer levels of and, or and not: there may be 100");
    }
    scanner.blanks();
    scanner.expect("(", "\"(\"")?;
    scanner.blanks();
    let mut members = Vec::new();
    loop {
        members.push(member(scanner, depth)?);
        scanner.blanks();
        if !scanner.eat(",") {
            scanner.expect(")", "\",\" or \")\"")?;
            scanner.blanks();
            return Ok(members);
        }
        scanner.blanks();
    }
}

fn member(scanner: &mut Scanner<'_>, depth: usize) -> Read<Logic> {
    if let Ok((negated, any)) = scanner.attempt(group) {
        return Ok(Logic::Group { negated, any, members: members(scanner, depth + 1)? });
    }
    let field = field(scanner)?;
    scanner.expect(".", "delimiter (.)")?;
    let (negated, operation) = condition(scanner, Ends::AtComma)?;
    Ok(Logic::Filter(Filter { field, negated, operation }))
}

/// What stands before the parentheses of a group; they must follow.
fn group(scanner: &mut Scanner<'_>) -> Read<(bool, bool)> {
    let negated = scanner.eat("not.");
    let any = if scanner.eat("and") {
        false
    } else {
        scanner.expect("or", "logic operator (and, or)")?;
        true
    };
    scanner.blanks();
    if scanner.peek() == Some('(') { Ok((negated, any)) } else { scanner.miss("\"(\"") }
}
