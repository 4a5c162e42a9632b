//! What happened: operations with their times, what had to be sent again, what went wrong, and what was told to the wrong user.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::canary;

/// Sentences that are kept of each kind of fault.
const KEPT: usize = 20;
/// Characters of a sentence.
const SENTENCE: usize = 600;

/// Counts of everything. All users share it.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    times: BTreeMap<&'static str, Vec<Duration>>,
    retries: BTreeMap<&'static str, u64>,
    /// Errors that no retry mended.
    errors: Faults,
    /// Words of a user that another was told.
    crossed: Faults,
    /// Answers, events and messages that were searched.
    searched: u64,
    /// Messages of a channel that came while its socket was away, and were read afterwards.
    read_later: u64,
    /// Messages that are sent without being stored, and those of them that were heard.
    sent: u64,
    heard: u64,
}

#[derive(Default)]
struct Faults {
    count: u64,
    first: Vec<String>,
}

impl Faults {
    fn add(&mut self, sentence: &str) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(sentence.chars().take(SENTENCE).collect());
        }
    }
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An operation that succeeded, with the time of all its requests and retries.
    pub(super) fn done(&self, operation: &'static str, time: Duration) {
        self.lock().times.entry(operation).or_default().push(time);
    }

    /// A request that is sent again.
    pub(super) fn retry(&self, operation: &'static str) {
        *self.lock().retries.entry(operation).or_default() += 1;
    }

    /// An operation that failed in spite of retries.
    pub(super) fn failed(&self, operation: &str, error: &anyhow::Error) {
        self.lock().errors.add(&format!("{operation}: {error:#}"));
    }

    /// Searches what the user of this number was told for the words of others.
    pub(super) fn search(&self, operation: &str, number: u32, told: &[u8]) {
        let foreign: Vec<_> = canary::numbers(told).into_iter().filter(|found| *found != number).collect();
        let mut counts = self.lock();
        counts.searched += 1;
        if !foreign.is_empty() {
            let told = String::from_utf8_lossy(told);
            counts.crossed.add(&format!("{operation}: user {number} was told of {foreign:?}: {told}"));
        }
    }

    /// The same where nobody's or one user's words may stand, whoever that is.
    pub(super) fn search_for_two(&self, operation: &str, told: &[u8]) {
        let found = canary::numbers(told);
        let mut counts = self.lock();
        counts.searched += 1;
        if found.len() > 1 {
            let told = String::from_utf8_lossy(told);
            counts.crossed.add(&format!("{operation}: words of {found:?} stand together: {told}"));
        }
    }

    /// Something of a user reached another, without a word of theirs.
    pub(super) fn crossed(&self, sentence: &str) {
        self.lock().crossed.add(sentence);
    }

    /// A message was missed by a socket that was away, and was read afterwards.
    pub(super) fn read_later(&self) {
        self.lock().read_later += 1;
    }

    /// A message that is not stored was sent, and was heard or not.
    pub(super) fn sent(&self, is_heard: bool) {
        let mut counts = self.lock();
        counts.sent += 1;
        counts.heard += u64::from(is_heard);
    }

    /// Operations so far.
    pub(super) fn operations(&self) -> usize {
        self.lock().times.values().map(Vec::len).sum()
    }

    /// Errors and crossed words so far.
    pub(super) fn faults(&self) -> (u64, u64) {
        let counts = self.lock();
        (counts.errors.count, counts.crossed.count)
    }

    /// Everything, as the report has it.
    pub(super) fn report(&self) -> Value {
        let counts = self.lock();
        let mut recipes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut operations = serde_json::Map::new();
        for (name, times) in &counts.times {
            let recipe = name.split_once('.').map_or(*name, |(recipe, _)| recipe);
            *recipes.entry(recipe).or_default() += times.len();
            let retries = counts.retries.get(name).copied().unwrap_or_default();
            operations.insert((*name).to_owned(), times_of(times, retries));
        }
        json!({
            "operations_by_recipe": recipes,
            "operations": operations,
            "canaries_crossed": counts.crossed.count,
            "crossed": counts.crossed.first,
            "answers_searched": counts.searched,
            "errors_not_mended": counts.errors.count,
            "errors": counts.errors.first,
            "retries": counts.retries.values().sum::<u64>(),
            "sockets_opened_again": counts.retries.get("live.socket").copied().unwrap_or_default(),
            "messages_read_later": counts.read_later,
            "broadcasts": { "sent": counts.sent, "heard": counts.heard },
        })
    }
}

/// Milliseconds of the middle one, of the slowest of a hundred, and of the slowest.
fn times_of(times: &[Duration], retries: u64) -> Value {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| {
        let index = (sorted.len() * share / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map(|time| (time.as_secs_f64() * 1e4).round() / 10.0)
    };
    json!({ "count": sorted.len(), "p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100), "retries": retries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_to_the_wrong_user_is_counted() {
        let tally = Tally::default();
        let (own, other) = (canary::word(1), canary::word(2));
        tally.search("a", 1, own.as_bytes());
        assert_eq!(tally.faults(), (0, 0));
        tally.search("a", 1, format!("{own} {other}").as_bytes());
        tally.search_for_two("b", own.as_bytes());
        tally.search_for_two("b", format!("{own} {other}").as_bytes());
        tally.failed("c", &anyhow::anyhow!("no"));
        assert_eq!(tally.faults(), (1, 2));
        let report = tally.report();
        assert_eq!(report["answers_searched"], 4);
        assert_eq!(report["errors"], json!(["c: no"]));
    }

    #[test]
    fn operations_are_counted_by_recipe() {
        let tally = Tally::default();
        for milliseconds in 1..=100 {
            tally.done("live.run", Duration::from_millis(milliseconds));
        }
        tally.done("live.stored", Duration::from_millis(7));
        tally.retry("live.run");
        let report = tally.report();
        assert_eq!(report["operations_by_recipe"], json!({"live": 101}));
        let times = json!({"count": 100, "p50_ms": 51.0, "p99_ms": 100.0, "max_ms": 100.0, "retries": 1});
        assert_eq!(report["operations"]["live.run"], times);
    }
}
