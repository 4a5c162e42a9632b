//! Measurements in turns: everything that is compared is measured again in each turn.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::summary::{Summary, median};

/// How much is measured.
#[derive(Clone, Debug, Args)]
pub(super) struct TurnsArgs {
    /// Connections of pgbench, of the HTTP load, of the host's pool, and of a peer's.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) connections: u16,
    /// Seconds of each measurement; everything is measured in several turns.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(super) seconds: u16,
    /// Turns; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=25))]
    pub(super) rounds: u8,
}

/// The measurements by their keys in the report, one for each turn.
#[derive(Default)]
pub(super) struct Turns(BTreeMap<String, Vec<Summary>>);

impl Turns {
    pub(super) fn add(&mut self, key: &str, summary: Summary) {
        self.0.entry(key.to_owned()).or_default().push(summary);
    }

    fn of(&self, key: &str) -> &[Summary] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// The keys of what was measured.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The medians of the turns.
    pub(super) fn summary(&self, key: &str) -> Value {
        json!(Summary::of_rounds(self.of(key)))
    }

    /// The rate of one beside the rate of another, turn by turn.
    pub(super) fn ratios(&self, one: &str, other: &str) -> Vec<f64> {
        self.of(one).iter().zip(self.of(other)).map(|(one, other)| one.per_second / other.per_second).collect()
    }

    /// The median of the ratios of the turns.
    pub(super) fn ratio(&self, one: &str, other: &str) -> anyhow::Result<f64> {
        median(&self.ratios(one, other)).context("no turns")
    }
}
