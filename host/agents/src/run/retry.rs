//! How statements of a run are tried again.

use std::time::Duration;

use backon::ExponentialBuilder;

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// So many further attempts, with a pause that doubles each time.
pub(crate) fn doubling(retries: usize) -> ExponentialBuilder {
    ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_factor(2.0).with_max_times(retries)
}
