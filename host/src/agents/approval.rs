//! Asks somebody before a call is made. The question is a row: it survives the host, and any host may take the answer.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::calls::Caller;
use super::event::{ApprovalRequested, Event, storable};
use super::recorder::Gone;
use crate::db::{ApprovalRow, NewApproval};
use crate::models::ToolCall;

/// How soon an answer is seen that another host took.
const LOOK: Duration = Duration::from_millis(500);
/// Looks that may fail in a row; some half a minute.
const MAX_FAILURES: u32 = 60;

/// Wakes runs of this host that wait for an answer which came here.
#[derive(Debug, Default)]
pub(super) struct Answers(Notify);

impl Answers {
    pub(super) fn wake(&self) {
        self.0.notify_waiters();
    }
}

impl Caller<'_> {
    /// Waits for somebody's word on a call. The inner error is for the model.
    pub(super) async fn ask(&self, step: u32, call: &ToolCall, arguments: &Value) -> Result<Result<(), String>, Gone> {
        let _waiting = self.deadline.wait();
        let question = NewApproval {
            run_id: &self.hold.run_id,
            agent_id: self.agent_id,
            step: i32::try_from(step).unwrap_or(i32::MAX),
            call_id: &call.id,
            tool_name: &call.name,
            tool_input: &storable(arguments.clone()),
            message: &format!("The agent wants to call {}. Do you agree?", call.name),
            seconds: self.approval_timeout.as_secs_f64(),
        };
        let (asked, is_same) = self.agents.db.request_approval(self.principal, &question).await.map_err(|error| {
            tracing::warn!(run.id = %self.hold.run_id, error = %error, "cannot ask for an approval");
            Gone
        })?;
        // Somebody's word is for one call. A model that gives two calls one name does not get the second for the first.
        if !is_same {
            return Ok(Err("another call of this name was asked about; call again".to_owned()));
        }
        // Said again after a take-over: the host before may have died between the row and the event.
        self.recorder.record(requested(step, &asked)).await?;
        let answer = self.wait_for_answer(asked).await?;
        let approved = answer.status == "approved";
        self.recorder
            .record(Event::ApprovalResolved {
                step,
                approval_id: answer.id,
                tool_name: call.name.clone(),
                call_id: call.id.clone(),
                approved,
                status: answer.status.clone(),
                reason: answer.reason.clone(),
            })
            .await?;
        Ok(if approved { Ok(()) } else { Err(refusal(&answer)) })
    }

    async fn wait_for_answer(&self, mut row: ApprovalRow) -> Result<ApprovalRow, Gone> {
        let mut failures = 0;
        while row.status == "pending" {
            tokio::time::timeout(LOOK, self.agents.answers.0.notified()).await.ok();
            match self.agents.db.settle_approval(self.principal, row.id).await {
                Ok(Some(found)) => (row, failures) = (found, 0),
                Ok(None) => return Err(Gone),
                Err(error) if failures == MAX_FAILURES => {
                    tracing::warn!(run.id = %self.hold.run_id, error = %error, "cannot read an approval");
                    return Err(Gone);
                }
                Err(_) => failures += 1,
            }
        }
        Ok(row)
    }
}

fn requested(step: u32, row: &ApprovalRow) -> Event {
    Event::ApprovalRequested(Box::new(ApprovalRequested {
        step,
        approval_id: row.id,
        tool_name: row.tool_name.clone(),
        call_id: row.call_id.clone(),
        tool_input: row.tool_input.clone(),
        message: row.message.clone(),
        expires_at: row.expires_at.clone(),
    }))
}

fn refusal(row: &ApprovalRow) -> String {
    match (row.status.as_str(), &row.reason) {
        ("denied", Some(reason)) => format!("the user did not agree to this call: {reason}"),
        ("denied", None) => "the user did not agree to this call".to_owned(),
        _ => "nobody agreed to this call in time".to_owned(),
    }
}
