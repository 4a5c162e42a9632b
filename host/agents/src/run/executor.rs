//! Makes the tool calls that a model asks for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_contracts::{CallContext, ContentBlock, content_blocks};
use behalf_models::{Message, ToolCall};
use behalf_problem::{LogText as _, Problem as _};
use behalf_sandbox::{Progress, Report};
use behalf_schema::inexact_number;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::approval::ApprovalRequester;
use super::environment::RunEnvironment;
use super::error::LeaseLost;
use super::event::{Event, ToolResult};
use super::leased_run::LeasedRun;
use super::records::{CallRecord, JournalEntry};
use super::search_quoter::SearchQuoter;
use super::spec::RunSpec;
use super::subagent::{SubagentCaller, SubagentStarter};
use super::tool_answer::ToolAnswer;
use super::transcript::Transcript;
use super::work::RunWork;
use crate::knowledge::KNOWLEDGE_SEARCH;
use crate::store::CommitOutcome;
use crate::text::{cut_bytes, cut_chars};
use crate::toolbox::{BoundTool, ToolTarget};

/// Characters of a result that a model reads.
pub(super) const MODEL_CHARS: usize = 50_000;
/// Bytes of a result in an event and in the run's row.
const SHOWN_BYTES: usize = 16 * 1024;
/// Characters of a result's preview.
const PREVIEW_CHARS: usize = 200;
/// Calls of one step at once; more would take the host's places from others.
const PARALLEL: usize = 8;
/// Reports of progress that wait to be recorded.
const REPORTS: usize = 16;
/// How often a transaction of a host that is gone is looked at.
const COMMIT_LOOK: Duration = Duration::from_millis(250);

/// What the model reads of a call whose host stopped after it was committed.
const SAVED: &str = "The host stopped while this call ran. What it changed is saved; only its answer was lost. Do not repeat it: \
    read back what you need.";
/// The same of a call of which it is not known whether it took effect.
const UNKNOWN: &str =
    "The host stopped while this call ran, and nobody knows whether it took effect. Do not repeat it: check first.";

/// Calls an agent's tools in the name of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToolExecutor<'a> {
    /// What all runs share.
    pub(crate) environment: &'a RunEnvironment,
    /// Begins runs of other agents.
    pub(crate) subagents: &'a dyn SubagentStarter,
    /// The run.
    pub(crate) run: &'a LeasedRun,
    /// Its tools, and how long it waits for approvals.
    pub(crate) spec: &'a RunSpec,
    /// What its steps share.
    pub(crate) work: &'a RunWork<'a>,
    /// What is left of its tokens.
    pub(crate) tokens_left: Option<u64>,
}

