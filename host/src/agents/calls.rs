use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use serde_json::json;
use tokio::sync::mpsc;

use super::event::{Event, ToolResult};
use super::recorder::{Gone, Recorder};
use super::toolbox::Toolbox;
use super::transcript::{CallRecord, Transcript};
use crate::db::Db;
use crate::identity::Principal;
use crate::models::{Message, ToolCall};
use crate::sandbox::Progress;
use crate::tools::{CallContext, Tools};

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

/// Calls an agent's tools on behalf of one principal.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) db: &'a Db,
    pub(super) tools: &'a Arc<Tools>,
    pub(super) toolbox: &'a Toolbox,
    pub(super) principal: &'a Arc<Principal>,
    pub(super) context: &'a CallContext,
    pub(super) recorder: &'a Recorder,
}

/// What a model learns of a call, and what clients do.
struct Done {
    message: Message,
    record: CallRecord,
}

/// A tool's answer in words.
struct Answer {
    text: String,
    failed: bool,
    audit_id: Option<String>,
}

impl Caller<'_> {
    /// Makes the calls of one step: neighbours that only read at once, all others one after the other.
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
                    let Done { message, record } = done?;
                    transcript.messages.push(message);
                    transcript.tool_calls.push(record);
                }
            }
        }
        Ok(())
    }

    async fn call(&self, step: u32, call: &ToolCall) -> Result<Done, Gone> {
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
        let answer = Box::pin(self.answer(step, call)).await;
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
        let status = if answer.failed { "error" } else { "success" };
        let record = CallRecord { step, call_id, tool_name, arguments, result: shown.to_owned(), status, duration_ms };
        let content = for_model(answer.text);
        let message = if answer.failed { Message::tool_failure(call, content) } else { Message::tool(call, content) };
        Ok(Done { message, record })
    }

    async fn answer(&self, step: u32, call: &ToolCall) -> Answer {
        let failed =
            |error: &dyn std::fmt::Display| Answer { text: format!("Error: {error}"), failed: true, audit_id: None };
        // A run may outlast the token it was begun with; the tools must not.
        if self.principal.expires_at().is_some_and(|end| end <= chrono::Utc::now().timestamp()) {
            return failed(&"The user's session has expired; ask them to sign in again");
        }
        match self.db.still_stands(self.principal).await {
            Ok(true) => {}
            Ok(false) => return failed(&"The user took back the permission for this; no tool can be called any more"),
            Err(error) => {
                tracing::warn!(error = %error, "cannot look a delegation up before a tool call");
                return failed(&"the permission for this call cannot be checked right now");
            }
        }
        let found = self.toolbox.find(&call.name);
        let arguments = match found.and_then(|tool| tool.arguments(call.arguments.clone())) {
            Ok(arguments) => arguments,
            Err(error) => return failed(&error),
        };
        let (to, mut reports) = mpsc::channel(REPORTS);
        let work = self.tools.call(self.principal, &call.name, arguments, self.context.clone(), Some(to));
        let show = async {
            while let Some(report) = reports.recv().await {
                // That events cannot be stored shows at the next one that matters.
                self.recorder.record(progress(step, call, report)).await.ok();
            }
        };
        let (outcome, ()) = tokio::join!(work, show);
        match outcome {
            Ok(outcome) => {
                let text = outcome.result.get().to_owned();
                Answer { text, failed: false, audit_id: Some(outcome.call_id.to_string()) }
            }
            Err(error) => failed(&error),
        }
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
