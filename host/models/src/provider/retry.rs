//! Decides when a failed request to a provider is repeated.

use std::time::Duration;

use backon::ExponentialBuilder;

use super::failure::Failure;
use crate::{FinishReason, ModelError};

/// How often a request is repeated: a user is waiting.
const MOST: usize = 2;

/// How long to wait before a request is repeated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retries {
    first_wait: Duration,
    longest_wait: Duration,
}

impl Default for Retries {
    /// Waits that add up to a few seconds. If an endpoint asks for a longer wait, the request is not repeated.
    fn default() -> Self {
        Self { first_wait: Duration::from_millis(350), longest_wait: Duration::from_secs(15) }
    }
}

impl Retries {
    /// The planned waits. They double, and random jitter keeps runs that failed together from returning together.
    pub(super) fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new().with_min_delay(self.first_wait).with_max_times(MOST).with_jitter()
    }

    /// The wait before the request is repeated: the endpoint's own, or the planned one. `None` if it is not repeated.
    pub(super) fn wait(&self, failure: &Failure, planned: Option<Duration>) -> Option<Duration> {
        let may_pass = match failure.error {
            ModelError::RateLimited { .. } | ModelError::Unavailable(_) => true,
            // Models sometimes say nothing. One that used all its tokens, or whose words were withheld, would do so again.
            ModelError::Empty { finish_reason, .. } => {
                !matches!(finish_reason, FinishReason::Length | FinishReason::ContentFilter)
            }
            _ => false,
        };
        let planned = planned?;
        let wait = failure.wait.unwrap_or(planned);
        (may_pass && wait <= self.longest_wait).then_some(wait)
    }

    /// The same with short waits, for tests.
    #[cfg(test)]
    pub(super) fn quick() -> Self {
        Self { first_wait: Duration::from_millis(5), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder;

    use super::*;
    use crate::error::Cause;

    const PLANNED: Duration = Duration::from_millis(500);

    #[test]
    fn only_what_may_pass_is_tried_again_and_not_for_ever() {
        let retries = Retries::default();
        let unavailable = Failure::from(ModelError::Unavailable(Cause::new(String::new())));
        assert_eq!(retries.wait(&unavailable, Some(PLANNED)), Some(PLANNED));
        assert_eq!(retries.wait(&unavailable, None), None);
        for error in [ModelError::Unauthorised, ModelError::Timeout, ModelError::Protocol("")] {
            assert!(retries.wait(&error.into(), Some(PLANNED)).is_none());
        }
        let planned: Vec<_> = retries.backoff().build().collect();
        assert_eq!(planned.len(), MOST);
        assert!(planned.iter().sum::<Duration>() < Duration::from_secs(3), "{planned:?}");
    }

    #[test]
    fn the_endpoints_own_wait_counts_unless_it_is_long() {
        let limited = |wait| Failure { wait, ..ModelError::RateLimited { retry_after: wait }.into() };
        let wait = |seconds| Retries::default().wait(&limited(Some(Duration::from_secs(seconds))), Some(PLANNED));
        assert_eq!(wait(3), Some(Duration::from_secs(3)));
        assert_eq!(wait(3_600), None);
    }
}
