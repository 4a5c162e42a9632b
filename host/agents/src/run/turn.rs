//! Reads one answer of the model.

use std::time::{Duration, Instant};

use behalf_models::{ChatStream, Delta, FinishReason, ModelError, Opaque, ToolCall, Usage};
use futures::StreamExt;

use super::error::RunError;
use super::event::Event;
use super::recorder::Recorder;
use super::records::{StepRecord, THINKING as SOURCE, usage_json};
use super::transcript::Transcript;

/// One answer of the model.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) text: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) finish_reason: FinishReason,
    pub(crate) reasoning: Option<String>,
    pub(crate) opaque: Option<Box<Opaque>>,
    pub(crate) usage: Usage,
    pub(crate) record: StepRecord,
}

/// Reads an answer as it comes, shows its pieces, and adds its text to the transcript.
pub(crate) async fn listen(
    step: u32,
    mut stream: ChatStream,
    recorder: &Recorder,
    transcript: &mut Transcript,
) -> Result<Turn, RunError> {
    let mut heard = Heard::new(step);
    while let Some(delta) = stream.next().await {
        let delta = match delta {
            Ok(delta) => delta,
            Err(error) => {
                // An answer that cannot be used was paid for all the same.
                transcript.spend(error.usage());
                return heard.silence(&error, transcript).ok_or(RunError::Model(error));
            }
        };
        match delta {
            Delta::Text(delta) if !delta.is_empty() => {
                heard.text.push_str(&delta);
                transcript.content.push_str(&delta);
                recorder.record(Event::ContentDelta { delta }).await?;
            }
            Delta::Reasoning(delta) if !delta.is_empty() => {
                heard.reasoning.push_str(&delta);
                heard.thought = Some(heard.started.elapsed());
                recorder.record(Event::ReasoningDelta { step, source: SOURCE, delta }).await?;
            }
            Delta::Text(_) | Delta::Reasoning(_) => {}
            Delta::ToolCall(call) => heard.calls.push(call),
            Delta::Opaque(fields) => heard.opaque = Some(fields),
            Delta::Note(note) => {
                recorder.record(Event::Warning { step, message: note.clone() }).await?;
                transcript.note(note);
            }
            Delta::Done { usage, finish_reason } => {
                transcript.spend(usage);
                if !heard.reasoning.is_empty() {
                    let content = heard.reasoning.clone();
                    recorder.record(Event::Reasoning { step, source: SOURCE, content }).await?;
                }
                return Ok(heard.turn(usage, finish_reason));
            }
        }
    }
    Err(RunError::CutOff)
}

/// What was heard of an answer so far.
#[derive(Debug)]
struct Heard {
    step: u32,
    started: Instant,
    thought: Option<Duration>,
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    opaque: Option<Box<Opaque>>,
}

impl Heard {
    fn new(step: u32) -> Self {
        Self {
            step,
            started: Instant::now(),
            thought: None,
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            opaque: None,
        }
    }

    /// The turn of a model that has nothing to add to what it said in earlier steps. A run of which nothing was said has no answer,
    /// and neither has a model that used its tokens up or whose words were withheld.
    fn silence(&mut self, error: &ModelError, transcript: &Transcript) -> Option<Turn> {
        let ModelError::Empty { finish_reason, usage } = error.bare() else { return None };
        let was_kept = matches!(finish_reason, FinishReason::Length | FinishReason::ContentFilter);
        let has_spoken = !transcript.content.trim().is_empty() && self.text.trim().is_empty();
        let silent = std::mem::replace(self, Self::new(self.step));
        (has_spoken && !was_kept).then(|| silent.turn(*usage, FinishReason::Stop))
    }

    fn turn(self, usage: Usage, finish_reason: FinishReason) -> Turn {
        let Self { step, started, thought, text, reasoning, calls, opaque } = self;
        let record = StepRecord {
            step,
            finish_reason,
            has_tool_calls: !calls.is_empty(),
            content: text.clone(),
            usage: usage_json(&usage),
            duration_ms: started.elapsed().as_secs_f64() * 1000.0,
            reasoning_ms: thought.and_then(|spent| u64::try_from(spent.as_millis()).ok()),
        };
        let reasoning = Some(reasoning).filter(|text| !text.is_empty());
        Turn { text, calls, finish_reason, reasoning, opaque, usage, record }
    }
}
