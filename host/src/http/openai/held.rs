use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::shape::Refusal;
use crate::agents::{Agents, RunRequest, StartError, StartedRun};
use crate::identity::Principal;

/// A run that ends with whoever asked for it: dropped before [`Held::over`], it is cancelled.
#[derive(Debug)]
pub(super) struct Held {
    agents: Arc<Agents>,
    principal: Arc<Principal>,
    run: StartedRun,
    over: bool,
}

impl Held {
    /// Begins a run. A client that goes away meanwhile leaves none behind either.
    pub(super) async fn start(
        agents: &Arc<Agents>,
        principal: &Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
    ) -> Result<Self, Refusal> {
        let (agents, principal) = (Arc::clone(agents), Arc::clone(principal));
        let (to, begun) = oneshot::channel();
        tokio::spawn(async move {
            let run = agents.start(&principal, agent, request).await;
            // Where nobody takes it any more it is dropped right here.
            to.send(run.map(|run| Self { agents, principal, run, over: false })).ok();
        });
        match begun.await {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(StartError::Agent)) => Err(Refusal::no_model()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Refusal::from(crate::http::ApiError::Internal("the task that begins a run ended".into()))),
        }
    }

    pub(super) fn run(&self) -> &StartedRun {
        &self.run
    }

    /// The run needs nobody to look after it any more.
    pub(super) fn over(&mut self) {
        self.over = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (agents, principal, run_id) =
            (Arc::clone(&self.agents), Arc::clone(&self.principal), self.run.run_id.clone());
        tokio::spawn(async move {
            if let Err(error) = agents.cancel(&principal, &run_id).await {
                tracing::warn!(run.id = %run_id, error = %error, "cannot cancel a run whose client went away");
            }
        });
    }
}
