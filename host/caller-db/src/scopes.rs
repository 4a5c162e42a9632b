//! The scopes of one call: parts of its work that can fail and be undone by themselves.

/// Scopes inside each other. A savepoint costs the server memory; nobody needs many.
const MAX_DEPTH: usize = 8;

/// Savepoints whose statements stay prepared. Most calls have fewer.
const KEPT: u32 = 4;

/// The scopes that are open, the innermost last, and what the server has not been told of them yet.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    open: Vec<Scope>,
    /// Savepoints to be set or released before the next statement, which saves their own round trips.
    unsent: Vec<Unsent>,
    /// Savepoints so far. No number is used twice, so no savepoint is mistaken for an earlier one.
    savepoints: u32,
}

#[derive(Clone, Copy, Debug)]
struct Scope {
    /// The number of its savepoint; none where the scope is a transaction of its own.
    savepoint: Option<u32>,
    has_failed: bool,
}

#[derive(Debug)]
struct Unsent {
    text: String,
    keep: bool,
}

/// How to undo a scope.
pub(super) enum Undo {
    /// It is a transaction of its own, which is rolled back.
    Transaction,
    /// Two statements undo it.
    Savepoint([String; 2]),
}

impl Scopes {
    /// Whether any is open.
    pub(super) fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether a statement failed in the innermost one.
    pub(super) fn has_failed(&self) -> bool {
        self.open.last().is_some_and(|scope| scope.has_failed)
    }

    /// Whether one more may be opened.
    pub(super) fn have_room(&self) -> bool {
        self.open.len() < MAX_DEPTH
    }

    /// Opens one. The outermost one of a call that reads is a transaction of its own.
    pub(super) fn open(&mut self, call_writes: bool) {
        let savepoint = (call_writes || self.are_open()).then(|| {
            self.savepoints = self.savepoints.saturating_add(1);
            self.send(savepoint(self.savepoints), self.savepoints);
            self.savepoints
        });
        self.open.push(Scope { savepoint, has_failed: false });
    }

    /// Notes that a statement failed in the innermost one, and says how to undo it.
    pub(super) fn fail(&mut self) -> Option<Undo> {
        let scope = self.open.last_mut()?;
        scope.has_failed = true;
        Some(scope.savepoint.map_or(Undo::Transaction, |number| Undo::Savepoint(undo(number))))
    }

    /// Ends the innermost one.
    pub(super) fn end(&mut self, keep: bool) {
        let Some(scope) = self.open.pop() else { return };
        // What failed was undone at once.
        if let (Some(number), false) = (scope.savepoint, scope.has_failed) {
            // Nothing was sent since it was opened: neither it nor what was inside of it is worth a word.
            if let Some(place) = self.unsent.iter().position(|one| one.text == savepoint(number)) {
                self.unsent.truncate(place);
                return;
            }
            let [back, release] = undo(number);
            if !keep {
                self.send(back, number);
            }
            self.send(release, number);
        }
    }

    fn send(&mut self, text: String, number: u32) {
        self.unsent.push(Unsent { text, keep: number <= KEPT });
    }

    /// The statements that come before the next one, each with whether it stays prepared.
    pub(super) fn to_send(&self) -> impl Iterator<Item = (&str, bool)> {
        self.unsent.iter().map(|one| (one.text.as_str(), one.keep))
    }

    /// Those were sent.
    pub(super) fn were_sent(&mut self) {
        self.unsent.clear();
    }
}

fn savepoint(number: u32) -> String {
    format!("SAVEPOINT s{number}")
}

fn undo(number: u32) -> [String; 2] {
    [format!("ROLLBACK TO SAVEPOINT s{number}"), format!("RELEASE SAVEPOINT s{number}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(scopes: &mut Scopes) -> Vec<String> {
        let texts = scopes.to_send().map(|(text, _)| text.to_owned()).collect();
        scopes.were_sent();
        texts
    }

    #[test]
    fn the_outermost_scope_of_a_call_that_reads_is_its_transaction() {
        let mut scopes = Scopes::default();
        scopes.open(false);
        assert!(scopes.are_open() && sent(&mut scopes).is_empty());
        scopes.open(false);
        assert_eq!(sent(&mut scopes), ["SAVEPOINT s1"]);
        assert!(matches!(scopes.fail(), Some(Undo::Savepoint(_))));
        scopes.end(false);
        assert!(!scopes.has_failed() && sent(&mut scopes).is_empty(), "it was undone when it failed");
        assert!(matches!(scopes.fail(), Some(Undo::Transaction)));
    }

    #[test]
    fn no_savepoint_has_the_name_of_an_earlier_one() {
        let mut scopes = Scopes::default();
        scopes.open(true);
        let mut all = sent(&mut scopes);
        scopes.end(true);
        scopes.open(true);
        all.extend(sent(&mut scopes));
        scopes.end(false);
        all.extend(sent(&mut scopes));
        let expected = [
            "SAVEPOINT s1",
            "RELEASE SAVEPOINT s1",
            "SAVEPOINT s2",
            "ROLLBACK TO SAVEPOINT s2",
            "RELEASE SAVEPOINT s2",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn scopes_without_a_statement_leave_nothing_to_send() {
        let mut scopes = Scopes::default();
        scopes.open(true);
        for keep in [true, false] {
            scopes.open(true);
            scopes.open(true);
            scopes.end(keep);
            scopes.end(keep);
        }
        assert_eq!(sent(&mut scopes), ["SAVEPOINT s1"]);
    }

    #[test]
    fn only_so_many_scopes_are_inside_each_other() {
        let mut scopes = Scopes::default();
        for _ in 0..MAX_DEPTH {
            assert!(scopes.have_room());
            scopes.open(true);
        }
        assert!(!scopes.have_room());
    }
}
