use serde::Serialize;

/// How a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Could not be looked at, or is not there.
    Skipped,
    /// Weaker than it could be, or easily a mistake.
    Warning,
    /// A promise does not hold; `serve` refuses to start.
    Error,
}

/// What one check found, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name, stable between versions.
    pub check: &'static str,
    /// How it weighs.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it: a statement, a setting or a sentence.
    pub mend: Option<String>,
}

impl Finding {
    /// A check that found nothing wrong.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, found: found.into(), mend: None }
    }

    /// A check that could not be made.
    pub fn skipped(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Skipped, found: found.into(), mend: None }
    }

    /// Something to look at.
    pub fn warning(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, found: found.into(), mend: Some(mend.into()) }
    }

    /// Something to mend before serving.
    pub fn error(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Error, found: found.into(), mend: Some(mend.into()) }
    }
}

/// One question to the catalogue. Each row of its answer is a finding: level, what was found, how to mend it.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    /// What an answer without rows means.
    pub(super) sound: &'static str,
    pub(super) sql: &'static str,
}

/// A check's statement behind the names they share.
macro_rules! sql {
    ($body:literal) => {
        concat!(include_str!("common.sql"), $body)
    };
}
pub(super) use sql;
