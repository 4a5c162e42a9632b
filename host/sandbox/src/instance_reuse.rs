//! Calls one instance more than once, which ordinary calls never do: their instance ends with the call. The conformance
//! suite uses it to find state that an instance keeps. A store still has one caller: all calls are of one [`Request`], made
//! for its principal and on its database.

use std::time::{Duration, Instant};

use crate::answer::read_answer;
use crate::call::{PreparedCall, charge_answer, unshared, watched};
use crate::definitions::{DefinitionsError, definitions_limits};
use crate::inspect::Inspection;
use crate::limits::CallLimits;
use crate::linker::LinkedComponent;
use crate::outcome::{CallError, classify_exit};
use crate::request::Request;
use crate::sandbox::Sandbox;
use crate::state::CallState;
use behalf_identity::{CallerKey, Role};
use futures::future::BoxFuture;

/// Work to do before the last of several calls.
pub type Before = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The answers of one instance that was asked for its tools several times.
#[derive(Clone, Debug)]
pub struct Answers {
    /// In order.
    pub answers: Vec<String>,
    /// The time from the start of the instance to its first answer.
    pub first: Duration,
    /// The most memory it had.
    pub memory_bytes: usize,
}

impl Sandbox {
    /// Asks one instance of an inspected component this often which tools it has.
    pub fn definitions_again<'a>(
        &'a self,
        inspection: &'a Inspection,
        times: usize,
    ) -> BoxFuture<'a, Result<Answers, DefinitionsError>> {
        Box::pin(async move {
            let pre = self.link_definitions(inspection).await?;
            let limits = definitions_limits();
            let (places, max_wait) = (self.places.clone(), self.max_wait());
            let (engine, clock) = (self.engine.clone(), self.clock.clone());
            let work = async move {
                let place = places.acquire_within(CallerKey::Role(Role::Service), max_wait).await;
                let _place = place.ok_or(CallError::Busy)?;
                let begun = Instant::now();
                let mut store = CallState::new(&limits, &clock).into_store(&engine, &limits);
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
                let answers = classify_exit(result, &store, &limits)?;
                Ok(Answers { answers, first, memory_bytes: store.data().memory().peak() })
            };
            self.on_guest_threads(work).await.unwrap_or(Err(CallError::Busy)).map_err(DefinitionsError::Run)
        })
    }

    /// Calls the tool of a request with its arguments and then with these, in one instance. The changes of a call to the
    /// database are rolled back before the next. A call that crashes is the last.
    pub fn execute_again<'a>(
        &'a self,
        component: &'a LinkedComponent,
        request: Request,
        more: &'a [String],
        before_last: Before,
    ) -> BoxFuture<'a, Vec<Result<String, CallError>>> {
        Box::pin(async move {
            let limits = CallLimits::from_grant(component.grants.limits.as_ref());
            let calls = u32::try_from(more.len() + 1).unwrap_or(u32::MAX);
            let timeout = limits.timeout.saturating_mul(calls);
            let prepared = match self.prepare(component, request, &limits, timeout).await {
                Ok(prepared) => prepared,
                Err(output) => return vec![output.result],
            };
            let PreparedCall { pre, mut store, database, deadline, tool, arguments, .. } = prepared;
            let mut results = Vec::new();
            let mut before_last = Some(before_last);
            match classify_exit(Ok(pre.instantiate_async(&mut store).await), &store, &limits) {
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
                        let result = watched(call, &deadline, database.as_ref()).await;
                        let result = classify_exit(result, &store, &limits);
                        let crashed = result.is_err();
                        results.push(result.and_then(|answer| {
                            let _charge = charge_answer(&answer, &store, &limits)?;
                            read_answer(answer, limits.output_bytes)
                        }));
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
        })
    }
}
