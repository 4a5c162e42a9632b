//! What clients were told of their operations, beside what was done.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::clients::Kind;
use super::outside::Calls;

/// Keys that a report names of each kind of fault.
const NAMED: usize = 20;

/// What a client was told in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It was done.
    Done,
    /// Its write was done; whether the tool's server was called, nobody knows, and that was said.
    DoneButUnknown,
    /// It failed: nothing of it need be there.
    Failed,
    /// The answer is lost, or says that nobody knows.
    Unknown,
}

/// The operations of all clients.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<Vec<(String, Kind, Told)>>);

impl Marks {
    fn lock(&self) -> MutexGuard<'_, Vec<(String, Kind, Told)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, key: String, kind: Kind, told: Told) {
        self.lock().push((key, kind, told));
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Compares them with the rows of the table and the calls of the server, which are counted by key.
    pub(super) fn report(&self, rows: &Calls, calls: &Calls) -> Value {
        let marks = self.lock();
        let (mut doubled, mut lost) = (Vec::new(), Vec::new());
        let mut kinds: HashMap<&'static str, HashMap<&'static str, u64>> = HashMap::new();
        for (key, kind, told) in marks.iter() {
            let count = |counts: &Calls| counts.get(key).copied().unwrap_or_default();
            let (written, called) = (count(rows), count(calls));
            if written > 1 || called > 1 {
                doubled.push(json!({ "key": key, "client": kind.as_str(), "rows": written, "calls": called }));
            }
            let missing = match told {
                Told::Done => written == 0 || (kind.calls_the_server() && called == 0),
                Told::DoneButUnknown => written == 0,
                Told::Failed | Told::Unknown => false,
            };
            if missing {
                lost.push(json!({ "key": key, "client": kind.as_str(), "rows": written, "calls": called }));
            }
            let word = match told {
                Told::Done => "done",
                Told::DoneButUnknown => "call_unknown",
                Told::Failed if written > 0 => "failed_after_its_write",
                Told::Failed => "failed",
                Told::Unknown if written > 0 => "unknown_and_written",
                Told::Unknown => "unknown_and_not_written",
            };
            *kinds.entry(kind.as_str()).or_default().entry(word).or_default() += 1;
        }
        let unknown = marks.iter().filter(|(.., told)| matches!(told, Told::Unknown | Told::DoneButUnknown)).count();
        json!({
            "operations": marks.len(), "clients": kinds, "unknown": unknown,
            "doubles": doubled.len(), "doubled": doubled.into_iter().take(NAMED).collect::<Vec<_>>(),
            "lost": lost.len(), "missing": lost.into_iter().take(NAMED).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_twice_or_is_missing_is_counted_and_named() {
        let marks = Marks::default();
        for (key, kind, told) in [
            ("fine", Kind::Run, Told::Done),
            ("twice", Kind::OpenAi, Told::Done),
            ("called-twice", Kind::Run, Told::Unknown),
            ("lost", Kind::Direct, Told::Done),
            ("not-called", Kind::Run, Told::Done),
            ("said", Kind::Run, Told::DoneButUnknown),
            ("maybe", Kind::Direct, Told::Unknown),
            ("no", Kind::Direct, Told::Failed),
        ] {
            marks.add(key.to_owned(), kind, told);
        }
        let counts =
            |all: &[(&str, u64)]| all.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect::<Calls>();
        let rows =
            counts(&[("fine", 1), ("twice", 2), ("called-twice", 1), ("not-called", 1), ("said", 1), ("maybe", 1)]);
        let calls = counts(&[("fine", 1), ("twice", 1), ("called-twice", 2)]);
        let report = marks.report(&rows, &calls);
        let named = |list: &str| -> Vec<String> {
            let list = report[list].as_array().cloned().unwrap_or_default();
            list.iter().filter_map(|one| one["key"].as_str().map(str::to_owned)).collect()
        };
        assert_eq!(
            (named("doubled"), named("missing")),
            (vec!["twice".into(), "called-twice".into()], vec!["lost".into(), "not-called".into()])
        );
        assert_eq!((&report["operations"], &report["unknown"]), (&json!(8), &json!(3)));
        assert_eq!(report["clients"]["direct"]["unknown_and_written"], 1);
    }
}
