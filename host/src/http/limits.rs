//! How often and how much at once. Requests are counted by this host; runs that go on at once by the database, so that all
//! hosts count together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ConnectInfo;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::config::{ConfigError, Settings};
use crate::identity::Principal;

/// Callers whose buckets are kept. Beyond it the least used are forgotten, which gives their owners a fresh start: a
/// stranger who had that many names would still meet the project's bucket.
const BUCKETS: usize = 20_000;

/// Why a request has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Which limit it met.
    pub limit: &'static str,
    /// How many are allowed: in a minute, or at once.
    pub allowed: u32,
    /// When to come back.
    pub wait: Duration,
}

impl std::fmt::Display for TooMany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "too many {}: {} are allowed; come back in {} s", self.limit, self.allowed, self.seconds())
    }
}

impl TooMany {
    /// Whole seconds to wait, at least one.
    fn seconds(&self) -> u64 {
        self.wait.as_secs().saturating_add(u64::from(self.wait.subsec_nanos() > 0)).max(1)
    }

    /// `Retry-After`, and how the limit stands.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(RETRY_AFTER, HeaderValue::from(self.seconds()));
        headers.insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(self.allowed));
        headers.insert(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(0_u16));
        headers.insert(HeaderName::from_static("ratelimit-reset"), HeaderValue::from(self.seconds()));
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

/// Whose bucket a request is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    User(Uuid),
    Address(IpAddr),
}

/// Buckets of one size, one for each caller.
struct Buckets {
    limit: &'static str,
    per_minute: NonZeroU32,
    by_caller: Cache<Who, Arc<Bucket>>,
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

/// Streams of events that are open, by user.
#[derive(Debug, Default)]
struct Streams {
    allowed: usize,
    open: Mutex<HashMap<Option<Uuid>, usize>>,
}

/// A place for a stream of events. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct StreamPlace {
    streams: Arc<Streams>,
    user: Option<Uuid>,
}

impl Limits {
    /// Reads the limits; zero means none.
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let buckets = |limit, per_minute| {
            NonZeroU32::new(per_minute).map(|per_minute| Buckets { limit, per_minute, by_caller: Cache::new(BUCKETS) })
        };
        let proxies = settings.trusted_proxies.iter().map(|text| {
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            net.map_err(|_| ConfigError::Value(format!("trusted_proxies: {text:?} is no address and no network")))
        });
        Ok(Self {
            project: NonZeroU32::new(settings.rate_limit_project).map(|rate| (rate, bucket(rate))),
            users: buckets("requests of this user", settings.rate_limit_user),
            runs: buckets("runs begun by this user", settings.rate_limit_runs),
            addresses: buckets("requests of this address", settings.rate_limit_anon),
            streams: Arc::new(Streams {
                allowed: usize::try_from(settings.concurrent_streams_user).unwrap_or(usize::MAX),
                open: Mutex::default(),
            }),
            proxies: proxies.collect::<Result<_, _>>()?,
        })
    }

    /// Counts a request of a caller whose token was verified.
    pub(super) fn count(&self, principal: &Principal, parts: &Parts) -> Result<(), TooMany> {
        match principal.subject() {
            Some(user) => self.users.as_ref().map_or(Ok(()), |buckets| buckets.take(Who::User(user)))?,
            // The service role is the project itself.
            None if principal.is_service() => {}
            None => self.count_stranger(parts)?,
        }
        let Some((rate, bucket)) = &self.project else { return Ok(()) };
        take(bucket, "requests of this project", *rate)
    }

    /// Counts a request of somebody unknown: by the address it comes from.
    pub(super) fn count_stranger(&self, parts: &Parts) -> Result<(), TooMany> {
        let Some(buckets) = &self.addresses else { return Ok(()) };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        // Without a peer, which only a broken set-up has, all share one bucket.
        let peer = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        buckets.take(Who::Address(network(client(peer, &parts.headers, &self.proxies))))
    }

    /// Counts a run that is about to begin.
    pub(super) fn count_run(&self, principal: &Principal) -> Result<(), TooMany> {
        let (Some(buckets), Some(user)) = (&self.runs, principal.subject()) else { return Ok(()) };
        buckets.take(Who::User(user))
    }

    /// Takes a place for a stream of events.
    pub(super) fn stream(&self, principal: &Principal) -> Result<StreamPlace, TooMany> {
        let (streams, user) = (Arc::clone(&self.streams), principal.subject());
        {
            let mut open = streams.open.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(user).or_default();
            if user.is_some() && streams.allowed > 0 && *count >= streams.allowed {
                let allowed = u32::try_from(streams.allowed).unwrap_or(u32::MAX);
                let wait = Duration::from_secs(1);
                return Err(TooMany { limit: "streams of events of this user at once", allowed, wait });
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
    fn take(&self, who: Who) -> Result<(), TooMany> {
        let made = self
            .by_caller
            .get_or_insert_with(&who, || Ok::<_, std::convert::Infallible>(Arc::new(bucket(self.per_minute))));
        let Ok(bucket) = made;
        take(&bucket, self.limit, self.per_minute)
    }
}

/// A minute's worth may come at once.
fn bucket(per_minute: NonZeroU32) -> Bucket {
    RateLimiter::direct_with_clock(Quota::per_minute(per_minute), MonotonicClock).with_middleware()
}

fn take(bucket: &Bucket, limit: &'static str, per_minute: NonZeroU32) -> Result<(), TooMany> {
    match bucket.check() {
        Ok(_) => Ok(()),
        Err(not_until) => {
            let wait = not_until.wait_time_from(bucket.clock().now());
            Err(TooMany { limit, allowed: per_minute.get(), wait })
        }
    }
}

/// Who really asks: the peer, or behind proxies that an operator trusts the last address that none of them has.
/// `X-Forwarded-For` is what anybody may write, so nothing of it counts that no trusted proxy added.
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

/// A household has 2^64 addresses of IPv6, so they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
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
    fn a_household_is_one() {
        let one = |text: &str| text.parse().map(network);
        assert_eq!(one("2001:db8::1"), one("2001:db8::ffff:1"));
        assert_ne!(one("2001:db8::1"), one("2001:db8:0:1::1"));
    }

    #[test]
    fn a_bucket_empties_and_callers_do_not_share_one() {
        let per_minute = NonZeroU32::MIN.saturating_add(2);
        let buckets = Buckets { limit: "x", per_minute, by_caller: Cache::new(10) };
        let (one, two) = (Who::User(Uuid::from_u128(1)), Who::User(Uuid::from_u128(2)));
        assert!((0..3).all(|_| buckets.take(one).is_ok()));
        assert!(buckets.take(one).is_err_and(|refused| refused.allowed == 3 && refused.wait > Duration::from_secs(1)));
        assert!(buckets.take(two).is_ok());
        // Many names push the oldest bucket out, not the memory up.
        (0..1_000).for_each(|n| assert!(buckets.take(Who::User(Uuid::from_u128(n + 3))).is_ok()));
        assert!(buckets.by_caller.len() <= 10);
    }
}
