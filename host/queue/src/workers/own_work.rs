//! The host's own work, as a handler.

use std::error::Error;

use behalf_host_db::HostTx;
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::handler::{Done, Ended, Failure, Handler};
use crate::job::Job;
use crate::store::schedules;

type Work = Box<dyn Fn() -> BoxFuture<'static, Result<(), Box<dyn Error + Send + Sync>>> + Send + Sync>;

/// Work of the host's own.
pub(super) struct OwnWork {
    kind: &'static str,
    work: Work,
}

impl OwnWork {
    pub(super) fn new<F, T, E>(kind: &'static str, work: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        let work = move || {
            let work = work();
            async move { work.await.map_err(Into::into) }.boxed()
        };
        Self { kind, work: Box::new(work) }
    }

    async fn do_it(&self, job: &Job) -> Result<Done, Failure> {
        if let Err(error) = (self.work)().await {
            metric::job_failed(self.kind);
            tracing::warn!(job.name = self.kind, error = error.log_text(), "the host's own work failed; trying again");
            return Err(Failure::Retry(error));
        }
        job.finish(job.begin().await?).await
    }
}

impl Handler for OwnWork {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>> {
        self.do_it(job).boxed()
    }

    /// Of work that fails again and again, the last failure is enough to see.
    fn gave_up<'a>(&'a self, tx: &'a mut HostTx, _job: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        schedules::forget_failures(tx, self.kind).boxed()
    }
}