impl ToolExecutor<'_> {
    /// Makes the calls of one step: neighbours that only read at once, all others one after the other. Each result is written
    /// down before the next call is made.
    pub(crate) async fn call_all(
        &self,
        step: u32,
        calls: &[ToolCall],
        transcript: &mut Transcript,
    ) -> Result<(), LeaseLost> {
        let reads = |call: &ToolCall| self.spec.toolbox.may_run_beside_others(&call.name);
        for batch in calls.chunk_by(|a, b| reads(a) && reads(b)) {
            for few in batch.chunks(PARALLEL) {
                let mut running = FuturesOrdered::new();
                for call in few {
                    running.push_back(self.call(step, call));
                }
                while let Some(done) = running.next().await {
                    let entry = done?;
                    self.work.write(&entry).await?;
                    transcript.apply(entry);
                }
            }
        }
        Ok(())
    }

    async fn call(&self, step: u32, call: &ToolCall) -> Result<JournalEntry, LeaseLost> {
        let ToolCall { id: call_id, name: tool_name, arguments } = call.clone();
        self.work
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
        let meta = json!({ "call_id": answer.audit_id, "is_error": answer.is_error(), "status": answer.status, "truncated": shown.len() < answer.text.len() });
        let result = ToolResult {
            step,
            tool_name: tool_name.clone(),
            call_id: call_id.clone(),
            result_preview: cut_chars(&answer.text, PREVIEW_CHARS),
            result: shown.to_owned(),
            result_meta: meta,
            duration_ms,
        };
        self.work.record(Event::ToolResult(Box::new(result))).await?;
        let (status, is_error) = (answer.status, answer.is_error());
        let record = CallRecord { step, call_id, tool_name, arguments, result: shown.to_owned(), status, duration_ms };
        let content = for_model(shown_content(answer.text));
        let message = if is_error { Message::tool_failure(call, content) } else { Message::tool(call, content) };
        Ok(JournalEntry::Result {
            step,
            message,
            record,
            delegated_tokens: answer.delegated_tokens,
            quoted: answer.quoted,
        })
    }

    async fn answer(&self, step: u32, call: &ToolCall) -> Result<ToolAnswer, LeaseLost> {
        if let Err(refusal) = self.check_delegation().await {
            return Ok(ToolAnswer::failure(&refusal));
        }
        let found = self.spec.toolbox.find(&call.name);
        let (tool, arguments) = match found.and_then(|tool| Ok((tool, tool.arguments(call.arguments.clone())?))) {
            Ok(found) => found,
            Err(error) => return Ok(ToolAnswer::failure(&error)),
        };
        if self.work.was_begun(step, &call.id)
            && let Some(answer) = self.answer_of_begun(step, call, tool).await?
        {
            return Ok(answer);
        }
        if tool.needs_approval() {
            if let Err(refusal) = self.approval().ask(step, call, &arguments).await? {
                return Ok(ToolAnswer::failure(&refusal));
            }
            // It may have been taken back while the call waited.
            if let Err(refusal) = self.check_delegation().await {
                return Ok(ToolAnswer::failure(&refusal));
            }
        } else if self.has_expired() {
            return Ok(ToolAnswer::failure(&"The user's session has expired; ask them to sign in again"));
        }
        if !tool.info.effects.read_only() {
            self.work.write(&JournalEntry::Begun { step, call_id: call.id.clone() }).await?;
        }
        match tool.target {
            ToolTarget::Agent(agent) => self.subagent().ask(step, call, agent, &arguments).await,
            ToolTarget::Registered => self.call_registered(step, call, tool, arguments).await,
        }
    }

    /// Whether the token that the run was begun with has ended. The run may outlast it, and its tools must not, but for those that
    /// somebody approved: the approval came with a token that had not ended.
    fn has_expired(&self) -> bool {
        self.run.principal.expires_at().is_some_and(|end| end <= chrono::Utc::now().timestamp())
    }

    /// Whether the delegation still holds by which the run acts, if it acts by one.
    async fn check_delegation(&self) -> Result<(), &'static str> {
        match self.environment.accounting.delegation_is_valid(&self.run.principal).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("The user took back the permission for this; no tool can be called any more"),
            Err(error) => {
                tracing::warn!(error = error.log_text(), "cannot look a delegation up before a tool call");
                Err("the permission for this call cannot be checked right now")
            }
        }
    }

    async fn call_registered(
        &self,
        step: u32,
        call: &ToolCall,
        tool: &BoundTool,
        arguments: Value,
    ) -> Result<ToolAnswer, LeaseLost> {
        let context = CallContext {
            knowledge_bases: tool.scope.as_ref().map(|scope| Arc::clone(&scope.bases)),
            own_sources_only: self.spec.own_sources_only,
            ..self.run.call_context(step, &call.id)
        };
        let searched = (call.name == KNOWLEDGE_SEARCH).then(|| arguments.clone());
        let (to, mut reports) = mpsc::channel(REPORTS);
        let work = self.environment.tools.call(&self.run.principal, &call.name, arguments, context, Some(to));
        let show = async {
            while let Some(report) = reports.recv().await {
                // That events cannot be stored shows at the next one that matters.
                self.work.record(told(step, call, report)).await.ok();
            }
        };
        let (outcome, ()) = tokio::join!(work, show);
        let answer = match outcome {
            Ok(outcome) => ToolAnswer {
                text: outcome.result.get().to_owned(),
                audit_id: Some(outcome.call_id.to_string()),
                ..ToolAnswer::default()
            },
            Err(error) => ToolAnswer::failure(&error.detail()),
        };
        match searched {
            Some(arguments) if !answer.is_error() => self.finder().quote(answer, tool, &arguments).await,
            _ => Ok(answer),
        }
    }

    /// The answer to a call that an earlier host began and did not end; none where the call can be made again.
    async fn answer_of_begun(
        &self,
        step: u32,
        call: &ToolCall,
        tool: &BoundTool,
    ) -> Result<Option<ToolAnswer>, LeaseLost> {
        if tool.info.effects.read_only() || matches!(tool.target, ToolTarget::Agent(_)) {
            return Ok(None);
        }
        Ok(match self.commit_outcome(step, call).await? {
            CommitOutcome::Committed => Some(ToolAnswer { text: SAVED.to_owned(), ..ToolAnswer::default() }),
            _ if tool.info.effects.reaches_out() && !tool.is_idempotent() => Some(ToolAnswer::unknown(UNKNOWN)),
            _ => None,
        })
    }

    /// Waits until a call of an earlier host is committed or rolled back. That host can begin nothing new, because this one has
    /// the lease.
    async fn commit_outcome(&self, step: u32, call: &ToolCall) -> Result<CommitOutcome, LeaseLost> {
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        loop {
            match self.environment.journals.commit_outcome(self.run.id(), step, &call.id).await {
                Ok(CommitOutcome::Pending) => tokio::time::sleep(COMMIT_LOOK).await,
                Ok(outcome) => return Ok(outcome),
                Err(error) => {
                    tracing::warn!(run.id = %self.run.id(), error = error.log_text(), "cannot see how a call ended");
                    return Err(LeaseLost);
                }
            }
        }
    }

    fn finder(&self) -> SearchQuoter<'_> {
        SearchQuoter { handlers: &self.environment.handlers, run: self.run, work: self.work }
    }

    fn approval(&self) -> ApprovalRequester<'_> {
        ApprovalRequester {
            approvals: &self.environment.approvals,
            run: self.run,
            work: self.work,
            timeout: self.spec.budget.approval_timeout,
        }
    }

    fn subagent(&self) -> SubagentCaller<'_> {
        SubagentCaller {
            environment: self.environment,
            starter: self.subagents,
            run: self.run,
            work: self.work,
            tokens_left: self.tokens_left,
            own_sources_only: self.spec.own_sources_only,
        }
    }
}

