//! The findings as a table for people.

use behalf_telemetry::{Finding, Level};

/// A table for people: a word for the level, the check, what was found, and below it how to fix it.
pub(super) fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let word = match finding.level {
            Level::Ok => "OK",
            Level::Skipped => "SKIP",
            Level::Warning => "WARN",
            Level::Error => "ERROR",
        };
        text.push_str(&format!("{word:<5}  {:<width$}  {}\n", finding.check, finding.found));
        if let Some(fix) = finding.fix.as_deref().filter(|fix| !fix.is_empty()) {
            text.push_str(&format!("{:<5}  {:<width$}    fix: {fix}\n", "", ""));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    text.push_str(&format!("{} errors, {} warnings\n", count(Level::Error), count(Level::Warning)));
    text
}
