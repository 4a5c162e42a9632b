//! The single steps of one call, timed one by one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::summary::Summary;
use super::test_bed::TestBed;
use behalf_contracts::CallContext;
use behalf_identity::Principal;
use behalf_tools::{BenchHooks, ToolCaller};

/// Times a step is repeated.
const TIMES: usize = 5_000;
/// Repetitions that are not counted.
const WARM_UP: usize = 500;

/// What single steps of a call cost inside the host, one at a time.
#[derive(Debug, Serialize)]
pub(super) struct Steps {
    /// A token that was verified before.
    pub(super) verify_cached: Summary,
    /// Arguments against a schema.
    pub(super) check_arguments: Summary,
    /// Store, instance and call of the empty tool, nothing else; one after the other.
    pub(super) empty_one_thread: Summary,
    /// The same on two threads at once.
    pub(super) empty_two_threads: Summary,
    /// Begin, identity, one-row select and commit, without a guest.
    pub(super) transaction: Summary,
    /// The whole call of the empty tool: look-up, arguments, thread change, guest, audit row.
    pub(super) call_empty: Summary,
    /// The whole call of a lookup, without HTTP.
    pub(super) call_lookup: Summary,
}

pub(super) async fn measure(bed: &TestBed) -> anyhow::Result<Steps> {
    let principal = bed.principal().await?;
    let (hooks, caller) = (bed.state.tools.bench_hooks(), &bed.state.tools.caller);
    let lookup = json!({ "query": "select id, title from items where id = $1", "params": [7] });
    let verify_cached = repeat(TIMES, async || {
        let _: () = drop(bed.state.web.verifier.verify(&bed.token).await?);
        Ok(())
    })
    .await?;
    let check_arguments = repeat(TIMES, async || {
        hooks.check_arguments("database_query", &lookup)?;
        Ok(())
    })
    .await?;
    let empty_one_thread = empty_on_threads(&hooks, &principal, 1).await?;
    let empty_two_threads = empty_on_threads(&hooks, &principal, 2).await?;
    let transaction = repeat(TIMES, async || {
        let mut database = hooks.database_of("database_query", &principal)?;
        database.query("select id, title from items where id = $1", &[behalf_caller_db::Value::Int(7)]).await?;
        Ok(database.commit().await?)
    })
    .await?;
    let call_empty = repeat(TIMES, async || call(caller, &principal, "empty", json!({})).await).await?;
    let call_lookup = repeat(TIMES, async || call(caller, &principal, "database_query", lookup.clone()).await).await?;
    Ok(Steps {
        verify_cached,
        check_arguments,
        empty_one_thread,
        empty_two_threads,
        transaction,
        call_empty,
        call_lookup,
    })
}

async fn call(caller: &ToolCaller, principal: &Arc<Principal>, tool: &str, arguments: Value) -> anyhow::Result<()> {
    caller.call(principal, tool, arguments, CallContext::default(), None).await?;
    Ok(())
}

async fn repeat(times: usize, mut step: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<Summary> {
    for _ in 0..WARM_UP {
        step().await?;
    }
    let begun = Instant::now();
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let started = Instant::now();
        step().await?;
        taken.push(started.elapsed());
    }
    Ok(Summary::of_times(taken, begun.elapsed()))
}

/// Each thread runs the empty tool by itself, without the change of threads that a request makes.
async fn empty_on_threads(hooks: &BenchHooks, principal: &Arc<Principal>, threads: usize) -> anyhow::Result<Summary> {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..threads)
        .map(|_| {
            let (hooks, principal) = (hooks.clone(), Arc::clone(principal));
            std::thread::spawn(move || -> anyhow::Result<Vec<Duration>> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let mut taken = Vec::with_capacity(TIMES);
                    for turn in 0..TIMES + WARM_UP {
                        let time = hooks.time_guest("empty", "{}", &principal).await?;
                        if turn >= WARM_UP {
                            taken.push(time);
                        }
                    }
                    Ok(taken)
                })
            })
        })
        .collect();
    let joined =
        tokio::task::spawn_blocking(move || tasks.into_iter().map(std::thread::JoinHandle::join).collect::<Vec<_>>())
            .await?;
    let mut taken = Vec::new();
    for one in joined {
        taken.extend(one.map_err(|_| anyhow::anyhow!("a measuring thread panicked"))??);
    }
    Ok(Summary::of_times(taken, begun.elapsed()))
}
