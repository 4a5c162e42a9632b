//! A statement that failed, as the author of its tool needs it: its text, the place of the fault, the server's hint, and what to change.
//! Callers and models get none of this. It stands in the record of the call, and on the terminal of an author who tries a tool.

use behalf_gate::{MissingGrant, Policy, Refusal};
use behalf_pgwire::WireError;
use behalf_problem::Private;

use super::caller_tx::TxError;
use super::catalog::DatabaseGrant;
use super::statement_error::StatementError;

/// Characters of a statement that are kept, and of a hint. The guest chooses how long a statement is, and how many fail.
const MAX_TEXT: usize = 4_000;
const MAX_HINT: usize = 1_000;
/// Tables of a grant that are listed.
const MAX_TABLES: usize = 8;
/// Characters of a line of a statement that are shown, around the place of the fault.
const MAX_LINE: usize = 160;
/// Lines of a statement that are shown, up to the one with the fault.
const MAX_LINES: usize = 40;

/// A statement that failed or was refused.
#[derive(Clone, Debug)]
pub struct FailedStatement {
    /// Its text as it was sent.
    pub text: Private,
    /// A code of `behalf:tool/database.error`.
    pub code: &'static str,
    /// The server's SQLSTATE, where the server refused it.
    pub sqlstate: Option<String>,
    /// What the tool was told.
    pub message: Private,
    /// The server's hint.
    pub hint: Option<Private>,
    /// The character at which the fault is; the first one is 1.
    pub position: Option<usize>,
    /// What to change, in the words of `plugin.toml` where it is a grant.
    pub fix: Option<String>,
}

impl FailedStatement {
    /// A statement that was not sent, or that the server refused.
    pub(super) fn new(text: &str, error: &StatementError) -> Self {
        Self {
            text: beginning(text, MAX_TEXT).into(),
            code: error.code,
            sqlstate: error.sqlstate.clone(),
            message: error.message.clone(),
            hint: None,
            position: None,
            fix: None,
        }
    }

    /// With what the server said beside its message.
    pub(super) fn with_server(self, error: &TxError) -> Self {
        let TxError::Wire(WireError::Server { texts, .. }) = error else { return self };
        let (hint, position) = texts.for_author();
        let hint = hint.cloned().map(|hint| hint.map(|text| beginning(&text, MAX_HINT)));
        Self { hint, position, ..self }
    }

    /// With what a grant lacks for it.
    pub(super) fn with_fix(self, refusal: &Refusal, policy: &Policy, grant: &DatabaseGrant) -> Self {
        Self { fix: policy.missing_grant(refusal).map(|missing| fix(&missing, grant)), ..self }
    }

    /// The failure as lines for a person: what is wrong, the statement with a mark under the fault, hint and fix.
    pub fn lines(&self) -> Private {
        let state = self.sqlstate.as_ref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default();
        let mut lines = vec![format!("{}{state}: {}", self.code, self.message.for_record())];
        lines.extend(marked(self.text.for_record(), self.position));
        lines.extend(self.hint.as_ref().map(|hint| format!("  hint: {}", hint.for_record())));
        lines.extend(self.fix.as_ref().map(|fix| format!("  fix: {fix}")));
        lines.join("\n").into()
    }

    /// The number of the line and of the character in it at which the fault is, both from 1.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        place(self.text.for_record(), self.position?)
    }
}

