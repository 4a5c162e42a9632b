//! Many users do the four recipes at once on two hosts, of which one after the other is killed and started again. Everything that each
//! user is told is searched for the words of all others.

mod canary;
mod channel;
mod client;
mod outside;
mod person;
mod recipes;
mod stage;
mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::watch;

use outside::Outside;
use person::{Account, Person, World};
use stage::Stage;
use tally::Tally;

/// Users who sign up and upload their first document at once.
const AT_ONCE: usize = 4;

/// `behalf bench soak`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct SoakArgs {
    /// Users, each with a device.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..=1_000))]
    users: u16,
    /// How long they are busy.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=10_080))]
    minutes: u16,
    /// Seconds from one kill of a host to the next; 0 kills none.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    kill_every_seconds: u32,
    /// Milliseconds that a user waits after each operation, on average.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=600_000))]
    pause_milliseconds: u32,
}

pub(super) async fn measure(args: &SoakArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("starting two hosts");
    let tally = Arc::new(Tally::default());
    let outside = Outside::start(&tally).await?;
    let stage = Stage::start(&outside.address).await?;
    let users = u32::from(args.users);
    let world = Arc::new(World::make(&stage, &outside, &tally, users).await?);
    bar.set_message("signing up");
    let people = people(users, &world, &stage, &outside, &tally).await?;
    let postgres = stage.version();

    let (stop, stopped) = watch::channel(false);
    let kill_every = Duration::from_secs(args.kill_every_seconds.into());
    let watching = tokio::spawn(stage.watch((!kill_every.is_zero()).then_some(kill_every), stopped));
    let time = Duration::from_secs(u64::from(args.minutes) * 60);
    let (began, pause) = (Instant::now(), Duration::from_millis(args.pause_milliseconds.into()));
    let mut busy = tokio::task::JoinSet::new();
    for person in people {
        let (world, end) = (Arc::clone(&world), began + time);
        busy.spawn(async move { recipes::live(person, &world, end, pause).await });
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            ended = busy.join_next() => match ended {
                Some(ended) => ended.context("a user stopped")?,
                None => break,
            },
            _ = tick.tick() => tell(bar, &tally, began.elapsed(), time),
        }
        // A host that does not come back ends everything.
        if watching.is_finished() {
            break;
        }
    }
    stop.send_replace(true);
    let (stage, watched) = watching.await??;
    let mut report = json!({
        "users": users, "minutes": args.minutes, "hosts": 2, "kill_every_seconds": args.kill_every_seconds,
        "pause_milliseconds": args.pause_milliseconds, "postgres": postgres, "seconds": began.elapsed().as_secs(),
    });
    for part in [tally.report(), watched.report()] {
        if let (Value::Object(report), Value::Object(part)) = (&mut report, part) {
            report.extend(part);
        }
    }
    stage.clear().await?;
    Ok(report)
}

/// An error where something crossed from one user to another, or where an error stayed.
pub(super) fn judge(report: &Value) -> anyhow::Result<()> {
    let count = |field: &str| report[field].as_u64().with_context(|| format!("no {field}"));
    let (crossed, errors) = (count("canaries_crossed")?, count("errors_not_mended")?);
    ensure!(
        crossed == 0 && errors == 0,
        "{crossed} things of users were told to others, and {errors} errors were not mended"
    );
    Ok(())
}

/// All users, signed in, each with a document that is indexed.
async fn people(
    users: u32,
    world: &Arc<World>,
    stage: &Stage,
    outside: &Outside,
    tally: &Arc<Tally>,
) -> anyhow::Result<Vec<Person>> {
    let sign_up = |number| Account::make(number, world, stage, tally);
    let accounts: Vec<_> = iter(0..users).map(sign_up).buffered(AT_ONCE).try_collect().await?;
    for account in &accounts {
        outside.knows(&account.id, account.number);
    }
    let others = accounts.iter().cycle().skip(1);
    let sign_in = |(account, other): (&Account, &Account)| {
        let (hosts, other) = (stage.hosts(), other.id.clone());
        let account = account.clone();
        async move {
            let person = account.sign_in(hosts, &stage.anon_key, tally, &other).await?;
            recipes::first_files(&person, world).await?;
            anyhow::Ok(person)
        }
    };
    let all: Vec<_> = accounts.iter().zip(others).map(sign_in).collect();
    iter(all).buffered(AT_ONCE).try_collect().await
}

fn tell(bar: &ProgressBar, tally: &Tally, past: Duration, time: Duration) {
    let ((errors, crossed), operations) = (tally.faults(), tally.operations());
    bar.set_length(time.as_secs());
    bar.set_position(past.as_secs().min(time.as_secs()));
    bar.set_message(format!("{operations} operations, {errors} errors, {crossed} crossed"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_good_where_nothing_crossed_and_no_error_stayed() {
        assert!(judge(&json!({ "canaries_crossed": 0, "errors_not_mended": 0 })).is_ok());
        for bad in [(1, 0), (0, 1)] {
            assert!(judge(&json!({ "canaries_crossed": bad.0, "errors_not_mended": bad.1 })).is_err());
        }
        assert!(judge(&json!({})).is_err());
    }
}
