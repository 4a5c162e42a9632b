//! Wrong passwords for accounts that exist and for such that do not: whether the time tells them apart.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::super::load::Connection;
use super::super::summary::Summary;
use super::super::test_bed::TestBed;
use super::{address, sign_in};

/// Tries in turns, on one connection, after some that are not counted.
pub(super) async fn measure(bed: &TestBed, tries: u16, users: u16) -> anyhow::Result<Value> {
    const WARM_UP: u16 = 10;
    let mut connection = Connection::open(bed.address).await?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    for number in 0..tries + WARM_UP {
        let is_known = number % 2 == 0;
        let email = if is_known { address((number / 2) % users) } else { format!("nobody-{number}@example.com") };
        let asked = sign_in(bed, &email, "wrong lantern 8 yz");
        let started = Instant::now();
        let answer = connection.send(&asked).await?;
        let time = started.elapsed();
        let text = String::from_utf8_lossy(answer);
        ensure!(
            text.starts_with("HTTP/1.1 400") && text.contains("invalid_credentials"),
            "an unexpected answer: {text}"
        );
        match (number < WARM_UP, is_known) {
            (true, _) => {}
            (false, true) => known.push(time),
            (false, false) => unknown.push(time),
        }
    }
    let (mean_known, error_known) = mean(&known);
    let (mean_unknown, error_unknown) = mean(&unknown);
    let error = error_known.hypot(error_unknown);
    let wall = begun.elapsed();
    Ok(json!({
        "tries": tries,
        "known": Summary::of_times(known, wall),
        "unknown": Summary::of_times(unknown, wall),
        "mean_known_us": mean_known,
        "mean_unknown_us": mean_unknown,
        "difference_us": mean_known - mean_unknown,
        // Beyond about two of these, the difference is no chance.
        "standard_error_us": error,
        "standard_errors": (mean_known - mean_unknown) / error,
    }))
}

/// The mean in microseconds, and its standard error.
fn mean(times: &[Duration]) -> (f64, f64) {
    let us: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    let count = u32::try_from(us.len()).map_or(f64::MAX, f64::from);
    let mean = us.iter().sum::<f64>() / count;
    let variance = us.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}
