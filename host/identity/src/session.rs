//! Whether the session of a token still exists.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use behalf_problem::LogText as _;
use futures::future::BoxFuture;
use tokio::time::Instant;
use uuid::Uuid;

use super::verify_error::VerifyError;

/// For how long an answer of the store counts: the bound within which a host hears of an end that nobody told it of.
const MAX_AGE: Duration = Duration::from_mins(1);

/// How long the store may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Ended sessions that are remembered; the store is asked of older ones. An entry has 32 bytes.
const REMEMBERED: usize = 100_000;

/// For how long an ended session is remembered: longer than access tokens usually live.
const REMEMBER: Duration = Duration::from_hours(24);

/// Dead entries are looked for when there are this many entries, and then at each doubling.
const SWEEP_AT: usize = 1_024;

/// Knows the sessions of this host's own users.
pub trait SessionStore: std::fmt::Debug + Send + Sync {
    /// Whether this session of this user exists and has not ended; also true for users who are not this host's, because other services
    /// may sign with the same secret.
    fn is_live(
        &self,
        session: Uuid,
        user: Uuid,
    ) -> BoxFuture<'_, Result<bool, Box<dyn std::error::Error + Send + Sync>>>;
}

/// What this process knows of sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    store: Arc<dyn SessionStore>,
    started: Instant,
    /// Counts how often everything was forgotten.
    epoch: Arc<AtomicU64>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Each session of which a token is in use here. Whoever has such a token holds the session, so an end reaches all of them.
    held: HashMap<Uuid, Weak<Session>>,
    sweep_at: usize,
    ended: HashSet<Uuid>,
    /// The ended ones in the order of their ends.
    order: VecDeque<(Instant, Uuid)>,
}

/// One session. Tokens of the same session share it.
#[derive(Debug)]
pub(super) struct Session {
    id: Uuid,
    user: Uuid,
    ended: AtomicBool,
    /// When the store was asked whose answer counts, in milliseconds since the start and one more; 0 before the first answer.
    asked_at: AtomicU64,
    /// The epoch in which the store was asked.
    asked_in: AtomicU64,
    /// When the store last failed, counted alike.
    failed_at: AtomicU64,
    /// Held while the store is asked, so that many requests of a session ask once.
    asking: tokio::sync::Mutex<()>,
}

impl Sessions {
    pub(super) fn new(store: Arc<dyn SessionStore>) -> Self {
        Self { store, started: Instant::now(), epoch: Arc::default(), known: Mutex::default() }
    }

