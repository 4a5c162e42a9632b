//! The loop that lets a model call tools. There is one, whoever asks and however the answer is delivered.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use behalf_models::ToolCall;
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use serde_json::json;
use tokio::sync::watch;

use super::active_runs::{RunSlot, StopReason};
use super::closer::{RunCloser, RunOutcome};
use super::conversation::Conversation;
use super::counted::counted;
use super::deadline::Deadline;
use super::environment::RunEnvironment;
use super::error::RunError;
use super::event::Event;
use super::executor::ToolExecutor;
use super::journal::Journal;
use super::leased_run::LeasedRun;
use super::place::RunPlace;
use super::recorder::{Recorder, Writer};
use super::records::JournalEntry;
use super::repetition::Repetition;
use super::spec::RunSpec;
use super::subagent::SubagentStarter;
use super::transcript::Transcript;
use super::turn::{self, Turn};
use super::work::RunWork;
use crate::text::cut_chars;

/// Characters of a tool's name in an error.
const MAX_NAME_CHARS: usize = 100;

/// Works on one run. It has a task of its own and holds no database connection while it waits.
#[derive(Debug)]
pub(crate) struct Driver {
    /// What all runs share.
    pub(crate) environment: Arc<RunEnvironment>,
    /// Begins runs of other agents.
    pub(crate) subagents: Arc<dyn SubagentStarter>,
    /// The run.
    pub(crate) run: LeasedRun,
    /// What the run goes by.
    pub(crate) spec: RunSpec,
    /// What was said before.
    pub(crate) conversation: Conversation,
    /// What earlier hosts did of the run.
    pub(crate) earlier: EarlierWork,
}

/// What hosts before this one did of a run.
#[derive(Debug, Default)]
pub(crate) struct EarlierWork {
    /// What the run had done.
    pub(crate) transcript: Transcript,
    /// Entries of its journal.
    pub(crate) entries: usize,
    /// How long it had worked.
    pub(crate) worked: Duration,
    /// Whether there was such a host.
    pub(crate) is_resumed: bool,
}

/// Why this host works on a run no longer.
#[derive(Debug)]
enum Left {
    /// The run is over.
    Ended(RunOutcome),
    /// This host stops; another one resumes the run.
    Released,
    /// Another host has resumed the run already.
    LeaseLost,
}

impl Driver {
    /// Works until the run is over, then stores its end. Frees the slot last: a request that waits for the run then finds its end
    /// in the row.
    pub(crate) async fn drive(
        mut self,
        slot: RunSlot,
        stored: watch::Sender<i64>,
        stopped: watch::Receiver<Option<StopReason>>,
    ) {
        let _running = metric::RunningRun::begin();
        let writer = Writer {
            events: self.environment.events.clone(),
            principal: Arc::clone(&self.run.principal),
            lease: self.run.lease.clone(),
            stored: stored.clone(),
        };
        let (recorder, writing) = Recorder::start(writer);
        let mut earlier = std::mem::take(&mut self.earlier);
        let mut transcript = std::mem::take(&mut earlier.transcript);
        let left = self.work((&recorder, slot.place()), stopped, &earlier, &mut transcript).await;
        drop(recorder);
        let written = writing.await;
        let closer = RunCloser { environment: &self.environment, run: &self.run, spec: &self.spec };
        match (left, written) {
            (Left::LeaseLost, _) => tracing::info!(run.id = %self.run.id(), "a run goes on at another host"),
            (Left::Released, _) => closer.release().await,
            (Left::Ended(outcome), Ok(Ok(last_seq))) => {
                let model = self.model(&transcript).to_owned();
                if let Some(last_seq) = closer.close(&outcome, transcript, model, last_seq).await {
                    stored.send_replace(last_seq);
                }
            }
            (Left::Ended(_), _) => {
                tracing::warn!(run.id = %self.run.id(), "a run was given up: it is another host's, gone, or out of reach");
            }
        }
        drop((stored, slot));
    }

