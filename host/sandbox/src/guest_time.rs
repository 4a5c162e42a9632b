//! Measures how long a future is at work itself, without the time in which it waits.

use std::time::{Duration, Instant};

/// Adds the time of each poll of `work` to `spent`. While the work waits for the database, the network or a clock, nobody
/// polls it, so that time is not counted.
pub(crate) async fn timed<T>(work: impl Future<Output = T>, spent: &mut Duration) -> T {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| {
        let begun = Instant::now();
        let polled = work.as_mut().poll(cx);
        *spent += begun.elapsed();
        polled
    })
    .await
}
