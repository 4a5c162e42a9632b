//! What a call costs: with few tools and one user, with many tools and one user, and with many tools and many users.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::languages::resident_bytes;
use super::super::summary::Summary;
use super::super::test_bed::{Scene, TestBed};
use super::registered::Registered;
use behalf_contracts::CallContext;
use behalf_identity::{Principal, UserClaims};

/// Users of one turn.
const CHUNK: u32 = 10_000;
/// Calls of the one user in one turn, with few tools and with many.
const OF_ONE: usize = 1_000;
/// Calls of each kind that are not counted.
const WARM_UP: usize = 500;
/// How long a host may take to read a registry that changed.
const PATIENCE: Duration = Duration::from_mins(2);
/// Tool connections; the empty tool uses none.
const CONNECTIONS: usize = 2;

/// A host in this process, and the one user who calls it again and again.
struct Side {
    bed: TestBed,
    service: Arc<Principal>,
    one: Arc<Principal>,
}

/// The times of single calls.
#[derive(Default)]
struct Times {
    few_tools_one_subject: Vec<Duration>,
    many_tools_one_subject: Vec<Duration>,
    many_tools_many_subjects: Vec<Duration>,
}

/// Calls the empty tool inside the host: the whole call, from the look-up of its name to its audit row, without HTTP.
/// The hosts with few and with many tools take turns, and so do one user and new users on the latter.
pub(super) async fn measure(tools: Registered, subjects: u32, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("preparing two hosts");
    let (few, many) = (Side::prepare().await?, Side::prepare().await?);
    let report = in_turns(&few, &many, tools, subjects, bar).await;
    few.bed.clear().await?;
    many.bed.clear().await?;
    report
}

async fn in_turns(
    few: &Side,
    many: &Side,
    tools: Registered,
    subjects: u32,
    bar: &ProgressBar,
) -> anyhow::Result<Value> {
    let (inserted, reloaded) = many.register(tools).await?;
    for side in [few, many] {
        side.call_as_one(WARM_UP, &mut Vec::new()).await?;
    }
    let (mut times, before) = (Times::default(), resident_bytes()?);
    for first in (0..subjects).step_by(CHUNK as usize) {
        bar.set_message(format!("{first} of {subjects} users"));
        few.call_as_one(OF_ONE, &mut times.few_tools_one_subject).await?;
        many.call_as_one(OF_ONE, &mut times.many_tools_one_subject).await?;
        let size = CHUNK.min(subjects - first);
        many.call_as_each(first, size, &mut times.many_tools_many_subjects).await?;
        bar.inc(u64::from(size));
    }
    let held = resident_bytes()?.saturating_sub(before);
    let mut report = times.report();
    report["registry_change_s"] = json!({ "insert": inserted.as_secs_f64(), "reload": reloaded.as_secs_f64() });
    // What the measurement itself keeps, a time for each call, is part of this.
    report["held_bytes_per_subject"] = json!(held / u64::from(subjects));
    Ok(report)
}

impl Side {
    async fn prepare() -> anyhow::Result<Self> {
        let bed = TestBed::prepare(&Scene::items(1), CONNECTIONS).await?;
        let service = bed.state.web.verifier.verify(&bed.service_key).await?;
        let mut side = Self { bed, one: Arc::clone(&service), service };
        side.one = side.user(u32::MAX)?;
        Ok(side)
    }

    /// A user of this number, for whom the service role acts: no token has to be signed and verified, and from there on
    /// the host does the same as for a user with a token.
    fn user(&self, number: u32) -> anyhow::Result<Arc<Principal>> {
        let (user, claims) = (Uuid::from_u128(u128::from(number) + 1), UserClaims::default());
        Ok(Arc::new(self.bed.state.web.verifier.act_as(&self.service, user, &claims)?))
    }

    /// Registers tools, and waits until the host has them. Returns how long either took.
    async fn register(&self, tools: Registered) -> anyhow::Result<(Duration, Duration)> {
        let wanted = self.bed.state.tools.list().len() + tools.count();
        let started = Instant::now();
        tools.insert(&self.bed.postgres().owner_url()).await?;
        let inserted = started.elapsed();
        while self.bed.state.tools.list().len() < wanted {
            ensure!(started.elapsed() < inserted + PATIENCE, "the host did not read the registry that changed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok((inserted, started.elapsed().saturating_sub(inserted)))
    }

    async fn call_as_one(&self, times: usize, taken: &mut Vec<Duration>) -> anyhow::Result<()> {
        for _ in 0..times {
            taken.push(self.call(&self.one).await?);
        }
        self.rest().await;
        Ok(())
    }

    async fn call_as_each(&self, first: u32, size: u32, taken: &mut Vec<Duration>) -> anyhow::Result<()> {
        let users = (first..first + size).map(|number| self.user(number)).collect::<Result<Vec<_>, _>>()?;
        for user in &users {
            taken.push(self.call(user).await?);
        }
        self.rest().await;
        Ok(())
    }

    async fn call(&self, principal: &Arc<Principal>) -> anyhow::Result<Duration> {
        let (caller, context) = (&self.bed.state.tools.caller, CallContext::default());
        let started = Instant::now();
        caller.call(principal, "empty", json!({}), context, None).await?;
        Ok(started.elapsed())
    }

    /// Waits until the audit rows are written, so that no part pays for the one before.
    async fn rest(&self) {
        self.bed.state.caller_db.audit().flush().await;
    }
}

impl Times {
    fn report(&self) -> Value {
        let (few, many) = (summary(&self.few_tools_one_subject), summary(&self.many_tools_one_subject));
        let subjects = summary(&self.many_tools_many_subjects);
        let late_one = summary(last_tenth(&self.many_tools_one_subject));
        let late_subjects = summary(last_tenth(&self.many_tools_many_subjects));
        let ratio = |one: &Summary, to: &Summary| one.p50_us / to.p50_us;
        json!({
            "ratio_tools": ratio(&many, &few),
            "ratio_subjects": ratio(&subjects, &many),
            "ratio_tools_and_subjects": ratio(&subjects, &few),
            "ratio_subjects_last_tenth": ratio(&late_subjects, &late_one),
            "few_tools_one_subject": few,
            "many_tools_one_subject": many,
            "many_tools_many_subjects": subjects,
        })
    }
}

/// One call after the other, so the times' sum is the whole.
fn summary(times: &[Duration]) -> Summary {
    Summary::of_times(times.to_vec(), times.iter().sum())
}

/// What was measured when most users were known.
fn last_tenth(times: &[Duration]) -> &[Duration] {
    times.get(times.len() - times.len() / 10..).unwrap_or_default()
}
