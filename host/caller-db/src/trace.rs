//! The texts of the newest statements that ran as each user, for people who develop: in memory, and only where the program asked for
//! it. The audit log has no texts, because a text may hold values.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use behalf_identity::Principal;
use uuid::Uuid;

use super::app::AppError;

/// Statements that are kept, of all users together.
const MAX_STATEMENTS: usize = 1_000;

/// Characters that are kept of a statement.
const MAX_CHARS: usize = 20_000;

/// A statement that ran as a user, or was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TracedStatement {
    /// Its number; later ones have higher ones.
    pub number: u64,
    /// The user as whom it ran.
    pub user_id: Uuid,
    /// The database role.
    pub role: &'static str,
    /// The tool that sent it; none where the host itself did, such as for a search.
    pub tool: Option<Arc<str>>,
    /// Its text, without the values of its parameters.
    pub text: String,
    /// Rows returned or changed.
    pub rows: u64,
    /// `allowed`, or why it did not run: a rule of the gate, or `failed`.
    pub verdict: &'static str,
    /// SQLSTATE of the server's error, if it failed there.
    pub sqlstate: Option<String>,
}

/// The newest statements. Whoever shows them shows each user their own.
#[derive(Debug, Default)]
pub struct StatementTrace(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    statements: VecDeque<TracedStatement>,
}

impl StatementTrace {
    /// The statements of a user after this number, oldest first, and the number of the newest of all.
    pub fn after(&self, user: Uuid, number: u64) -> (Vec<TracedStatement>, u64) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.statements.iter().filter(|one| one.user_id == user && one.number > number);
        (own.cloned().collect(), kept.last)
    }

    /// Keeps a statement, and forgets the oldest where there are too many.
    pub(crate) fn add(&self, mut statement: TracedStatement) {
        if let Some((end, _)) = statement.text.char_indices().nth(MAX_CHARS) {
            statement.text.truncate(end);
            statement.text.push('…');
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        statement.number = kept.last;
        if kept.statements.len() >= MAX_STATEMENTS {
            kept.statements.pop_front();
        }
        kept.statements.push_back(statement);
    }

    /// Keeps a statement of the host's own that ran as a user; `answer` is the number of its rows.
    pub(crate) fn add_own(&self, principal: &Principal, text: &str, answer: Result<usize, &AppError>) {
        let Some(user_id) = principal.subject() else { return };
        let sqlstate = match answer {
            Err(AppError::Database(error)) => error.sqlstate().map(str::to_owned),
            _ => None,
        };
        self.add(TracedStatement {
            user_id,
            role: principal.role().as_str(),
            text: text.to_owned(),
            rows: answer.map_or(0, |rows| rows as u64),
            verdict: if answer.is_ok() { "allowed" } else { "failed" },
            sqlstate,
            ..TracedStatement::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: u128, text: &str) -> TracedStatement {
        TracedStatement { user_id: Uuid::from_u128(user), text: text.to_owned(), ..TracedStatement::default() }
    }

    #[test]
    fn each_user_gets_their_own_after_a_number() {
        let trace = StatementTrace::default();
        for (user, text) in [(1, "one"), (2, "two"), (1, "three")] {
            trace.add(of(user, text));
        }
        let texts = |user, number| {
            let (statements, last) = trace.after(Uuid::from_u128(user), number);
            assert_eq!(last, 3);
            statements.into_iter().map(|one| one.text).collect::<Vec<_>>()
        };
        assert_eq!(
            (texts(1, 0), texts(1, 1), texts(2, 0)),
            (vec!["one".into(), "three".into()], vec!["three".into()], vec!["two".into()])
        );
        assert_eq!(texts(3, 0), Vec::<String>::new());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let trace = StatementTrace::default();
        for _ in 0..MAX_STATEMENTS + 5 {
            trace.add(of(1, &"ü".repeat(MAX_CHARS + 1)));
        }
        let (statements, last) = trace.after(Uuid::from_u128(1), 0);
        assert_eq!((statements.len(), last), (MAX_STATEMENTS, MAX_STATEMENTS as u64 + 5));
        assert!(statements.iter().all(|one| one.text.chars().count() == MAX_CHARS + 1 && one.text.ends_with('…')));
        assert_eq!(statements[0].number, 6);
    }
}
