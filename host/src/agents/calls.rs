use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Agents;
use super::deadline::Deadline;
use super::event::{Event, ToolResult};
use super::journal::{Entry, Journal};
use super::recorder::{Gone, Recorder};
use super::toolbox::{AgentTool, Kind, Toolbox};
use super::transcript::{CallRecord, CallStatus, Transcript};
use crate::db::{Hold, Trace};
use crate::identity::Principal;
use crate::models::{Message, ToolCall};
use crate::sandbox::Progress;
use crate::tools::CallContext;

/// Characters of a result that a model reads.
const MODEL_CHARS: usize = 50_000;
/// Bytes of a result in an event and in the run's row.
const SHOWN_BYTES: usize = 16 * 1024;
/// Characters of a result's preview.
const PREVIEW_CHARS: usize = 200;
/// Calls of one step at once; more would take the host's places from others.
const PARALLEL: usize = 8;
/// Reports that wait to be shown.
const REPORTS: usize = 16;
/// How often a transaction of a host that is gone is looked at.
const TRACE_PAUSE: Duration = Duration::from_millis(250);

/// Calls an agent's tools on behalf of one principal.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) agents: &'a Arc<Agents>,
    pub(super) toolbox: &'a Toolbox,
    pub(super) principal: &'a Arc<Principal>,
    pub(super) context: &'a CallContext,
    pub(super) agent_id: Uuid,
    pub(super) hold: &'a Hold,
    /// Runs above this one.
    pub(super) depth: i32,
    pub(super) recorder: &'a Recorder,
    pub(super) journal: &'a Journal,
    pub(super) deadline: &'a Deadline,
    pub(super) approval_timeout: Duration,
    pub(super) tokens_left: Option<u64>,
    /// Calls that an earlier host began and did not end.
    pub(super) begun: &'a [(u32, String)],
}

/// A tool's answer in words.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) failed: bool,
    pub(super) audit_id: Option<String>,
    pub(super) delegated_tokens: u64,
}

impl Answer {
    /// Why there is none, for the model.
    pub(super) fn failure(error: &dyn std::fmt::Display) -> Self {
        Self { text: format!("Error: {error}"), failed: true, ..Self::default() }
    }
}

