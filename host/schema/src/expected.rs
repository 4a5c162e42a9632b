//! What a place takes: literals and types, as a message tells them.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::hint::Hints;
use crate::message::quoted;

/// Characters of a value or literal that a message quotes.
const MAX_QUOTED: usize = 80;
/// Characters after which no more literals are quoted.
const MAX_LIST: usize = 300;
/// Literals of which each is told once.
const MAX_LITERALS: usize = 1_000;

/// The literals and types that a place takes.
#[derive(Debug, Default)]
pub(crate) struct Expected<'e> {
    literals: Vec<&'e Value>,
    types: Vec<&'static str>,
}

impl<'e> Expected<'e> {
    /// Adds what a fault says is taken.
    pub(crate) fn add(&mut self, error: &'e ValidationError<'_>) {
        match error.kind() {
            ValidationErrorKind::Constant { expected_value } => self.add_literal(expected_value),
            ValidationErrorKind::Enum { options } => {
                options.as_array().into_iter().flatten().for_each(|option| self.add_literal(option));
            }
            ValidationErrorKind::Type { kind: TypeKind::Single(one) } => self.add_type(one.as_str()),
            ValidationErrorKind::Type { kind: TypeKind::Multiple(several) } => {
                several.iter().for_each(|one| self.add_type(one.as_str()));
            }
            _ => {}
        }
    }

    /// Adds what the faults of one alternative say at a place. Where it takes literals, their type tells nothing more.
    pub(crate) fn add_alternative(&mut self, errors: impl Iterator<Item = &'e ValidationError<'static>>) {
        let (types, literals): (Vec<_>, Vec<_>) =
            errors.partition(|error| matches!(error.kind(), ValidationErrorKind::Type { .. }));
        let told = if literals.is_empty() { types } else { literals };
        told.into_iter().for_each(|error| self.add(error));
    }

    fn add_literal(&mut self, literal: &'e Value) {
        if self.literals.len() < MAX_LITERALS && !self.literals.contains(&literal) {
            self.literals.push(literal);
        }
    }

    fn add_type(&mut self, name: &'static str) {
        if !self.types.contains(&name) {
            self.types.push(name);
        }
    }

    /// What is wrong with a value that is none of these.
    pub(crate) fn message(&self, value: &Value, hints: &mut Hints<'_>) -> String {
        let value_text = quoted(value, MAX_QUOTED);
        let types = match self.types.as_slice() {
            [] => None,
            [one] => Some(format!("not of type \"{one}\"")),
            several => Some(format!("not of types \"{}\"", several.join("\", \""))),
        };
        let literals = match self.literals.as_slice() {
            [] => None,
            [one] => Some(format!("not {}", quoted(one, MAX_QUOTED))),
            several => Some(format!("not one of {}", list(several))),
        };
        let said = [literals, types].into_iter().flatten().collect::<Vec<_>>().join(", and ");
        let hint = hints.of_literals(value, &self.literals).unwrap_or_default();
        format!("{value_text} is {said}{hint}")
    }
}

/// The literals with commas, as many as fit a line.
fn list(literals: &[&Value]) -> String {
    let mut text = String::new();
    for (index, literal) in literals.iter().enumerate() {
        if text.len() > MAX_LIST {
            return format!("{text} or {} more", literals.len() - index);
        }
        text.push_str(match index {
            0 => "",
            index if index + 1 == literals.len() => " or ",
            _ => ", ",
        });
        text.push_str(&quoted(literal, MAX_QUOTED));
    }
    text
}