fn beginning(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// The line of `plugin.toml` that gives what is missing, and nothing beyond it.
fn fix(missing: &MissingGrant, grant: &DatabaseGrant) -> String {
    let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(", ");
    match missing {
        MissingGrant::Write if grant.is_narrowed() => {
            "the tool says in its definition that it only reads (`readOnlyHint`); a tool that writes must not"
                .to_owned()
        }
        MissingGrant::Write => "in plugin.toml, [grants.database]: access = \"write\"".to_owned(),
        MissingGrant::Schema(schema) => {
            let mut names = grant.schemas().iter().chain([schema]).map(|name| format!("{name:?}"));
            format!("in plugin.toml, [grants.database]: schemas = [{}]", list(&mut names))
        }
        MissingGrant::Table { schema, name } if grant.tables().len() > MAX_TABLES => {
            format!("in plugin.toml, [grants.database]: add \"{schema}.{name}\" to tables")
        }
        MissingGrant::Table { schema, name } => {
            let granted = grant.tables().iter().map(|(schema, name)| format!("\"{schema}.{name}\""));
            let mut names = granted.chain([format!("\"{schema}.{name}\"")]);
            format!("in plugin.toml, [grants.database]: tables = [{}]", list(&mut names))
        }
    }
}

/// Line and column of a character.
fn place(text: &str, position: usize) -> Option<(usize, usize)> {
    let before = position.checked_sub(1)?;
    if text.chars().count() < before {
        return None;
    }
    let (mut line, mut column) = (1, 1);
    for character in text.chars().take(before) {
        (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    Some((line, column))
}

/// The statement's lines with their numbers, and a caret under the fault.
fn marked(text: &str, position: Option<usize>) -> Vec<String> {
    let fault = position.and_then(|position| place(text, position));
    let all = text.lines().count();
    let last = fault.map_or(all, |(line, _)| line).min(all);
    let first = last.saturating_sub(MAX_LINES);
    let width = last.to_string().len();
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate().take(last).skip(first) {
        let number = index + 1;
        let column = fault.filter(|(line, _)| *line == number).map(|(_, column)| column);
        // A long line is shown around its fault.
        let start = column.map_or(0, |column| column.saturating_sub(MAX_LINE / 2));
        let shown: String = line.chars().skip(start).take(MAX_LINE).map(|c| if c == '\t' { ' ' } else { c }).collect();
        lines.push(format!("  {number:>width$} | {shown}"));
        if let Some(column) = column {
            lines.push(format!("  {:>width$} | {}^", "", " ".repeat(column.saturating_sub(start + 1))));
        }
    }
    if last < all || first > 0 {
        lines.push(format!("  {:>width$} | … ({all} lines)", ""));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(text: &str, position: usize) -> FailedStatement {
        FailedStatement {
            text: text.into(),
            code: "invalid",
            sqlstate: Some("42703".to_owned()),
            message: "column \"titel\" does not exist".into(),
            hint: Some("Perhaps you meant to reference the column \"notes.title\".".into()),
            position: Some(position),
            fix: None,
        }
    }

    #[test]
    fn the_caret_stands_under_the_fault() {
        let text = "select id,\n\ttitel -- ü\nfrom notes";
        let lines = failed(text, 13).lines();
        assert_eq!(
            lines.for_terminal(),
            "invalid (SQLSTATE 42703): column \"titel\" does not exist\n  1 | select id,\n  2 |  titel -- ü\n    |  ^\n    \
             | … (3 lines)\n  hint: Perhaps you meant to reference the column \"notes.title\"."
        );
        assert_eq!(failed(text, 13).line_and_column(), Some((2, 2)));
        assert_eq!(failed("select 'ü' from nots", 17).line_and_column(), Some((1, 17)));
        assert_eq!(failed("select 1", 500).line_and_column(), None);
        assert_eq!(failed("select 1", 0).line_and_column(), None);
    }

    #[test]
    fn what_a_guest_makes_the_host_keep_is_bounded() {
        let error = StatementError::new("refused", "It is too long.");
        let kept = FailedStatement::new(&"ü".repeat(1_000_000), &error);
        assert_eq!(kept.text.for_record().chars().count(), MAX_TEXT);
        let tables = (0..1_000).map(|n| ("public".to_owned(), format!("t{n}"))).collect();
        let grant = DatabaseGrant::new(false, vec!["public".to_owned()], tables);
        let missing = MissingGrant::Table { schema: "public".to_owned(), name: "orders".to_owned() };
        assert_eq!(fix(&missing, &grant), "in plugin.toml, [grants.database]: add \"public.orders\" to tables");
    }

    #[test]
    fn a_long_statement_is_shown_around_its_fault() {
        let line = format!("select {} from notes", "a, ".repeat(10_000));
        let shown = failed(&line, 20_000).lines();
        let lines: Vec<_> = shown.for_terminal().lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() < 300), "{lines:?}");
        assert_eq!(lines[2].chars().count() - "    | ".len(), MAX_LINE / 2, "{lines:?}");
        let many = "select 1,\n".repeat(1_000);
        assert!(failed(&many, many.len()).lines().for_terminal().lines().count() < MAX_LINES + 6);
    }

    #[test]
    fn the_fix_is_the_line_of_the_manifest_with_the_missing_grant_alone() {
        let grant = |write| {
            let tables = vec![("public".to_owned(), "notes".to_owned())];
            DatabaseGrant::new(write, vec!["public".to_owned()], tables)
        };
        let orders = MissingGrant::Table { schema: "public".to_owned(), name: "orders".to_owned() };
        assert_eq!(
            fix(&orders, &grant(false)),
            "in plugin.toml, [grants.database]: tables = [\"public.notes\", \"public.orders\"]"
        );
        assert_eq!(
            fix(&MissingGrant::Schema("app".to_owned()), &grant(false)),
            "in plugin.toml, [grants.database]: schemas = [\"public\", \"app\"]"
        );
        assert_eq!(fix(&MissingGrant::Write, &grant(false)), "in plugin.toml, [grants.database]: access = \"write\"");
        assert!(fix(&MissingGrant::Write, &grant(true).for_reading()).contains("readOnlyHint"));
        assert!(!fix(&MissingGrant::Write, &grant(false).for_reading()).contains("readOnlyHint"));
    }
}