impl Caller<'_> {
    /// Makes the calls of one step: neighbours that only read at once, all others one after the other. Each result is written
    /// down before the next call is made.
    pub(super) async fn call_all(
        &self,
        step: u32,
        calls: &[ToolCall],
        transcript: &mut Transcript,
    ) -> Result<(), Gone> {
        let reads = |call: &ToolCall| self.toolbox.may_run_beside_others(&call.name);
        for batch in calls.chunk_by(|a, b| reads(a) && reads(b)) {
            for few in batch.chunks(PARALLEL) {
                let mut running = FuturesOrdered::new();
                for call in few {
                    running.push_back(self.call(step, call));
                }
                while let Some(done) = running.next().await {
                    let entry = done?;
                    self.write(std::slice::from_ref(&entry)).await?;
                    transcript.apply(entry);
                }
            }
        }
        Ok(())
    }

    /// Writes down what the run did.
    pub(super) async fn write(&self, entries: &[Entry]) -> Result<(), Gone> {
        self.journal.write(entries, self.deadline.worked()).await
    }

    async fn call(&self, step: u32, call: &ToolCall) -> Result<Entry, Gone> {
        let (tool_name, call_id) = (call.name.clone(), call.id.clone());
        let arguments = call.arguments.clone();
        self.recorder
            .record(Event::ToolCall {
                step,
                tool_name: tool_name.clone(),
                arguments: arguments.clone(),
                call_id: call_id.clone(),
            })
            .await?;
        let started = Instant::now();
        // Boxed, because a guest's call is large and several may run at once.
        let answer = Box::pin(self.answer(step, call)).await?;
        let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
        let shown = cut_bytes(&answer.text, SHOWN_BYTES);
        let meta = json!({ "call_id": answer.audit_id, "is_error": answer.failed, "truncated": shown.len() < answer.text.len() });
        let result = ToolResult {
            step,
            tool_name: tool_name.clone(),
            call_id: call_id.clone(),
            result_preview: answer.text.chars().take(PREVIEW_CHARS).collect(),
            result: shown.to_owned(),
            result_meta: meta,
            duration_ms,
        };
        self.recorder.record(Event::ToolResult(Box::new(result))).await?;
        let status = if answer.failed { CallStatus::Error } else { CallStatus::Success };
        let record = CallRecord { step, call_id, tool_name, arguments, result: shown.to_owned(), status, duration_ms };
        let content = for_model(answer.text);
        let message = if answer.failed { Message::tool_failure(call, content) } else { Message::tool(call, content) };
        Ok(Entry::Result { step, message, record, delegated_tokens: answer.delegated_tokens })
    }

    async fn answer(&self, step: u32, call: &ToolCall) -> Result<Answer, Gone> {
        // A run may outlast the token it was begun with; the tools must not.
        if self.principal.expires_at().is_some_and(|end| end <= chrono::Utc::now().timestamp()) {
            return Ok(Answer::failure(&"The user's session has expired; ask them to sign in again"));
        }
        match self.agents.db.still_stands(self.principal).await {
            Ok(true) => {}
            Ok(false) => {
                return Ok(Answer::failure(
                    &"The user took back the permission for this; no tool can be called any more",
                ));
            }
            Err(error) => {
                tracing::warn!(error = %error, "cannot look a delegation up before a tool call");
                return Ok(Answer::failure(&"the permission for this call cannot be checked right now"));
            }
        }
        let found = self.toolbox.find(&call.name);
        let (tool, arguments) = match found.and_then(|tool| Ok((tool, tool.arguments(call.arguments.clone())?))) {
            Ok(found) => found,
            Err(error) => return Ok(Answer::failure(&error)),
        };
        if self.begun.iter().any(|(of, id)| *of == step && *id == call.id)
            && let Some(answer) = self.answer_of_begun(step, call, tool).await?
        {
            return Ok(answer);
        }
        if tool.needs_approval()
            && let Err(refusal) = self.ask(step, call, &arguments).await?
        {
            return Ok(Answer::failure(&refusal));
        }
        if !tool.info.read_only {
            self.write(&[Entry::Begun { step, call_id: call.id.clone() }]).await?;
        }
        match tool.kind {
            Kind::Agent(agent) => self.delegate(step, call, agent, &arguments).await,
            Kind::Registered => self.call_registered(step, call, arguments).await,
        }
    }

    async fn call_registered(&self, step: u32, call: &ToolCall, arguments: Value) -> Result<Answer, Gone> {
        let context = CallContext {
            step: Some(step),
            model_call_id: Some(call.id.clone()),
            hold: Some(self.hold.clone()),
            ..self.context.clone()
        };
        let (to, mut reports) = mpsc::channel(REPORTS);
        let work = self.agents.tools.call(self.principal, &call.name, arguments, context, Some(to));
        let show = async {
            while let Some(report) = reports.recv().await {
                // That events cannot be stored shows at the next one that matters.
                self.recorder.record(progress(step, call, report)).await.ok();
            }
        };
        let (outcome, ()) = tokio::join!(work, show);
        Ok(match outcome {
            Ok(outcome) => Answer {
                text: outcome.result.get().to_owned(),
                audit_id: Some(outcome.call_id.to_string()),
                ..Answer::default()
            },
            Err(error) => Answer::failure(&error),
        })
    }

    /// What to say of a call that an earlier host began and did not end; none where it can be made again.
    async fn answer_of_begun(&self, step: u32, call: &ToolCall, tool: &AgentTool) -> Result<Option<Answer>, Gone> {
        if tool.info.read_only || matches!(tool.kind, Kind::Agent(_)) {
            return Ok(None);
        }
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        let trace = loop {
            match self.agents.db.trace_of_call(&self.hold.run_id, step, &call.id).await {
                // The other host's server process still ends; this host's hold keeps it from beginning anything new.
                Ok(Trace::Pending) => tokio::time::sleep(TRACE_PAUSE).await,
                Ok(trace) => break trace,
                Err(error) => {
                    tracing::warn!(run.id = %self.hold.run_id, error = %error, "cannot see how a call ended");
                    return Err(Gone);
                }
            }
        };
        let note = match trace {
            Trace::Committed => {
                "The host stopped while this call ran. What it changed is saved; only its answer was lost. Do not repeat it: \
                 read back what you need."
            }
            _ if tool.info.reaches_out && !tool.is_idempotent() => {
                "The host stopped while this call ran, and nobody knows whether it took effect. Do not repeat it: check first."
            }
            _ => return Ok(None),
        };
        Ok(Some(Answer { text: note.to_owned(), ..Answer::default() }))
    }
}

fn progress(step: u32, call: &ToolCall, report: Progress) -> Event {
    let Progress { done, total, message } = report;
    Event::ToolProgress { step, tool_name: call.name.clone(), call_id: call.id.clone(), done, total, message }
}

/// A result as a model reads it.
fn for_model(text: String) -> String {
    let Some((end, _)) = text.char_indices().nth(MODEL_CHARS) else { return text };
    let cut = text.get(..end).unwrap_or_default();
    format!(
        "{cut}\n[The result was cut here: it has {} characters, of which {MODEL_CHARS} are shown.]",
        text.chars().count()
    )
}

/// The text's beginning, at a border between characters.
fn cut_bytes(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_result_is_cut_with_a_note() {
        assert_eq!(for_model("short".to_owned()), "short");
        let cut = for_model("ä".repeat(MODEL_CHARS + 1));
        assert!(cut.starts_with("ää") && cut.ends_with("of which 50000 are shown.]"));
        assert_eq!(cut.chars().filter(|c| *c == 'ä').count(), MODEL_CHARS);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut_bytes("aä", 2), "a");
        assert_eq!(cut_bytes("aä", 3), "aä");
        assert_eq!(cut_bytes("", 3), "");
    }
}
