//! Asks somebody before a call is made. The question is a row: it outlives the host, and any host may take the answer.

use std::time::Duration;

use behalf_models::ToolCall;
use behalf_problem::LogText as _;
use serde_json::Value;

use super::error::LeaseLost;
use super::event::{ApprovalRequested, Event};
use super::leased_run::LeasedRun;
use super::work::RunWork;
use crate::store::{Approval, ApprovalStore, NewApproval};
use crate::text::storable;

/// How long it waits after a look that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// Looks that may fail in a row; some half a minute.
const MAX_FAILURES: u32 = 60;

/// Asks for approvals in the name of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApprovalRequester<'a> {
    /// The table of approvals.
    pub(crate) approvals: &'a ApprovalStore,
    /// The run.
    pub(crate) run: &'a LeasedRun,
    /// What its steps share.
    pub(crate) work: &'a RunWork<'a>,
    /// How long it waits for somebody.
    pub(crate) timeout: Duration,
}

impl ApprovalRequester<'_> {
    /// Waits until somebody agrees to a call or refuses it. The inner error is the refusal, in words for the model.
    pub(crate) async fn ask(
        &self,
        step: u32,
        call: &ToolCall,
        arguments: &Value,
    ) -> Result<Result<(), String>, LeaseLost> {
        let _waiting = self.work.deadline.wait();
        let question = NewApproval {
            run_id: self.run.id(),
            agent_id: self.run.agent_id,
            step: i32::try_from(step).unwrap_or(i32::MAX),
            call_id: &call.id,
            tool_name: &call.name,
            tool_input: &storable(arguments.clone()),
            message: &format!("The agent wants to call {}. Do you agree?", call.name),
            seconds: self.timeout.as_secs_f64(),
        };
        let (asked, is_same) = self.approvals.request(&self.run.principal, &question).await.map_err(|error| {
            tracing::warn!(run.id = %self.run.id(), error = error.log_text(), "cannot ask for an approval");
            LeaseLost
        })?;
        // A decision is for one call. A model that gives two calls one name does not get the second for the first.
        if !is_same {
            return Ok(Err("another call of this name was asked about; call again".to_owned()));
        }
        // Recorded again where the run is resumed: the earlier host may have died between the row and the event.
        self.work.record(requested(step, &asked)).await?;
        let decided = self.work.place.aside(self.wait_for_decision(asked)).await?;
        let approved = decided.status == "approved";
        self.work
            .record(Event::ApprovalResolved {
                step,
                approval_id: decided.id,
                tool_name: call.name.clone(),
                call_id: call.id.clone(),
                approved,
                status: decided.status.clone(),
                reason: decided.reason.clone(),
            })
            .await?;
        Ok(if approved { Ok(()) } else { Err(refusal(&decided)) })
    }

    /// Waits for a decision. Meanwhile the database is asked only when something was told of the run.
    async fn wait_for_decision(&self, approval: Approval) -> Result<Approval, LeaseLost> {
        let mut follower = self.approvals.follow(self.run.id());
        let mut failures = 0;
        loop {
            follower.mark_seen();
            match self.approvals.settle(&self.run.principal, approval.id).await {
                Ok(Some((found, left))) if found.status == "pending" => {
                    failures = 0;
                    tokio::time::timeout(left, follower.changed()).await.ok();
                }
                Ok(Some((found, _))) => return Ok(found),
                Ok(None) => return Err(LeaseLost),
                Err(error) if failures == MAX_FAILURES => {
                    tracing::warn!(run.id = %self.run.id(), error = error.log_text(), "cannot read an approval");
                    return Err(LeaseLost);
                }
                Err(_) => {
                    failures += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn requested(step: u32, approval: &Approval) -> Event {
    Event::ApprovalRequested(Box::new(ApprovalRequested {
        step,
        approval_id: approval.id,
        tool_name: approval.tool_name.clone(),
        call_id: approval.call_id.clone(),
        tool_input: approval.tool_input.clone(),
        message: approval.message.clone(),
        expires_at: approval.expires_at.clone(),
    }))
}

fn refusal(approval: &Approval) -> String {
    match (approval.status.as_str(), &approval.reason) {
        ("denied", Some(reason)) => format!("the user did not agree to this call: {reason}"),
        ("denied", None) => "the user did not agree to this call".to_owned(),
        _ => "nobody agreed to this call in time".to_owned(),
    }
}