/// The event of what a tool tells while its call goes on.
fn told(step: u32, call: &ToolCall, report: Report) -> Event {
    let (tool_name, call_id) = (call.name.clone(), call.id.clone());
    match report {
        Report::Progress(Progress { done, total, message, .. }) => {
            Event::ToolProgress { step, tool_name, call_id, done, total, message }
        }
        Report::Part(part) => {
            let (parts, bytes) = (vec![exact(&part.json)], part.json.len());
            Event::ToolPartial { step, tool_name, call_id, parts, bytes }
        }
    }
}

/// A JSON value; its text where a number in it would be rounded.
fn exact(json: &str) -> Value {
    let value = if inexact_number(json).is_none() { serde_json::from_str(json).ok() } else { None };
    value.unwrap_or_else(|| Value::String(json.to_owned()))
}

/// A result in MCP's own form as a text; any other as it is.
fn shown_content(text: String) -> String {
    // Most results are not, and need not be read.
    if !text.trim_start().starts_with("{\"content\"") {
        return text;
    }
    let blocks = serde_json::from_str(&text).ok().and_then(|result| content_blocks(&result));
    blocks.map_or(text, |blocks| blocks.iter().map(ContentBlock::to_words).collect::<Vec<_>>().join("\n\n"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_read_as_text_and_data_as_it_is() {
        let words =
            shown_content(r#"{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}"#.to_owned());
        assert_eq!(words, "a\n\nb");
        for data in [r#"{"content": "a"}"#, r#"{"content": [{"type": "text", "text": "a"}], "more": 1}"#, "[1]"] {
            assert_eq!(shown_content(data.to_owned()), data);
        }
    }

    #[test]
    fn a_part_with_a_number_that_would_be_rounded_is_a_text() {
        assert_eq!(exact(r#"{"a": 1.5}"#), json!({ "a": 1.5 }));
        assert_eq!(exact("12345678901234567.89"), json!("12345678901234567.89"));
    }

    #[test]
    fn a_long_result_is_cut_with_a_note() {
        assert_eq!(for_model("short".to_owned()), "short");
        let cut = for_model("ä".repeat(MODEL_CHARS + 1));
        assert!(cut.starts_with("ää") && cut.ends_with("of which 50000 are shown.]"));
        assert_eq!(cut.chars().filter(|c| *c == 'ä').count(), MODEL_CHARS);
    }
}
