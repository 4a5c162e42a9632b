//! A value that everybody may ask for and that costs the host some work: it is made once for all who ask at the same time.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// A value that is made again when it is older than its age allows. Whoever asks while it is made waits for it. Failures
/// are values too: where the database is away, not every request waits for it in vain.
#[derive(Debug)]
pub struct Recent<T> {
    max_age: Duration,
    held: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Recent<T> {
    /// Has no value yet.
    pub const fn new(max_age: Duration) -> Self {
        Self { max_age, held: Mutex::const_new(None) }
    }

    /// The value; `make` makes it where there is none of an allowed age.
    pub async fn get(&self, make: impl Future<Output = T>) -> T {
        let mut held = self.held.lock().await;
        if let Some((at, value)) = &*held
            && at.elapsed() < self.max_age
        {
            return value.clone();
        }
        let value = make.await;
        *held = Some((Instant::now(), value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_value() {
        let (recent, made) = (Recent::new(Duration::from_hours(1)), AtomicUsize::new(0));
        let ask = || {
            recent.get(async {
                tokio::task::yield_now().await;
                made.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(join_all((0..10).map(|_| ask())).await, [0; 10]);
        assert_eq!((ask().await, made.load(Ordering::Relaxed)), (0, 1));
    }

    #[tokio::test]
    async fn an_old_value_is_made_again() {
        let recent = Recent::new(Duration::ZERO);
        assert_eq!((recent.get(async { 1 }).await, recent.get(async { 2 }).await), (1, 2));
    }
}
