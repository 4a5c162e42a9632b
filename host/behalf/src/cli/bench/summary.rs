//! Rates and percentiles of what was measured.

use std::time::Duration;

use serde::Serialize;

/// A measurement: how many a second, and how long one took.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) count: usize,
}

impl Summary {
    /// From the times of single operations that together took `wall`.
    pub(super) fn of_times(mut times: Vec<Duration>, wall: Duration) -> Self {
        times.sort_unstable();
        let at = |share: usize| {
            let index = (times.len() * share / 100).min(times.len().saturating_sub(1));
            times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
        };
        let count = times.len();
        Self { per_second: as_float(count) / wall.as_secs_f64(), p50_us: at(50), p99_us: at(99), count }
    }

    /// The median of several turns, number by number.
    pub(super) fn of_rounds(rounds: &[Self]) -> Self {
        let pick = |read: fn(&Self) -> f64| median(&rounds.iter().map(read).collect::<Vec<_>>()).unwrap_or(f64::NAN);
        Self {
            per_second: pick(|one| one.per_second),
            p50_us: pick(|one| one.p50_us),
            p99_us: pick(|one| one.p99_us),
            count: rounds.iter().map(|one| one.count).sum(),
        }
    }
}

/// The middle of the numbers.
pub(super) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn as_float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