    async fn work(
        &self,
        (recorder, place): (&Recorder, &RunPlace),
        mut stopped: watch::Receiver<Option<StopReason>>,
        earlier: &EarlierWork,
        transcript: &mut Transcript,
    ) -> Left {
        let begun = std::mem::take(&mut transcript.begun);
        let limit = self.spec.budget.timeout;
        let deadline = Deadline::new(limit, earlier.worked);
        let (journals, principal) = (self.environment.journals.clone(), Arc::clone(&self.run.principal));
        let journal = Journal::new(journals, principal, self.run.lease.clone(), earlier.entries);
        let given = self.spec.quoted.iter().chain(&transcript.quoted).map(|passage| passage.number);
        let numbered = AtomicU32::new(given.chain(self.conversation.highest_number()).max().unwrap_or_default());
        let work =
            RunWork { recorder, journal: &journal, deadline: &deadline, place, begun: &begun, numbered: &numbered };
        tokio::select! {
            biased;
            stop = stopped.wait_for(Option::is_some) => match stop.ok().and_then(|stop| *stop) {
                Some(StopReason::Cancelled) => Left::Ended(RunOutcome::Cancelled),
                Some(StopReason::HostStops) | None => Left::Released,
                Some(StopReason::LeaseLost) => Left::LeaseLost,
            },
            () = deadline.passed() => Left::Ended(RunOutcome::Failed(RunError::Timeout(limit))),
            steps = self.steps(&work, earlier.is_resumed, transcript) => match steps {
                Ok(()) => Left::Ended(RunOutcome::Completed),
                // Whatever keeps events from being stored keeps the run's end from it as well.
                Err(RunError::LeaseLost(_)) => Left::LeaseLost,
                Err(error) => Left::Ended(RunOutcome::Failed(error)),
            },
        }
    }

    async fn steps(&self, work: &RunWork<'_>, is_resumed: bool, transcript: &mut Transcript) -> Result<(), RunError> {
        let max_steps = self.spec.budget.max_steps;
        let mut repetition = Repetition::of(&transcript.messages);
        let first = transcript.steps.last().map_or(1, |record| record.step.saturating_add(1));
        if is_resumed {
            self.resume(work, first, transcript).await?;
        }
        for step in first..=max_steps {
            let is_last_step = step == max_steps;
            self.check_tokens(transcript)?;
            work.record(Event::StepStarted { step, is_last_step }).await?;
            let mut turn = self.listen(work, step, is_last_step, transcript).await?;
            let wants_more = !turn.calls.is_empty();
            if is_last_step {
                // Tools were withheld; a model that asks for one all the same gets nothing more.
                turn.calls.clear();
            }
            self.take(work, step, turn, &mut repetition, transcript).await?;
            if !wants_more {
                return Ok(());
            }
        }
        if transcript.content.is_empty() { Err(RunError::OutOfSteps(max_steps)) } else { Ok(()) }
    }

    /// Tells clients that another host goes on, and makes the calls of the last turn that have no result.
    async fn resume(&self, work: &RunWork<'_>, next: u32, transcript: &mut Transcript) -> Result<(), RunError> {
        let open = transcript.open_turn();
        let step = open.as_ref().map_or(next, |turn| turn.step);
        work.record(Event::StepReset { step, reason: "another host goes on with this run" }).await?;
        if let Some(open) = open {
            self.call(work, open.step, &open.calls, transcript).await?;
            let finish_reason = json!(open.finish_reason);
            work.record(Event::StepCompleted { step: open.step, finish_reason, has_tool_calls: true }).await?;
        }
        Ok(())
    }

    fn check_tokens(&self, transcript: &Transcript) -> Result<(), RunError> {
        match self.spec.budget.total_tokens {
            Some(most) if transcript.spent_tokens() >= most => {
                Err(RunError::OutOfTokens(transcript.spent_tokens(), most))
            }
            _ => Ok(()),
        }
    }

