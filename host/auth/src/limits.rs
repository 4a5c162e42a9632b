//! Limits of tries, by address of the client and by account, counted by this host. Letters are counted in a table
//! (`store/sent_letters.rs`), because all hosts share their limit.
//!
//! An attacker with many addresses would have no end of tries of one account, so an account has a limit as well. It is wider than
//! the limit of an address, so that one address cannot use it up, and a client that signed in to the account before is not stopped
//! by it. So the owner gets in from where they were, by a letter from everywhere, and by the password from elsewhere half a minute
//! after the tries end.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::AuthError;
use crate::options::AuthOptions;

/// The most buckets of each limit. Beyond that, the least used are dropped and start full again.
const BUCKETS: usize = 20_000;
/// How much more tries an account has than an address, at once.
const ACCOUNT_FACTOR: u32 = 4;
/// How soon an account that was tried too often gets one more try: 2,880 in a day.
const ACCOUNT_REFILL: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_mins(5);
/// Letters that are written at the same time. Each takes a connection to the database.
const WRITERS: usize = 8;

type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

/// What a client tries. Each has buckets of its own, so that one is not stopped by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Try {
    Password,
    Code,
    SignUp,
    Letter,
    Refresh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Client(Try, IpAddr),
    Account(Try, u128),
}

/// Counts tries.
pub(crate) struct AuthLimits {
    tries: Option<Quota>,
    refreshes: Option<Quota>,
    account: Option<Quota>,
    buckets: Cache<Key, Arc<Bucket>>,
    /// Clients that signed in to an account.
    known: Cache<(IpAddr, u128), ()>,
    writers: Arc<Semaphore>,
}

impl AuthLimits {
    /// Limits as an operator set them. Zero means no limit.
    pub(crate) fn new(options: &AuthOptions) -> Self {
        let tries = NonZeroU32::new(options.tries_per_5_minutes);
        let account = tries.and_then(|tries| {
            let burst = tries.saturating_mul(NonZeroU32::MIN.saturating_add(ACCOUNT_FACTOR - 1));
            Some(Quota::with_period(ACCOUNT_REFILL)?.allow_burst(burst))
        });
        Self {
            tries: tries.and_then(per_window),
            refreshes: NonZeroU32::new(options.refreshes_per_5_minutes).and_then(per_window),
            account,
            buckets: Cache::new(BUCKETS),
            known: Cache::new(BUCKETS),
            writers: Arc::new(Semaphore::new(WRITERS)),
        }
    }

    /// Counts a try of a password. `account` is the name that the client gave.
    pub(crate) fn try_password(&self, client: IpAddr, account: &str) -> Result<(), AuthError> {
        self.of_client(Try::Password, client, self.tries)?;
        self.of_account(Try::Password, client, account)
    }

    /// The password was right: from now on, tries of others do not stop this client.
    pub(crate) fn password_was_right(&self, client: IpAddr, account: &str) {
        self.known.insert((client, digest(account)), ());
    }

    /// Counts a try of a code, of a letter or of a second factor.
    pub(crate) fn try_code(&self, client: IpAddr, account: &str) -> Result<(), AuthError> {
        self.of_client(Try::Code, client, self.tries)?;
        self.of_account(Try::Code, client, account)
    }

    /// Counts a try of a link, which names no account and cannot be guessed.
    pub(crate) fn try_link(&self, client: IpAddr) -> Result<(), AuthError> {
        self.of_client(Try::Code, client, self.tries)
    }

    /// Counts a refresh.
    pub(crate) fn try_refresh(&self, client: IpAddr) -> Result<(), AuthError> {
        self.of_client(Try::Refresh, client, self.refreshes)
    }

    /// Counts a sign-up.
    pub(crate) fn sign_up(&self, client: IpAddr) -> Result<(), AuthError> {
        self.of_client(Try::SignUp, client, self.tries)
    }

    /// Counts a request for a letter.
    pub(crate) fn letter(&self, client: IpAddr) -> Result<(), AuthError> {
        self.of_client(Try::Letter, client, self.tries)
    }