    /// The session of this id, to hold while a token of it is in use.
    pub(super) fn hold(&self, id: Uuid, user: Uuid) -> Arc<Session> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = known.held.get(&id).and_then(Weak::upgrade) {
            return session;
        }
        let session = Arc::new(Session {
            id,
            user,
            ended: AtomicBool::new(known.ended.contains(&id)),
            asked_at: AtomicU64::new(0),
            asked_in: AtomicU64::new(0),
            failed_at: AtomicU64::new(0),
            asking: tokio::sync::Mutex::default(),
        });
        if known.held.len() >= known.sweep_at.max(SWEEP_AT) {
            known.held.retain(|_, session| session.strong_count() > 0);
            known.sweep_at = known.held.len().saturating_mul(2);
        }
        known.held.insert(id, Arc::downgrade(&session));
        session
    }

    /// Refuses the tokens of this session from now on.
    pub(super) fn end(&self, id: Uuid) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = known.held.get(&id).and_then(Weak::upgrade) {
            session.ended.store(true, Ordering::Release);
        }
        if known.ended.insert(id) {
            known.order.push_back((Instant::now(), id));
        }
        while let Some((ended, oldest)) = known.order.front().copied() {
            if known.order.len() <= REMEMBERED && ended.elapsed() < REMEMBER {
                break;
            }
            known.order.pop_front();
            known.ended.remove(&oldest);
        }
    }

    /// Asks the store anew of every session that is used from now on: ends may have been missed.
    pub(super) fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Lets a token of this session pass. Waits only where the store has to be asked.
    pub(super) async fn check(&self, session: &Session) -> Result<(), VerifyError> {
        match self.glance(session) {
            Some(verdict) => verdict,
            None => self.ask(session).await,
        }
    }

    /// What is known without a wait.
    fn glance(&self, session: &Session) -> Option<Result<(), VerifyError>> {
        if session.ended.load(Ordering::Acquire) {
            return Some(Err(VerifyError::SessionEnded));
        }
        let asked_at = session.asked_at.load(Ordering::Acquire);
        let is_fresh = asked_at > 0
            && self.now().saturating_sub(asked_at) < millis(MAX_AGE)
            && session.asked_in.load(Ordering::Acquire) == self.epoch.load(Ordering::Acquire);
        is_fresh.then_some(Ok(()))
    }

    async fn ask(&self, session: &Session) -> Result<(), VerifyError> {
        let came = self.now();
        let _asking = session.asking.lock().await;
        if let Some(verdict) = self.glance(session) {
            return verdict;
        }
        // Whoever waited while the store failed does not wait for it again.
        if session.failed_at.load(Ordering::Acquire) >= came {
            return Err(VerifyError::SessionsUnavailable);
        }
        // Both from before the question: what happens while it is answered may be missing in the answer.
        let (epoch, asked_at) = (self.epoch.load(Ordering::Acquire), self.now());
        match tokio::time::timeout(DEADLINE, self.store.is_live(session.id, session.user)).await {
            Ok(Ok(true)) => {
                session.asked_in.store(epoch, Ordering::Release);
                session.asked_at.store(asked_at, Ordering::Release);
                // The end may have been told while the store was asked.
                if session.ended.load(Ordering::Acquire) { Err(VerifyError::SessionEnded) } else { Ok(()) }
            }
            Ok(Ok(false)) => {
                self.end(session.id);
                session.ended.store(true, Ordering::Release);
                Err(VerifyError::SessionEnded)
            }
            Ok(Err(error)) => {
                tracing::error!(error = error.log_text(), "cannot look a session up");
                session.failed_at.store(self.now(), Ordering::Release);
                Err(VerifyError::SessionsUnavailable)
            }
            Err(_) => {
                tracing::error!("looking a session up took too long");
                session.failed_at.store(self.now(), Ordering::Release);
                Err(VerifyError::SessionsUnavailable)
            }
        }
    }

    /// Milliseconds since the start, and one more.
    fn now(&self) -> u64 {
        millis(self.started.elapsed()).saturating_add(1)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A store whose answers a test sets.
    #[derive(Debug, Default)]
    struct Fake {
        live: AtomicBool,
        fails: AtomicBool,
        asked: AtomicUsize,
        /// Answers come after a permit.
        slow: Option<tokio::sync::Semaphore>,
    }

    impl SessionStore for Fake {
        fn is_live(&self, _: Uuid, _: Uuid) -> BoxFuture<'_, Result<bool, Box<dyn std::error::Error + Send + Sync>>> {
            Box::pin(async move {
                self.asked.fetch_add(1, Ordering::SeqCst);
                let live = self.live.load(Ordering::SeqCst);
                if let Some(slow) = &self.slow {
                    slow.acquire().await.expect("it is open").forget();
                }
                if self.fails.load(Ordering::SeqCst) { Err("the database is away".into()) } else { Ok(live) }
            })
        }
    }

    fn sessions(fake: Fake) -> (Arc<Sessions>, Arc<Fake>) {
        let fake = Arc::new(fake);
        (Arc::new(Sessions::new(Arc::clone(&fake) as Arc<dyn SessionStore>)), fake)
    }

    fn live() -> Fake {
        Fake { live: AtomicBool::new(true), ..Fake::default() }
    }

    const USER: Uuid = Uuid::from_u128(1);
    const ID: Uuid = Uuid::from_u128(7);

    #[tokio::test(start_paused = true)]
    async fn the_store_is_asked_once_in_a_minute_and_an_end_holds_at_once() {
        let (sessions, fake) = sessions(live());
        let session = sessions.hold(ID, USER);
        for _ in 0..3 {
            assert!(sessions.check(&session).await.is_ok());
        }
        assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
        fake.live.store(false, Ordering::SeqCst);
        tokio::time::advance(MAX_AGE).await;
        assert!(matches!(sessions.check(&session).await, Err(VerifyError::SessionEnded)), "nobody told of the end");
        fake.live.store(true, Ordering::SeqCst);
        let other = sessions.hold(Uuid::from_u128(8), USER);
        assert!(sessions.check(&other).await.is_ok());
        sessions.end(Uuid::from_u128(8));
        assert!(matches!(sessions.check(&other).await, Err(VerifyError::SessionEnded)));
        drop(other);
        let again = sessions.hold(Uuid::from_u128(8), USER);
        assert!(matches!(sessions.check(&again).await, Err(VerifyError::SessionEnded)), "the end is remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_cannot_be_asked_accepts_nobody_and_is_asked_again() {
        let (sessions, fake) = sessions(live());
        fake.fails.store(true, Ordering::SeqCst);
        let session = sessions.hold(ID, USER);
        assert!(matches!(sessions.check(&session).await, Err(VerifyError::SessionsUnavailable)));
        fake.fails.store(false, Ordering::SeqCst);
        tokio::time::advance(Duration::from_millis(2)).await;
        assert!(sessions.check(&session).await.is_ok());
        sessions.forget();
        fake.fails.store(true, Ordering::SeqCst);
        tokio::time::advance(Duration::from_millis(2)).await;
        assert!(matches!(sessions.check(&session).await, Err(VerifyError::SessionsUnavailable)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_or_a_gap_while_the_store_answers_is_not_lost() {
        let (sessions, fake) = sessions(Fake { slow: Some(tokio::sync::Semaphore::new(0)), ..live() });
        let ask = |sessions: &Arc<Sessions>, session: &Arc<Session>| {
            let (sessions, session) = (Arc::clone(sessions), Arc::clone(session));
            tokio::spawn(async move { sessions.check(&session).await })
        };
        let give = |permits| fake.slow.as_ref().expect("it is slow").add_permits(permits);
        let session = sessions.hold(ID, USER);
        let (one, two) = (ask(&sessions, &session), ask(&sessions, &session));
        while fake.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        // The store said yes before the session ended, and the answer arrives afterwards.
        sessions.end(ID);
        give(1);
        assert!(matches!(one.await.expect("a verdict"), Err(VerifyError::SessionEnded)));
        assert!(matches!(two.await.expect("a verdict"), Err(VerifyError::SessionEnded)));
        assert_eq!(fake.asked.load(Ordering::SeqCst), 1, "who came second did not ask again");
        let session = sessions.hold(Uuid::from_u128(8), USER);
        let one = ask(&sessions, &session);
        while fake.asked.load(Ordering::SeqCst) == 1 {
            tokio::task::yield_now().await;
        }
        sessions.forget();
        give(2);
        assert!(one.await.expect("a verdict").is_ok());
        assert!(sessions.check(&session).await.is_ok());
        assert_eq!(fake.asked.load(Ordering::SeqCst), 3, "an answer from before the gap counts once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_store_does_not_hold_requests_up_one_after_another() {
        let (sessions, fake) = sessions(Fake { slow: Some(tokio::sync::Semaphore::new(0)), ..live() });
        let session = sessions.hold(ID, USER);
        let start = Instant::now();
        let all = futures::future::join_all((0..10).map(|_| sessions.check(&session))).await;
        assert!(all.iter().all(|one| matches!(one, Err(VerifyError::SessionsUnavailable))));
        assert!(start.elapsed() < DEADLINE * 2 && fake.asked.load(Ordering::SeqCst) == 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (sessions, _) = sessions(live());
        for id in 0..(REMEMBERED as u128 + 10) {
            sessions.end(Uuid::from_u128(id));
            drop(sessions.hold(Uuid::from_u128(id + 1_000_000), USER));
        }
        let known = sessions.known.lock().expect("nobody panicked");
        assert_eq!((known.ended.len(), known.order.len()), (REMEMBERED, REMEMBERED));
        assert!(known.held.len() <= SWEEP_AT, "{}", known.held.len());
    }
}
