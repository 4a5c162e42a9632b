//! The report of a check: as JSON for programs, as text for people.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use crate::component::Facts;
use crate::promise::Promise;

/// The result of a check of one component.
#[derive(Clone, Debug)]
pub struct Report {
    /// The component.
    pub facts: Facts,
    /// The seed of the random arguments.
    pub seed: u64,
    /// One for each promise that was asked for.
    pub verdicts: Vec<Verdict>,
    /// The measurements.
    pub measures: Measures,
}

/// The verdict on one promise.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The promise.
    pub promise: &'static Promise,
    /// Kept, broken, or nothing to check.
    pub standing: Standing,
    /// How often it was checked.
    pub checked: u64,
    /// How often it was broken.
    pub times: u64,
    /// The first times that it was broken.
    pub broken: Vec<Broken>,
    /// Why there was nothing to check.
    pub reason: Option<String>,
}

/// How a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It held in every check.
    Kept,
    /// It did not hold in at least one check.
    Broken,
    /// There was nothing to check.
    NotApplicable,
}

/// One time that a promise was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// What happened.
    pub seen: String,
    /// The command that reproduces it.
    pub reproduce: String,
}

/// Measurements of the component and of its ordinary calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Measures {
    /// Bytes of the component.
    pub size_bytes: u64,
    /// The median of some starts: of a new instance and its first `definitions`.
    pub start_us: u64,
    /// The most memory that an ordinary call used.
    pub memory_bytes: u64,
    /// The time of the longest ordinary call.
    pub call_us: u64,
    /// The number of calls.
    pub calls: u64,
}

impl Report {
    /// Whether no promise was broken.
    pub fn is_good(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.standing != Standing::Broken)
    }

    /// The number of promises with this standing.
    pub fn count(&self, standing: Standing) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.standing == standing).count()
    }

    /// For machines; `docs/conformance/README.md` documents the shape.
    pub fn json(&self) -> Value {
        let verdict = |verdict: &Verdict| {
            json!({
                "id": verdict.promise.id, "sentence": verdict.promise.sentence, "standing": verdict.standing,
                "checked": verdict.checked, "times_broken": verdict.times, "broken": verdict.broken,
                "fix": (verdict.standing == Standing::Broken).then_some(verdict.promise.fix),
                "reason": verdict.reason,
            })
        };
        json!({
            "format": 1,
            "file": self.facts.file, "digest": self.facts.digest, "seed": self.seed,
            "kept": self.count(Standing::Kept), "broken": self.count(Standing::Broken),
            "not_applicable": self.count(Standing::NotApplicable),
            "measures": self.measures,
            "promises": self.verdicts.iter().map(verdict).collect::<Vec<_>>(),
        })
    }

    /// For people: a line for each promise, and what to do about those that are broken.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", printable(&self.facts.file));
        for verdict in &self.verdicts {
            let word = match verdict.standing {
                Standing::Kept => "kept  ",
                Standing::Broken => "BROKEN",
                Standing::NotApplicable => "n/a   ",
            };
            let _ = writeln!(out, "  {word} {:<24} {}", verdict.promise.id, verdict.promise.sentence);
            if let Some(reason) = &verdict.reason {
                let _ = writeln!(out, "{:<34} {}", "", printable(reason));
            }
            for broken in &verdict.broken {
                let _ = writeln!(out, "         seen  {}", printable(&broken.seen));
                let _ = writeln!(out, "         again {}", printable(&broken.reproduce));
            }
            if verdict.standing == Standing::Broken {
                let more = verdict.times.saturating_sub(verdict.broken.len() as u64);
                if more > 0 {
                    let _ = writeln!(out, "         and {more} more");
                }
                let _ = writeln!(out, "         fix   {}", verdict.promise.fix);
            }
        }
        let measures = &self.measures;
        let _ = writeln!(
            out,
            "  size {} KiB, start {}.{:01} ms, memory {} KiB, longest call {} ms, {} calls",
            measures.size_bytes.div_ceil(1024),
            measures.start_us / 1000,
            measures.start_us % 1000 / 100,
            measures.memory_bytes.div_ceil(1024),
            measures.call_us / 1000,
            measures.calls,
        );
        let _ = writeln!(
            out,
            "  {} kept, {} broken, {} not applicable (seed {})",
            self.count(Standing::Kept),
            self.count(Standing::Broken),
            self.count(Standing::NotApplicable),
            self.seed
        );
        out
    }
}

/// Text of a stranger, without characters that could control a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