    /// A place to write a letter after the answer. Every caller waits for one, whoever the letter is for.
    pub(crate) async fn writer(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.writers).acquire_owned().await.ok()
    }

    fn of_client(&self, what: Try, client: IpAddr, quota: Option<Quota>) -> Result<(), AuthError> {
        quota.map_or(Ok(()), |quota| self.take(Key::Client(what, client), quota))
    }

    fn of_account(&self, what: Try, client: IpAddr, account: &str) -> Result<(), AuthError> {
        let account = digest(account);
        let Some(quota) = self.account.filter(|_| self.known.get(&(client, account)).is_none()) else { return Ok(()) };
        self.take(Key::Account(what, account), quota)
    }

    fn take(&self, key: Key, quota: Quota) -> Result<(), AuthError> {
        let made = self.buckets.get_or_insert_with(&key, || {
            let bucket = RateLimiter::direct_with_clock(quota, MonotonicClock).with_middleware();
            Ok::<_, std::convert::Infallible>(Arc::new(bucket))
        });
        let Ok(bucket) = made;
        bucket.check().map(drop).map_err(|until| {
            let wait = until.wait_time_from(bucket.clock().now());
            let error = AuthError::new(429, "over_request_rate_limit", "Request rate limit reached");
            AuthError { retry_after: Some(wait.as_secs() + 1), ..error }
        })
    }
}

impl std::fmt::Debug for AuthLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthLimits")
    }
}

/// So many in five minutes, all of them at once if the client likes.
fn per_window(tries: NonZeroU32) -> Option<Quota> {
    Some(Quota::with_period(WINDOW / tries.get())?.allow_burst(tries))
}

/// A name of fixed length for an account, however long the text is that the client gave.
fn digest(account: &str) -> u128 {
    // One letter for each: Postgres makes a plain `i` of the capital letter with a dot, and Rust two characters.
    let small: String = account.chars().filter_map(|letter| letter.to_lowercase().next()).collect();
    let hash = Sha256::digest(small);
    hash.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> AuthOptions {
        AuthOptions {
            public_url: "https://api.example".to_owned(),
            site_url: "https://app.example".to_owned(),
            redirect_urls: Vec::new(),
            issuer: "https://api.example/auth/v1".to_owned(),
            audience: "authenticated".to_owned(),
            token_lifetime: Duration::from_hours(1),
            sign_up: true,
            anonymous: false,
            auto_confirm: false,
            confirm_both_addresses: true,
            manual_linking: false,
            password_min_length: 8,
            password_classes: Vec::new(),
            common_passwords: false,
            password_change_needs_reauthentication: false,
            code_lifetime: Duration::from_hours(1),
            code_digits: 6,
            letter_pause: Duration::from_mins(1),
            letters_per_hour: 30,
            letters_per_client: 10,
            refreshes_per_5_minutes: 150,
            tries_per_5_minutes: 30,
            refresh_reuse: Duration::from_secs(10),
            session_lifetime: None,
            session_idle: None,
            token_hook: None,
            max_factors: 10,
            providers: std::collections::BTreeMap::new(),
        }
    }

    fn limits(tries: u32) -> AuthLimits {
        AuthLimits::new(&AuthOptions { tries_per_5_minutes: tries, ..options() })
    }

    fn client(number: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, number])
    }

    #[test]
    fn a_client_has_so_many_tries_and_is_told_when_to_come_again() {
        let limits = limits(3);
        assert!((0..3).all(|number| limits.try_password(client(1), &format!("{number}@b.example")).is_ok()));
        let refused = limits.try_password(client(1), "x@b.example").expect_err("the fourth");
        assert_eq!((refused.status.as_u16(), refused.code), (429, "over_request_rate_limit"));
        assert!(refused.retry_after.is_some_and(|seconds| (90..=101).contains(&seconds)), "{refused:?}");
        assert!(limits.try_password(client(2), "x@b.example").is_ok());
        assert!(limits.try_code(client(1), "x@b.example").is_ok(), "codes are counted apart");
    }

    #[test]
    fn an_account_is_not_tried_without_end_and_its_known_clients_get_in() {
        let limits = limits(3);
        limits.password_was_right(client(100), "A@b.example");
        let tried = (0..50).filter(|number| limits.try_password(client(*number), "a@b.example").is_ok()).count();
        assert_eq!(tried, 12);
        assert!(limits.try_password(client(101), "a@B.example").is_err(), "the case of letters makes no other account");
        assert!(limits.try_password(client(100), "a@b.example").is_ok());
        assert!(limits.try_password(client(101), "other@b.example").is_ok());
    }

    #[test]
    fn zero_is_no_limit_and_many_names_do_not_fill_the_memory() {
        let none = limits(0);
        assert!((0..1_000).all(|_| none.try_code(client(1), "a@b.example").is_ok()));
        let limits = limits(1);
        for number in 0..2 * BUCKETS {
            limits.of_account(Try::Code, client(1), &number.to_string()).expect("a new account");
        }
        assert!(limits.buckets.len() <= BUCKETS);
    }
}
