//! The clock that interrupts guests, so that others get their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often a running guest lets others run, and how late a deadline may come.
pub(crate) const TICK: Duration = Duration::from_micros(250);

/// The same for guests that run on threads of their own, for minutes.
const SLOW_TICK: Duration = Duration::from_millis(10);

/// Ticks for which the clock goes on after the last guest, because waking its thread for each call would cost more.
const LINGER: u32 = 200;

/// Increments an engine's epoch while there are guests. It has a thread of the operating system, because guests may keep
/// every thread of a runtime busy. Clones share it; it ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct EpochClock(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    has_ended: AtomicBool,
    guests: AtomicUsize,
    is_parked: AtomicBool,
}

/// A guest that the clock ticks for until this is dropped.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<Handle>);

impl EpochClock {
    /// Starts the thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        Self::start_every(TICK, engine)
    }

    /// Starts the thread of a clock for guests whose deadlines may come later and that need let nobody else run.
    pub(crate) fn start_slow(engine: &Engine) -> std::io::Result<Self> {
        Self::start_every(SLOW_TICK, engine)
    }

    fn start_every(tick: Duration, engine: &Engine) -> std::io::Result<Self> {
        let (engine, shared) = (engine.weak(), Arc::<Shared>::default());
        let clock = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
            let mut idle = 0;
            while !clock.has_ended.load(Ordering::Relaxed) {
                if clock.guests.load(Ordering::SeqCst) > 0 {
                    idle = 0;
                } else if idle < LINGER {
                    idle += 1;
                } else {
                    clock.park();
                    idle = 0;
                    continue;
                }
                std::thread::sleep(tick);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(Self(Arc::new(Handle { shared, thread: thread.thread().clone() })))
    }

    /// Ticks for one more guest.
    pub(crate) fn tick(&self) -> Ticking {
        let Handle { shared, thread } = &*self.0;
        shared.guests.fetch_add(1, Ordering::SeqCst);
        if shared.is_parked.load(Ordering::SeqCst) && shared.is_parked.swap(false, Ordering::SeqCst) {
            thread.unpark();
        }
        Ticking(Arc::clone(&self.0))
    }
}

impl Shared {
    /// Sleeps until there is a guest or the clock ends. Whoever adds a guest after the last look sees that the clock is parked.
    fn park(&self) {
        self.is_parked.store(true, Ordering::SeqCst);
        while self.guests.load(Ordering::SeqCst) == 0
            && self.is_parked.load(Ordering::SeqCst)
            && !self.has_ended.load(Ordering::SeqCst)
        {
            std::thread::park();
        }
        self.is_parked.store(false, Ordering::SeqCst);
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.shared.guests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}
