use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use crate::ground::Facts;
use crate::promise::Promise;

/// What the suite found of one component.
#[derive(Clone, Debug)]
pub struct Report {
    /// The component.
    pub facts: Facts,
    /// What the arguments were drawn from.
    pub seed: u64,
    /// One for each promise that was asked for.
    pub verdicts: Vec<Verdict>,
    /// What was measured.
    pub measures: Measures,
}

/// Where one promise stands.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The promise.
    pub promise: &'static Promise,
    /// Kept, broken, or nothing to check.
    pub standing: Standing,
    /// How often it was looked at.
    pub checked: u64,
    /// How often it was broken.
    pub times: u64,
    /// The first times.
    pub broken: Vec<Broken>,
    /// Why there was nothing to check.
    pub reason: Option<String>,
}

/// How a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It held whenever it was looked at.
    Kept,
    /// It did not.
    Broken,
    /// There was nothing to look at.
    NotApplicable,
}

/// One time that a promise was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// What was seen.
    pub seen: String,
    /// The command that shows it again.
    pub reproduce: String,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Measures {
    /// Bytes of the component.
    pub size_bytes: u64,
    /// The median of some starts: a new instance, asked for its tools.
    pub start_us: u64,
    /// The most memory of an ordinary call.
    pub memory_bytes: u64,
    /// The longest ordinary call.
    pub call_us: u64,
    /// Calls that were made.
    pub calls: u64,
}

impl Report {
    /// Whether no promise was broken.
    pub fn is_good(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.standing != Standing::Broken)
    }

    /// How many stand so.
    pub fn count(&self, standing: Standing) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.standing == standing).count()
    }

    /// For machines; `docs/conformance/README.md` documents the shape.
    pub fn json(&self) -> Value {
        let verdict = |verdict: &Verdict| {
            json!({
                "id": verdict.promise.id, "sentence": verdict.promise.sentence, "standing": verdict.standing,
                "checked": verdict.checked, "times_broken": verdict.times, "broken": verdict.broken,
                "mend": (verdict.standing == Standing::Broken).then_some(verdict.promise.mend),
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
                let _ = writeln!(out, "         mend  {}", verdict.promise.mend);
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

/// A stranger's text without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
