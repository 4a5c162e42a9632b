//! The loop that lets a model call tools. There is one, whoever asks and however the answer is delivered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::Agents;
use super::calls::Caller;
use super::deadline::Deadline;
use super::error::RunError;
use super::event::{Complete, Event, storable, storable_text};
use super::journal::{Entry, Journal};
use super::live::{Place, Stop};
use super::plan::Plan;
use super::recorder::{Recorder, Writer};
use super::repetition::Repetition;
use super::transcript::{Transcript, usage_json};
use super::turn::{self, Turn};
use crate::db::{Hold, RunEnd};
use crate::identity::Principal;
use crate::models::{Message, ToolCall};
use crate::tools::CallContext;

/// Tries to store a run's end, with a pause that doubles each time. Afterwards its lease runs out, and another host goes on.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A run that is worked on. It has a task of its own and holds no database connection while it waits.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) agents: Arc<Agents>,
    pub(super) principal: Arc<Principal>,
    pub(super) plan: Plan,
    pub(super) context: CallContext,
    pub(super) hold: Hold,
    pub(super) depth: i32,
    pub(super) session_id: String,
    pub(super) is_new_session: bool,
    pub(super) history: Vec<Vec<Message>>,
    pub(super) question: Message,
    pub(super) earlier: Earlier,
}

/// What hosts before this one did of the run.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    pub(super) transcript: Transcript,
    /// Entries of the journal.
    pub(super) entries: usize,
    pub(super) worked: Duration,
    /// Whether there was such a host.
    pub(super) taken_over: bool,
}

/// What the steps of a run share.
struct Work<'a> {
    recorder: &'a Recorder,
    journal: &'a Journal,
    deadline: &'a Deadline,
    /// Calls that an earlier host began and did not end.
    begun: &'a [(u32, String)],
}

/// How a run ended.
#[derive(Debug)]
enum End {
    Completed,
    Cancelled,
    Failed(RunError),
}

/// Why this host works on a run no longer.
#[derive(Debug)]
enum Left {
    /// The run is over.
    Ended(End),
    /// This host stops; another one goes on.
    Released,
    /// Another host goes on already.
    Lost,
}

impl Driver {
    /// Works in a task of its own.
    pub(super) fn spawn(self, place: Place, stored: watch::Sender<i64>, stopped: watch::Receiver<Option<Stop>>) {
        tokio::spawn(self.run(place, stored, stopped));
    }

    /// Works until the run is over, then says so in its row. Leaves its place last: who waits for the run finds the row.
    async fn run(mut self, place: Place, stored: watch::Sender<i64>, stopped: watch::Receiver<Option<Stop>>) {
        let writer = Writer {
            db: self.agents.db.clone(),
            principal: Arc::clone(&self.principal),
            hold: self.hold.clone(),
            stored: stored.clone(),
        };
        let (recorder, writing) = Recorder::start(writer);
        let mut earlier = std::mem::take(&mut self.earlier);
        let mut transcript = std::mem::take(&mut earlier.transcript);
        let left = self.work(&recorder, stopped, &earlier, &mut transcript).await;
        drop(recorder);
        let written = writing.await;
        match left {
            Left::Lost => tracing::info!(run.id = %self.hold.run_id, "a run goes on at another host"),
            Left::Released => self.release().await,
            Left::Ended(end) => {
                if let Ok(Ok(last)) = written {
                    self.close(&end, transcript, last, &stored).await;
                } else {
                    tracing::warn!(run.id = %self.hold.run_id, "a run was given up: it is another host's, gone, or out of reach");
                }
            }
        }
        drop((stored, place));
    }

    async fn work(
        &self,
        recorder: &Recorder,
        mut stopped: watch::Receiver<Option<Stop>>,
        earlier: &Earlier,
        transcript: &mut Transcript,
    ) -> Left {
        let begun = std::mem::take(&mut transcript.begun);
        let limit = self.plan.bounds.timeout;
        let deadline = Deadline::new(limit, earlier.worked);
        let (db, principal) = (self.agents.db.clone(), Arc::clone(&self.principal));
        let journal = Journal::new(db, principal, self.hold.clone(), earlier.entries);
        let work = Work { recorder, journal: &journal, deadline: &deadline, begun: &begun };
        tokio::select! {
            biased;
            stop = stopped.wait_for(Option::is_some) => match stop.ok().and_then(|stop| *stop) {
                Some(Stop::Cancelled) => Left::Ended(End::Cancelled),
                Some(Stop::HostStops) | None => Left::Released,
                Some(Stop::Lost) => Left::Lost,
            },
            () = deadline.passed() => Left::Ended(End::Failed(RunError::Timeout(limit))),
            steps = self.steps(&work, earlier.taken_over, transcript) => match steps {
                Ok(()) => Left::Ended(End::Completed),
                // Whatever keeps a run from being written down keeps its end from it as well.
                Err(RunError::Gone(_)) => Left::Lost,
                Err(error) => Left::Ended(End::Failed(error)),
            },
        }
    }

