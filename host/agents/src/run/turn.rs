//! Reads one answer of the model.

use std::time::{Duration, Instant};

use behalf_models::{ChatStream, Delta, FinishReason, ToolCall, Usage};
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
    let started = Instant::now();
    let mut thought: Option<Duration> = None;
    let (mut text, mut reasoning, mut calls) = (String::new(), String::new(), Vec::new());
    while let Some(delta) = stream.next().await {
        match delta? {
            Delta::Text(delta) if !delta.is_empty() => {
                text.push_str(&delta);
                transcript.content.push_str(&delta);
                recorder.record(Event::ContentDelta { delta }).await?;
            }
            Delta::Reasoning(delta) if !delta.is_empty() => {
                reasoning.push_str(&delta);
                thought = Some(started.elapsed());
                recorder.record(Event::ReasoningDelta { step, source: SOURCE, delta }).await?;
            }
            Delta::Text(_) | Delta::Reasoning(_) => {}
            Delta::ToolCall(call) => calls.push(call),
            Delta::Done { usage, finish_reason } => {
                transcript.spend(usage);
                if !reasoning.is_empty() {
                    recorder.record(Event::Reasoning { step, source: SOURCE, content: reasoning.clone() }).await?;
                }
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
                return Ok(Turn { text, calls, finish_reason, reasoning, usage, record });
            }
        }
    }
    Err(RunError::CutOff)
}
