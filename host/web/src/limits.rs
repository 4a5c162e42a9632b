//! Rate limits of requests and runs, and the limit of concurrent event streams, each counted per host. Concurrent runs
//! are not counted here but in the database, so that their limit holds for all hosts together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ConnectInfo;
use behalf_identity::Principal;
use behalf_problem::{Kind, Problem, RateLimit};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;
use quick_cache::sync::Cache;
use uuid::Uuid;

/// The most callers whose buckets are kept. Beyond that, the least used are dropped, and their callers start with a
/// full bucket. A caller with that many addresses is still limited by the project's bucket.
const BUCKETS: usize = 20_000;

/// The error of a request that exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TooMany(pub RateLimit);

impl Problem for TooMany {
    fn kind(&self) -> Kind {
        Kind::TooManyRequests
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        Some(self.0)
    }
}

/// The limits. Zero means no limit.
#[derive(Clone, Debug, Default)]
pub struct LimitOptions {
    /// Requests of one user in a minute.
    pub requests_user: u32,
    /// Requests without a user of one address in a minute.
    pub requests_address: u32,
    /// Requests of all callers in a minute.
    pub requests_project: u32,
    /// Runs that one user begins in a minute.
    pub runs_user: u32,
    /// Concurrent event streams of one user.
    pub streams_user: u32,
    /// Addresses or networks of proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<String>,
}

/// An entry of [`LimitOptions::trusted_proxies`] is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address and no network")]
pub struct ProxyError(String);

/// A bucket of requests. What was taken for a token that proved valid is given back and taken next.
struct Bucket {
    rate: RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>,
    given_back: AtomicU32,
}

/// The owner of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum BucketKey {
    User(Uuid),
    Address(IpAddr),
}

/// Buckets of one rate, one for each caller.
struct Buckets {
    limit: &'static str,
    per_minute: NonZeroU32,
    by_caller: Cache<BucketKey, Arc<Bucket>>,
}

/// The limits of this host.
pub struct Limits {
    project: Option<(NonZeroU32, Bucket)>,
    users: Option<Buckets>,
    runs: Option<Buckets>,
    addresses: Option<Buckets>,
    streams: Arc<Streams>,
    proxies: Vec<IpNet>,
}

/// A request of a stranger that was counted before its token is verified. Dropped, it stays counted.
#[must_use]
pub(crate) struct StrangerPlace(Option<(Arc<Bucket>, NonZeroU32)>);

impl StrangerPlace {
    /// Counts the request no longer: its token is valid, or could not be looked at.
    pub(crate) fn give_back(self) {
        // No more than a minute's requests, which the bucket itself gets back meanwhile.
        if let Some((bucket, per_minute)) = self.0 {
            let one_more = |count: u32| (count < per_minute.get()).then_some(count + 1);
            bucket.given_back.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok();
        }
    }
}

/// The number of open event streams, by user.
#[derive(Debug, Default)]
struct Streams {
    allowed: usize,
    open: Mutex<HashMap<Option<Uuid>, usize>>,
}

/// The permit for one event stream. Dropping it frees the place.
#[derive(Debug)]
pub struct StreamPlace {
    streams: Arc<Streams>,
    user: Option<Uuid>,
}

impl Limits {
    /// Makes the limits with full buckets.
    pub fn new(options: &LimitOptions) -> Result<Self, ProxyError> {
        let buckets = |limit, per_minute| {
            NonZeroU32::new(per_minute).map(|per_minute| Buckets { limit, per_minute, by_caller: Cache::new(BUCKETS) })
        };
        let proxies = options.trusted_proxies.iter().map(|text| {
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            net.map_err(|_| ProxyError(text.clone()))
        });
        Ok(Self {
            project: NonZeroU32::new(options.requests_project).map(|rate| (rate, bucket(rate))),
            users: buckets("requests of this user", options.requests_user),
            runs: buckets("runs begun by this user", options.runs_user),
            addresses: buckets("requests of this address", options.requests_address),
            streams: Arc::new(Streams {
                allowed: usize::try_from(options.streams_user).unwrap_or(usize::MAX),
                open: Mutex::default(),
            }),
            proxies: proxies.collect::<Result<_, _>>()?,
        })
    }

    /// Counts a request of a caller whose token was verified.
    pub fn count(&self, principal: &Principal, parts: &Parts) -> Result<(), TooMany> {
        match principal.subject() {
            Some(user) => {
                self.users.as_ref().map_or(Ok(()), |buckets| buckets.take(BucketKey::User(user)).map(drop))?;
            }
            // The service role acts for the project, so only the project's limit counts.
            None if principal.is_service() => {}
            None => self.count_stranger(parts)?,
        }
        let Some((rate, bucket)) = &self.project else { return Ok(()) };
        take(bucket, "requests of this project", *rate)
    }

    /// Counts a request without a user, by its address.
    pub fn count_stranger(&self, parts: &Parts) -> Result<(), TooMany> {
        self.stranger_place(parts).map(drop)
    }

    /// Counts a request before its token is verified, so that an address whose requests are used up causes no work.
    pub(crate) fn stranger_place(&self, parts: &Parts) -> Result<StrangerPlace, TooMany> {
        let Some(buckets) = &self.addresses else { return Ok(StrangerPlace(None)) };
        let bucket = buckets.take(BucketKey::Address(self.client(parts)))?;
        Ok(StrangerPlace(Some((bucket, buckets.per_minute))))
    }

