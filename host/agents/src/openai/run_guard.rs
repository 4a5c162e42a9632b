//! A run that ends with its request.

use std::sync::Arc;

use behalf_identity::Principal;
use behalf_web::ApiError;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::run::{CancelOnDrop, RunControl, RunRequest, RunStarter, StartError, StartedRun};

/// A run that ends with its request: dropped before [`RunGuard::disarm`], it is cancelled.
#[derive(Debug)]
pub(super) struct RunGuard {
    run: StartedRun,
    cancel: CancelOnDrop,
}

impl RunGuard {
    /// Begins a run. A client that goes away meanwhile leaves none behind either.
    pub(super) async fn start(
        starter: &Arc<RunStarter>,
        control: &RunControl,
        principal: &Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
    ) -> Result<Self, Refusal> {
        let (starter, control, principal) = (Arc::clone(starter), control.clone(), Arc::clone(principal));
        let (to, begun) = oneshot::channel();
        tokio::spawn(async move {
            let guard = starter.start(&principal, agent, request).await.map(|run| {
                let cancel = CancelOnDrop::new(control, principal, run.run_id.clone());
                Self { run, cancel }
            });
            // Where nobody takes it any more it is dropped right here.
            to.send(guard).ok();
        });
        match begun.await {
            Ok(Ok(guard)) => Ok(guard),
            Ok(Err(StartError::Agent)) => Err(Refusal::no_model()),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(ApiError::internal(error).into()),
        }
    }

    /// The run.
    pub(super) fn run(&self) -> &StartedRun {
        &self.run
    }

    /// The run is over: there is nothing to cancel.
    pub(super) fn disarm(&mut self) {
        self.cancel.disarm();
    }
}
