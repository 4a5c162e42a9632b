//! Asking one instance more than once, which no call does: a call's instance ends with it. For the conformance suite, which
//! looks for what an instance keeps. A store still has one caller: all calls are of one [`Request`], made for its
//! principal and on its database.

use std::time::{Duration, Instant};

use super::answer::read_answer;
use super::engine::Sandbox;
use super::execute::{CallError, DefinitionsError, Prepared, Request, definitions_limits, judge, store, watched};
use super::inspect::Inspection;
use super::limits::{CallLimits, Meter};
use super::linker::{Loaded, link_definitions};
use super::state::CallState;
use super::{capabilities::ProgressCtx, execute::unshared};

/// What happens before the last of several calls.
pub type Before = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// What one instance answered when it was asked for its tools again and again.
#[derive(Clone, Debug)]
pub struct Answers {
    /// In order.
    pub answers: Vec<String>,
    /// How long it took to come up and answer for the first time.
    pub first: Duration,
    /// The most memory it had.
    pub memory_bytes: usize,
}

impl Sandbox {
    /// Asks one instance of an inspected component this often which tools it has.
    pub async fn definitions_again(&self, inspection: &Inspection, times: usize) -> Result<Answers, DefinitionsError> {
        let component = self.compiled(inspection.digest, &inspection.component).await?;
        let pre = link_definitions(&self.linkers, &component)
            .map_err(|error| DefinitionsError::Link(error.root_cause().to_string()))?;
        let limits = definitions_limits();
        let slots = std::sync::Arc::clone(&self.slots);
        let engine = self.engine.clone();
        let work = async move {
            let _slot = slots.acquire_owned().await.map_err(|_| CallError::Busy)?;
            let begun = Instant::now();
            let state = CallState::new(Meter::new(limits.memory_bytes), None, ProgressCtx::default());
            let mut store = store(&engine, state, &limits);
            let mut first = Duration::ZERO;
            let result = tokio::time::timeout(limits.timeout, async {
                let plugin = pre.instantiate_async(&mut store).await?;
                let mut answers = Vec::with_capacity(times);
                for _ in 0..times {
                    answers.push(plugin.behalf_tool_tool().call_definitions(&mut store).await?);
                    first = if first.is_zero() { begun.elapsed() } else { first };
                }
                Ok(answers)
            })
            .await;
            let answers = judge(result, &store, &limits)?;
            Ok(Answers { answers, first, memory_bytes: store.data().meter.used() })
        };
        self.on_guest_threads(work).await.unwrap_or(Err(CallError::Busy)).map_err(DefinitionsError::Run)
    }

    /// Calls the tool of a request with its arguments and then with these, in one instance. What a call did to the database
    /// is rolled back before the next. A call that crashes is the last.
    pub async fn execute_again(
        &self,
        loaded: &Loaded,
        request: Request,
        more: &[String],
        before_last: Before,
    ) -> Vec<Result<String, CallError>> {
        let limits = CallLimits::from_grants(&loaded.grants);
        let calls = u32::try_from(more.len() + 1).unwrap_or(u32::MAX);
        let deadline = Instant::now() + limits.timeout.saturating_mul(calls);
        let prepared = match self.prepare(loaded, request, &limits, deadline).await {
            Ok(prepared) => prepared,
            Err(executed) => return vec![executed.result],
        };
        let Prepared { pre, mut store, database, tool, arguments, .. } = prepared;
        let mut results = Vec::new();
        let mut before_last = Some(before_last);
        match judge(Ok(pre.instantiate_async(&mut store).await), &store, &limits) {
            Err(error) => results.push(Err(error)),
            Ok(plugin) => {
                for (place, arguments) in std::iter::once(&arguments).chain(more).enumerate() {
                    if let Some(database) = &database {
                        database.lock().await.rollback().await;
                    }
                    if let Some(before) = before_last.take_if(|_| place == more.len()) {
                        before.await;
                    }
                    let call = plugin.behalf_tool_tool().call_call(&mut store, &tool, arguments);
                    let result = watched(call, deadline, database.as_ref()).await;
                    let result = judge(result, &store, &limits);
                    let crashed = result.is_err();
                    results.push(result.and_then(|answer| read_answer(answer, limits.output_bytes)));
                    if crashed {
                        break;
                    }
                }
            }
        }
        drop(store);
        if let Some(mut database) = unshared(database) {
            database.rollback().await;
        }
        results
    }
}
