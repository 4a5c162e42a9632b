//! The findings of `behalf doctor`, each with its fix.

use serde::Serialize;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is wrong.
    Ok,
    /// The check could not be made, or does not apply.
    Skipped,
    /// Weaker than possible, or likely a mistake.
    Warning,
    /// A guarantee of the host does not hold; `serve` refuses to start.
    Error,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name, stable between versions.
    pub check: &'static str,
    /// The severity.
    pub level: Level,
    /// The observation, such as `table notes has no row-level security`.
    pub found: String,
    /// The fix: a statement, a setting or a sentence.
    pub fix: Option<String>,
}

impl Finding {
    /// A check that found nothing wrong.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, found: found.into(), fix: None }
    }

    /// A check that could not be made.
    pub fn skipped(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Skipped, found: found.into(), fix: None }
    }

    /// A weakness to look at.
    pub fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    /// A fault to fix before the host can serve.
    pub fn error(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Error, found: found.into(), fix: Some(fix.into()) }
    }
}
