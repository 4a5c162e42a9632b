//! What the checks have found so far, by promise.

use std::collections::BTreeMap;

use crate::promises::promise;
use crate::report::{Broken, Standing, Verdict};

/// The number of findings that are shown for one promise; the first ones say enough.
const SHOWN: usize = 3;

/// What has been found so far: how often each promise was checked, and where it was broken.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    checked: BTreeMap<&'static str, u64>,
    broken: BTreeMap<&'static str, Vec<Broken>>,
    only: Option<Vec<String>>,
}

impl Findings {
    pub(crate) fn new(only: Option<Vec<String>>) -> Self {
        Self { only, ..Self::default() }
    }

    /// Whether the check is to look at any of these promises.
    pub(crate) fn wants(&self, ids: &[&str]) -> bool {
        self.only.as_ref().is_none_or(|only| ids.iter().any(|id| only.iter().any(|one| one == id)))
    }

    /// Counts one check of a promise.
    pub(crate) fn checked(&mut self, id: &'static str) {
        *self.checked.entry(id).or_default() += 1;
    }

    /// Writes down that a promise was broken, and the command that shows it.
    pub(crate) fn broken(&mut self, id: &'static str, seen: impl Into<String>, reproduce: impl Into<String>) {
        self.checked.entry(id).or_insert(1);
        self.broken.entry(id).or_default().push(Broken { seen: seen.into(), reproduce: reproduce.into() });
    }

    /// The verdict on a promise. A promise that was never checked does not apply; `otherwise` says why.
    pub(crate) fn verdict(&mut self, id: &'static str, otherwise: &str) -> Option<Verdict> {
        if !self.wants(&[id]) {
            return None;
        }
        let promise = promise(id)?;
        let mut broken = self.broken.remove(id).unwrap_or_default();
        let (checked, times) = (self.checked.get(id).copied().unwrap_or(0), broken.len() as u64);
        broken.truncate(SHOWN);
        let standing = match (times, checked) {
            (1.., _) => Standing::Broken,
            (0, 1..) => Standing::Kept,
            (0, 0) => Standing::NotApplicable,
        };
        let reason = (standing == Standing::NotApplicable).then(|| otherwise.to_owned());
        Some(Verdict { promise, standing, checked, times, broken, reason })
    }
}
