//! When to ask again.

use std::time::Duration;

use super::failure::Failure;
use crate::models::ModelError;

/// How often to ask again, and how long to wait before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retries {
    most: u32,
    first_wait: Duration,
    longest_wait: Duration,
}

impl Default for Retries {
    /// Two more times within a few seconds: a user is waiting. An endpoint that asks for longer is not asked again.
    fn default() -> Self {
        Self { most: 2, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(15) }
    }
}

impl Retries {
    /// How long to wait before asking again; `None` if it should not be asked again.
    pub(super) fn wait(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
        let may_pass = matches!(failure.error, ModelError::RateLimited { .. } | ModelError::Unavailable(_));
        if !may_pass || attempt >= self.most {
            return None;
        }
        let wait = failure.wait.unwrap_or_else(|| {
            // Runs that failed together should not all come back together.
            let spread = rand::random_range(0.5..1.5);
            self.first_wait.saturating_mul(1 << attempt.min(8)).mul_f64(spread)
        });
        (wait <= self.longest_wait).then_some(wait)
    }

    /// The same, without making tests wait.
    #[cfg(test)]
    pub(super) fn quick() -> Self {
        Self { first_wait: Duration::from_millis(5), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::error::Cause;

    #[test]
    fn only_what_may_pass_is_tried_again_and_not_for_ever() {
        let retries = Retries::default();
        let unavailable = Failure::from(ModelError::Unavailable(Cause::new(String::new())));
        assert!(retries.wait(0, &unavailable).is_some());
        assert!(retries.wait(2, &unavailable).is_none());
        for error in [ModelError::Unauthorised, ModelError::Timeout, ModelError::Protocol("")] {
            assert!(retries.wait(0, &error.into()).is_none());
        }
    }

    #[test]
    fn the_endpoints_own_wait_counts_unless_it_is_long() {
        let limited = |wait| Failure { error: ModelError::RateLimited { retry_after: wait }, wait };
        let wait = |seconds| Retries::default().wait(0, &limited(Some(Duration::from_secs(seconds))));
        assert_eq!(wait(3), Some(Duration::from_secs(3)));
        assert_eq!(wait(3_600), None);
    }
}
