//! How a host stops. Balancers hear it first, and go on sending for a while; runs and jobs go to other hosts meanwhile; then
//! streams are told to come back, to another host.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use behalf_agents::Agents;
use behalf_queue::RunningWorkers;
use behalf_realtime::Realtime;
use behalf_sources::Sources;
use behalf_toolchain::stop_signal;

use super::front::Front;
use super::realtime;

/// How long requests may go on once the host accepts no more of them.
const GRACE: Duration = Duration::from_secs(10);

/// How long agents' runs may go on, and then as long again to be left to the next host.
const RUN_GRACE: Duration = Duration::from_secs(4);

/// Why a host stops, and how slowly.
#[derive(Clone, Copy, Debug)]
pub struct Stopping {
    why: &'static str,
    drain: Duration,
}

impl Stopping {
    /// It accepts no more requests from now on.
    pub fn at_once(why: &'static str) -> Self {
        Self::slowly(why, Duration::ZERO)
    }

    /// It says that it is not ready, and answers requests for `drain`, in which balancers notice.
    pub fn slowly(why: &'static str, drain: Duration) -> Self {
        Self { why, drain }
    }
}

/// Whether the host stops. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct IsStopping(Arc<AtomicBool>);

impl IsStopping {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What has to end.
pub(super) struct Work {
    pub(super) front: Front,
    pub(super) is_stopping: IsStopping,
    pub(super) agents: Arc<Agents>,
    pub(super) workers: RunningWorkers,
    pub(super) sources: Option<Sources>,
    pub(super) realtime: Option<Realtime>,
}

impl Work {
    /// Serves until `stop` is done or the server breaks, and then ends everything, within bounds.
    pub(super) async fn until_stopped(mut self, stop: impl Future<Output = Stopping>) -> io::Result<()> {
        let Stopping { why, drain } = tokio::select! {
            ended = self.front.ended() => {
                tracing::error!("the host stops, because its server broke");
                futures::join!(self.agents.shutdown(RUN_GRACE), self.workers.shutdown());
                return ended;
            }
            stopping = stop => stopping,
        };
        tracing::info!(
            reason = why,
            drain_ms = drain.as_millis(),
            "the host stops: it is not ready any more, begins no runs and jobs, and accepts no requests after the drain"
        );
        self.is_stopping.0.store(true, Ordering::Release);
        let Self { mut front, agents, workers, sources, realtime, .. } = self;
        // Streams of runs end with their runs, or when these are left to another host.
        let runs = agents.shutdown(RUN_GRACE);
        let requests = async move {
            if let Some(ended) = drained(&mut front, drain).await {
                return ended;
            }
            // Whoever comes back now finds another host.
            sources.iter().for_each(Sources::close_streams);
            futures::join!(front.close(GRACE), realtime::close(realtime)).0
        };
        let (closed, (), ()) = futures::join!(requests, runs, workers.shutdown());
        tracing::info!("the host has stopped serving");
        closed
    }
}

/// Serves on for so long, or until somebody asks a second time. Some where the server broke.
async fn drained(front: &mut Front, drain: Duration) -> Option<io::Result<()>> {
    if drain.is_zero() {
        return None;
    }
    tokio::select! {
        ended = front.ended() => Some(ended),
        () = tokio::time::sleep(drain) => None,
        _ = stop_signal() => None,
    }
}