    /// The address that a request came from, behind trusted proxies the client's; of IPv6 the network.
    pub fn client(&self, parts: &Parts) -> IpAddr {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        // Without a peer address, which only a wrong set-up has, all callers share one bucket.
        let peer = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        network(client(peer, &parts.headers, &self.proxies))
    }

    /// Counts a run that is about to begin.
    pub fn count_run(&self, principal: &Principal) -> Result<(), TooMany> {
        let (Some(buckets), Some(user)) = (&self.runs, principal.subject()) else { return Ok(()) };
        buckets.take(BucketKey::User(user)).map(drop)
    }

    /// Takes a place for an event stream.
    pub fn stream(&self, principal: &Principal) -> Result<StreamPlace, TooMany> {
        let (streams, user) = (Arc::clone(&self.streams), principal.subject());
        {
            let mut open = streams.open.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(user).or_default();
            if user.is_some() && streams.allowed > 0 && *count >= streams.allowed {
                let allowed = u32::try_from(streams.allowed).unwrap_or(u32::MAX);
                let wait = Duration::from_secs(1);
                return Err(TooMany(RateLimit { limit: "streams of events of this user at once", allowed, wait }));
            }
            *count += 1;
        }
        Ok(StreamPlace { streams, user })
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limits")
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

impl Buckets {
    fn take(&self, key: BucketKey) -> Result<Arc<Bucket>, TooMany> {
        let made = self
            .by_caller
            .get_or_insert_with(&key, || Ok::<_, std::convert::Infallible>(Arc::new(bucket(self.per_minute))));
        let Ok(bucket) = made;
        take(&bucket, self.limit, self.per_minute)?;
        Ok(bucket)
    }
}

/// A full bucket. It allows the requests of a whole minute at once.
fn bucket(per_minute: NonZeroU32) -> Bucket {
    let rate = RateLimiter::direct_with_clock(Quota::per_minute(per_minute), MonotonicClock).with_middleware();
    Bucket { rate, given_back: AtomicU32::new(0) }
}

fn take(bucket: &Bucket, limit: &'static str, per_minute: NonZeroU32) -> Result<(), TooMany> {
    let one_less = |count: u32| count.checked_sub(1);
    if bucket.given_back.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
        return Ok(());
    }
    match bucket.rate.check() {
        Ok(_) => Ok(()),
        Err(not_until) => {
            let wait = not_until.wait_time_from(bucket.rate.clock().now());
            Err(TooMany(RateLimit { limit, allowed: per_minute.get(), wait }))
        }
    }
}

/// The address of the client: the peer's, or behind trusted proxies the last address in `X-Forwarded-For` that is not a
/// trusted proxy's. Clients can write that header too, so entries before that address are ignored.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let trusted = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    if !trusted(&peer) {
        return peer;
    }
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let mut last = peer;
    for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Ok(address) = text.trim().parse::<IpAddr>() else { return last };
        last = address.to_canonical();
        if !trusted(&last) {
            return last;
        }
    }
    last
}

/// The network of an IPv6 address. One household has 2^64 addresses, so they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked(peer: &str, forwarded: &[&'static str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let proxies: Vec<IpNet> = proxies.iter().filter_map(|net| net.parse().ok()).collect();
        let peer = peer.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        client(peer, &headers, &proxies).to_string()
    }

    #[test]
    fn what_a_stranger_says_of_his_address_counts_for_nothing() {
        assert_eq!(asked("203.0.113.9", &["10.0.0.1"], &[]), "203.0.113.9");
        assert_eq!(asked("203.0.113.9", &["10.0.0.1"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(asked("10.0.0.1", &["1.1.1.1, 203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(asked("10.0.0.1", &["1.1.1.1", "203.0.113.9, 10.0.0.2"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(asked("10.0.0.1", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(asked("::ffff:10.0.0.1", &["203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn a_place_that_is_given_back_is_taken_again() {
        let limits = Limits::new(&LimitOptions { requests_address: 2, ..LimitOptions::default() }).expect("limits");
        let (parts, ()) = http::Request::new(()).into_parts();
        for _ in 0..50 {
            limits.stranger_place(&parts).expect("a place").give_back();
        }
        assert!(limits.count_stranger(&parts).is_ok() && limits.count_stranger(&parts).is_ok());
        assert!(limits.stranger_place(&parts).is_err());
    }

    #[test]
    fn a_household_is_one() {
        let one = |text: &str| text.parse().map(network);
        assert_eq!(one("2001:db8::1"), one("2001:db8::ffff:1"));
        assert_ne!(one("2001:db8::1"), one("2001:db8:0:1::1"));
    }

    #[test]
    fn a_bucket_empties_and_callers_do_not_share_one() {
        let per_minute = NonZeroU32::MIN.saturating_add(2);
        let buckets = Buckets { limit: "x", per_minute, by_caller: Cache::new(10) };
        let (one, two) = (BucketKey::User(Uuid::from_u128(1)), BucketKey::User(Uuid::from_u128(2)));
        assert!((0..3).all(|_| buckets.take(one).is_ok()));
        assert!(
            buckets.take(one).is_err_and(|refused| refused.0.allowed == 3 && refused.0.wait > Duration::from_secs(1))
        );
        assert!(buckets.take(two).is_ok());
        // Many names push the oldest bucket out, not the memory up.
        (0..1_000).for_each(|n| assert!(buckets.take(BucketKey::User(Uuid::from_u128(n + 3))).is_ok()));
        assert!(buckets.by_caller.len() <= 10);
    }
}