    async fn steps(&self, work: &Work<'_>, taken_over: bool, transcript: &mut Transcript) -> Result<(), RunError> {
        let max_steps = self.plan.bounds.max_steps;
        let mut repetition = Repetition::default();
        for message in &transcript.messages {
            if let Message::Assistant { tool_calls, .. } = message {
                tool_calls.iter().for_each(|call| repetition.note(call));
            }
        }
        let first = transcript.steps.last().map_or(1, |record| record.step.saturating_add(1));
        if taken_over {
            let open = transcript.open_turn();
            let step = open.as_ref().map_or(first, |turn| turn.step);
            work.recorder.record(Event::StepReset { step, reason: "another host goes on with this run" }).await?;
            if let Some(open) = open {
                self.call(work, open.step, &open.calls, transcript).await?;
                let done = Event::StepCompleted {
                    step: open.step,
                    finish_reason: json!(open.finish_reason),
                    has_tool_calls: true,
                };
                work.recorder.record(done).await?;
            }
        }
        for step in first..=max_steps {
            let is_last_step = step == max_steps;
            self.check_tokens(transcript)?;
            work.recorder.record(Event::StepStarted { step, is_last_step }).await?;
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

    fn check_tokens(&self, transcript: &Transcript) -> Result<(), RunError> {
        match self.plan.bounds.total_tokens {
            Some(most) if transcript.spent_tokens() >= most => {
                Err(RunError::OutOfTokens(transcript.spent_tokens(), most))
            }
            _ => Ok(()),
        }
    }

    /// Asks the model; where it fails and there is another one to go on with, asks that one, in this step and all that follow.
    async fn listen(
        &self,
        work: &Work<'_>,
        step: u32,
        withhold_tools: bool,
        transcript: &mut Transcript,
    ) -> Result<Turn, RunError> {
        let said: Vec<_> = std::iter::once(&self.question).chain(&transcript.messages).cloned().collect();
        let model = self.model(transcript).to_owned();
        let before = transcript.content.len();
        let answer = self.agents.models.chat(self.plan.ask(&model, &self.history, &said, withhold_tools));
        let error = match turn::listen(step, answer, work.recorder, transcript).await {
            Ok(turn) => return Ok(turn),
            Err(error) => error,
        };
        let other = self.plan.bounds.fallback_model.as_ref().filter(|other| **other != model);
        let Some((other, reason)) = other.zip(why_another(&error)) else { return Err(error) };
        if transcript.content.len() > before {
            transcript.content.truncate(before);
            work.recorder.record(Event::StepReset { step, reason: "the model failed" }).await?;
        }
        tracing::warn!(run.id = %self.hold.run_id, model.from = %model, model.to = %other, error = %reason, "a model failed; another goes on");
        work.recorder.record(Event::ModelFallback { step, from: model, to: other.clone(), reason }).await?;
        let entry = Entry::Fallback { model: other.clone() };
        self.write(work, std::slice::from_ref(&entry)).await?;
        transcript.apply(entry);
        let answer = self.agents.models.chat(self.plan.ask(other, &self.history, &said, withhold_tools));
        turn::listen(step, answer, work.recorder, transcript).await
    }

    fn model<'a>(&'a self, transcript: &'a Transcript) -> &'a str {
        transcript.fallback.as_deref().unwrap_or(&self.plan.model)
    }

    async fn write(&self, work: &Work<'_>, entries: &[Entry]) -> Result<(), RunError> {
        Ok(work.journal.write(entries, work.deadline.worked()).await?)
    }

    /// Takes the model's answer in and makes the calls it asks for.
    async fn take(
        &self,
        work: &Work<'_>,
        step: u32,
        turn: Turn,
        repetition: &mut Repetition,
        transcript: &mut Transcript,
    ) -> Result<(), RunError> {
        let Turn { text, calls, finish_reason, reasoning, usage, mut record } = turn;
        if let Some(call) = calls.iter().find(|call| repetition.is_too_often(call)) {
            return Err(RunError::RepeatedCall(call.name.chars().take(100).collect()));
        }
        let has_tool_calls = !calls.is_empty();
        record.has_tool_calls = has_tool_calls;
        let entry = Entry::Turn { text, calls: calls.clone(), reasoning, usage, record };
        if has_tool_calls {
            // The last answer is written with the run's end.
            self.write(work, std::slice::from_ref(&entry)).await?;
        }
        transcript.apply(entry);
        self.call(work, step, &calls, transcript).await?;
        work.recorder
            .record(Event::StepCompleted { step, finish_reason: json!(finish_reason), has_tool_calls })
            .await?;
        Ok(())
    }

    async fn call(
        &self,
        work: &Work<'_>,
        step: u32,
        calls: &[ToolCall],
        transcript: &mut Transcript,
    ) -> Result<(), RunError> {
        let bounds = &self.plan.bounds;
        let caller = Caller {
            agents: &self.agents,
            toolbox: &self.plan.toolbox,
            principal: &self.principal,
            context: &self.context,
            agent_id: self.plan.agent_id,
            hold: &self.hold,
            depth: self.depth,
            recorder: work.recorder,
            journal: work.journal,
            deadline: work.deadline,
            approval_timeout: bounds.approval_timeout,
            tokens_left: bounds.total_tokens.map(|most| most.saturating_sub(transcript.spent_tokens())),
            begun: work.begun,
        };
        Ok(caller.call_all(step, calls, transcript).await?)
    }

    /// Lets go of the run, so that another host need not wait for its lease to end.
    async fn release(&self) {
        match self.agents.db.release_run(&self.hold).await {
            Ok(()) => tracing::info!(run.id = %self.hold.run_id, "a run is left to the next host"),
            Err(error) => {
                tracing::warn!(run.id = %self.hold.run_id, error = %error, "cannot let go of a run; its lease runs out");
            }
        }
    }

    /// Stores the run's end and its last events, together.
    async fn close(&self, end: &End, transcript: Transcript, last_seq: i64, stored: &watch::Sender<i64>) {
        let model = self.model(&transcript).to_owned();
        let mut run_end = run_end(end, transcript, model);
        self.agents.db.price(&run_end.model.clone(), &mut run_end);
        let events = self.last_events(&run_end, last_seq + 1);
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            match self.agents.db.close_run(&self.principal, &self.hold, &run_end, last_seq + 1, &events).await {
                Ok(true) => {
                    metrics::counter!("behalf_runs_total", "status" => run_end.status).increment(1);
                    tracing::info!(run.id = %self.hold.run_id, run.status = run_end.status, "a run ended");
                    stored.send_replace(last_seq + i64::try_from(events.len()).unwrap_or(i64::MAX));
                    return;
                }
                Ok(false) => {
                    tracing::info!(run.id = %self.hold.run_id, "a run was over before its end could be stored");
                    return;
                }
                Err(error) => {
                    tracing::warn!(run.id = %self.hold.run_id, error = %error, "cannot store a run's end; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    fn last_events(&self, end: &RunEnd, first_seq: i64) -> Vec<Value> {
        let run_id = self.hold.run_id.clone();
        let before = match &end.error {
            Some(error) if end.status == "failed" => {
                Some(Event::Error { run_id, error: error.clone(), message: error.clone() })
            }
            None => Some(Event::Chunk { content: end.content.clone() }),
            Some(_) => None,
        };
        let complete = Event::Complete(Box::new(Complete {
            run_id: self.hold.run_id.clone(),
            session_id: self.session_id.clone(),
            context_handler_id: None,
            content: end.content.clone(),
            status: end.status,
            steps: end.steps.clone(),
            tool_calls: end.tool_calls.clone(),
            usage: end.usage.clone(),
            error: end.error.clone(),
            is_new_session: self.is_new_session,
            retrieved_items: self.plan.retrieved.clone(),
        }));
        let events = before.into_iter().chain([complete]);
        (first_seq..).zip(events).map(|(seq, event)| event.to_json(seq, chrono::Utc::now())).collect()
    }
}

/// Why another model might do better; none where the failure is the run's own.
fn why_another(error: &RunError) -> Option<String> {
    match error {
        RunError::Model(_) | RunError::CutOff => Some(error.to_string()),
        _ => None,
    }
}

fn run_end(end: &End, transcript: Transcript, model: String) -> RunEnd {
    let (status, error) = match end {
        End::Completed => ("completed", None),
        End::Cancelled => ("cancelled", Some("the run was cancelled".to_owned())),
        End::Failed(error) => ("failed", Some(error.to_string())),
    };
    let json = |value: Result<Value, serde_json::Error>| storable(value.unwrap_or_default());
    RunEnd {
        status,
        content: storable_text(transcript.content),
        output_messages: json(serde_json::to_value(&transcript.messages)),
        steps: json(serde_json::to_value(&transcript.steps)),
        tool_calls: json(serde_json::to_value(&transcript.tool_calls)),
        reasoning_steps: json(serde_json::to_value(&transcript.reasoning)),
        usage: usage_json(&transcript.usage),
        error,
        model,
    }
}
