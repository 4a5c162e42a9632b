//! The parameter `order`.

use super::ast::Order;
use super::field::{field, name};
use super::scanner::{Read, Scanner};

pub(super) fn order(scanner: &mut Scanner<'_>) -> Read<Vec<Order>> {
    let mut terms = Vec::new();
    loop {
        scanner.blanks();
        terms.push(term(scanner)?);
        scanner.blanks();
        if !scanner.eat(",") {
            return if scanner.is_end() { Ok(terms) } else { scanner.miss("\",\" or end of input") };
        }
    }
}

fn term(scanner: &mut Scanner<'_>) -> Read<Order> {
    let related = scanner.attempt(|scanner| {
        let relation = name(scanner)?;
        scanner.expect("(", "\"(\"")?;
        let field = field(scanner)?;
        scanner.expect(")", "\")\"")?;
        Ok((relation, field))
    });
    let (relation, field) = match related {
        Ok((relation, field)) => (Some(relation), field),
        Err(_) => (None, field(scanner)?),
    };
    let descending = if scanner.eat(".asc") {
        Some(false)
    } else if scanner.eat(".desc") {
        Some(true)
    } else {
        None
    };
    let nulls_first = if scanner.eat(".nullsfirst") {
        Some(true)
    } else if scanner.eat(".nullslast") {
        Some(false)
    } else {
        None
    };
    if scanner.eat(".") {
        return scanner.miss(if descending.is_some() {
            "\"nullsfirst\" or \"nullslast\""
        } else {
            "\"asc\", \"desc\", \"nullsfirst\" or \"nullslast\""
        });
    }
    Ok(Order { relation, field, descending, nulls_first })
}
