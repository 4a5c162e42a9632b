//! The loop that lets a model call tools. There is one, whoever asks and however the answer is delivered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::calls::Caller;
use super::error::RunError;
use super::event::{Complete, Event, storable, storable_text};
use super::live::{Place, Stop};
use super::plan::Plan;
use super::recorder::{Recorder, Writer};
use super::repetition::Repetition;
use super::transcript::{Transcript, usage_json};
use super::turn::{self, Turn};
use crate::db::{Db, RunEnd};
use crate::identity::Principal;
use crate::models::{Message, Models};
use crate::tools::{CallContext, Tools};

/// Tries to store a run's end, with a pause that doubles each time. Afterwards its lease runs out and says the same.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A run that is worked on. It has a task of its own and holds no database connection while it waits.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) db: Db,
    pub(super) tools: Arc<Tools>,
    pub(super) models: Arc<Models>,
    pub(super) principal: Arc<Principal>,
    pub(super) plan: Plan,
    pub(super) context: CallContext,
    pub(super) run_id: String,
    pub(super) session_id: String,
    pub(super) is_new_session: bool,
    pub(super) history: Vec<Vec<Message>>,
    pub(super) question: Message,
}

/// How a run ended.
#[derive(Debug)]
enum End {
    Completed,
    Cancelled,
    Failed(RunError),
}

impl Driver {
    /// Works until the run is over, then says so in its row. Leaves its place last: who waits for the run finds the row.
    pub(super) async fn run(self, place: Place, stored: watch::Sender<i64>, stopped: watch::Receiver<Option<Stop>>) {
        let writer = Writer {
            db: self.db.clone(),
            principal: Arc::clone(&self.principal),
            run_id: self.run_id.clone(),
            stored: stored.clone(),
        };
        let (recorder, writing) = Recorder::start(writer);
        let mut transcript = Transcript::default();
        let end = self.work(&recorder, stopped, &mut transcript).await;
        drop(recorder);
        if let Ok(Ok(last)) = writing.await {
            self.close(&end, transcript, last, &stored).await;
        } else {
            tracing::warn!(run.id = %self.run_id, "a run was given up: its row is gone or out of reach");
        }
        drop((stored, place));
    }

    async fn work(
        &self,
        recorder: &Recorder,
        mut stopped: watch::Receiver<Option<Stop>>,
        transcript: &mut Transcript,
    ) -> End {
        let limit = self.plan.bounds.timeout;
        tokio::select! {
            biased;
            stop = stopped.wait_for(Option::is_some) => match stop.ok().and_then(|stop| *stop) {
                Some(Stop::Cancelled) => End::Cancelled,
                Some(Stop::HostStops) | None => End::Failed(RunError::HostStopped),
            },
            steps = tokio::time::timeout(limit, self.steps(recorder, transcript)) => match steps {
                Ok(Ok(())) => End::Completed,
                Ok(Err(error)) => End::Failed(error),
                Err(_) => End::Failed(RunError::Timeout(limit)),
            },
        }
    }

    async fn steps(&self, recorder: &Recorder, transcript: &mut Transcript) -> Result<(), RunError> {
        let max_steps = self.plan.bounds.max_steps;
        let mut repetition = Repetition::default();
        for step in 1..=max_steps {
            let is_last_step = step == max_steps;
            recorder.record(Event::StepStarted { step, is_last_step }).await?;
            let said: Vec<_> = std::iter::once(&self.question).chain(&transcript.messages).cloned().collect();
            let answer = self.models.chat(self.plan.ask(&self.history, &said, is_last_step));
            let mut turn = turn::listen(step, answer, recorder, transcript).await?;
            let wants_more = !turn.calls.is_empty();
            if is_last_step {
                // Tools were withheld; a model that asks for one all the same gets nothing more.
                turn.calls.clear();
            }
            self.take(step, turn, &mut repetition, recorder, transcript).await?;
            if !wants_more {
                return Ok(());
            }
        }
        if transcript.content.is_empty() { Err(RunError::OutOfSteps(max_steps)) } else { Ok(()) }
    }

    /// Takes the model's answer in and makes the calls it asks for.
    async fn take(
        &self,
        step: u32,
        turn: Turn,
        repetition: &mut Repetition,
        recorder: &Recorder,
        transcript: &mut Transcript,
    ) -> Result<(), RunError> {
        let Turn { text, calls, finish_reason, mut record } = turn;
        if let Some(call) = calls.iter().find(|call| repetition.is_too_often(call)) {
            return Err(RunError::RepeatedCall(call.name.chars().take(100).collect()));
        }
        record.has_tool_calls = !calls.is_empty();
        let has_tool_calls = record.has_tool_calls;
        transcript.steps.push(record);
        transcript.messages.push(Message::Assistant { content: text, tool_calls: calls.clone() });
        let caller = Caller {
            db: &self.db,
            tools: &self.tools,
            toolbox: &self.plan.toolbox,
            principal: &self.principal,
            context: &self.context,
            recorder,
        };
        caller.call_all(step, &calls, transcript).await?;
        recorder.record(Event::StepCompleted { step, finish_reason: json!(finish_reason), has_tool_calls }).await?;
        Ok(())
    }

    /// Stores the run's end and its last events, together.
    async fn close(&self, end: &End, transcript: Transcript, last_seq: i64, stored: &watch::Sender<i64>) {
        let mut run_end = run_end(end, transcript);
        self.db.price(&self.plan.model, &mut run_end);
        let events = self.last_events(&run_end, last_seq + 1);
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            match self.db.close_run(&self.principal, &self.run_id, &run_end, last_seq + 1, &events).await {
                Ok(true) => {
                    metrics::counter!("behalf_runs_total", "status" => run_end.status).increment(1);
                    tracing::info!(run.id = %self.run_id, run.status = run_end.status, "a run ended");
                    stored.send_replace(last_seq + i64::try_from(events.len()).unwrap_or(i64::MAX));
                    return;
                }
                Ok(false) => {
                    tracing::info!(run.id = %self.run_id, "a run was over before its end could be stored");
                    return;
                }
                Err(error) => {
                    tracing::warn!(run.id = %self.run_id, error = %error, "cannot store a run's end; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    fn last_events(&self, end: &RunEnd, first_seq: i64) -> Vec<Value> {
        let run_id = self.run_id.clone();
        let before = match &end.error {
            Some(error) if end.status == "failed" => {
                Some(Event::Error { run_id, error: error.clone(), message: error.clone() })
            }
            None => Some(Event::Chunk { content: end.content.clone() }),
            Some(_) => None,
        };
        let complete = Event::Complete(Box::new(Complete {
            run_id: self.run_id.clone(),
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

fn run_end(end: &End, transcript: Transcript) -> RunEnd {
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
    }
}