    /// Asks the model; where it fails and there is another one to go on with, asks that one, in this step and all that follow.
    async fn listen(
        &self,
        work: &RunWork<'_>,
        step: u32,
        withhold_tools: bool,
        transcript: &mut Transcript,
    ) -> Result<Turn, RunError> {
        let Conversation { history, question } = &self.conversation;
        let said: Vec<_> = std::iter::once(question).chain(&transcript.messages).cloned().collect();
        let chat = |model: &str| self.environment.models.chat(self.spec.ask(model, history, &said, withhold_tools));
        let ask = |model: &str| counted(model, chat(model));
        let model = self.model(transcript).to_owned();
        let before = transcript.content.len();
        let error = match turn::listen(step, ask(&model), work.recorder, transcript).await {
            Ok(turn) => return Ok(turn),
            Err(error) => error,
        };
        let other = self.spec.budget.fallback_model.as_ref().filter(|other| **other != model);
        let Some((other, reason)) = other.zip(fallback_reason(&error)) else { return Err(self.failed(&model, error)) };
        if transcript.content.len() > before {
            transcript.content.truncate(before);
            work.record(Event::StepReset { step, reason: "the model failed" }).await?;
        }
        tracing::warn!(run.id = %self.run.id(), model.from = %model, model.to = %other, error = error.log_text(), "a model failed; another goes on");
        work.record(Event::ModelFallback { step, from: model, to: other.clone(), reason }).await?;
        let entry = JournalEntry::Fallback { model: other.clone() };
        work.write(&entry).await?;
        transcript.apply(entry);
        turn::listen(step, ask(other), work.recorder, transcript).await.map_err(|error| self.failed(other, error))
    }

    /// Tells the operator why a model gave no answer. A lost lease is no failure of the model's.
    fn failed(&self, model: &str, error: RunError) -> RunError {
        if !matches!(error, RunError::LeaseLost(_)) {
            tracing::warn!(run.id = %self.run.id(), model = %model, error = error.log_text(), "a model gave no answer");
        }
        error
    }

    fn model<'a>(&'a self, transcript: &'a Transcript) -> &'a str {
        transcript.fallback.as_deref().unwrap_or(&self.spec.model)
    }

    /// Takes the model's answer in and makes the calls that it asks for.
    async fn take(
        &self,
        work: &RunWork<'_>,
        step: u32,
        turn: Turn,
        repetition: &mut Repetition,
        transcript: &mut Transcript,
    ) -> Result<(), RunError> {
        let Turn { text, calls, finish_reason, reasoning, opaque, usage, mut record } = turn;
        if let Some(call) = calls.iter().find(|call| repetition.is_too_often(call)) {
            return Err(RunError::RepeatedCall(cut_chars(&call.name, MAX_NAME_CHARS)));
        }
        let has_tool_calls = !calls.is_empty();
        record.has_tool_calls = has_tool_calls;
        let entry = JournalEntry::Turn { text, calls: calls.clone(), reasoning, opaque, usage, record };
        if has_tool_calls {
            // The last answer is written with the run's end.
            work.write(&entry).await?;
        }
        transcript.apply(entry);
        self.call(work, step, &calls, transcript).await?;
        work.record(Event::StepCompleted { step, finish_reason: json!(finish_reason), has_tool_calls }).await?;
        Ok(())
    }

    async fn call(
        &self,
        work: &RunWork<'_>,
        step: u32,
        calls: &[ToolCall],
        transcript: &mut Transcript,
    ) -> Result<(), RunError> {
        let most = self.spec.budget.total_tokens;
        let executor = ToolExecutor {
            environment: &self.environment,
            subagents: &*self.subagents,
            run: &self.run,
            spec: &self.spec,
            work,
            tokens_left: most.map(|most| most.saturating_sub(transcript.spent_tokens())),
        };
        Ok(executor.call_all(step, calls, transcript).await?)
    }
}

/// Why another model might do better; none where the failure is the run's own.
fn fallback_reason(error: &RunError) -> Option<String> {
    match error {
        RunError::Model(_) | RunError::CutOff => Some(error.to_string()),
        _ => None,
    }
}
