//! Channels: one client's messages to many on one host or two, what idle sockets hold, and changes of a table under policies.

mod bed;
mod changes;
mod crowd;
mod fan_out;
mod idle;
pub(super) mod socket;

use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use bed::Bed;

/// `behalf bench realtime`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct RealtimeArgs {
    /// Sockets that hear one client's messages, spread over the hosts.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    subscribers: u16,
    /// Hosts on the database. The client that sends is at the first.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    hosts: u8,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Measures the memory of so many sockets that say nothing, instead.
    #[arg(long, value_name = "SOCKETS", conflicts_with_all = ["changes", "hosts", "subscribers"])]
    idle: Option<u32>,
    /// Measures changes of a table, instead.
    #[arg(long, conflicts_with_all = ["hosts", "subscribers"])]
    changes: bool,
    /// With `--changes`: the most users who subscribe.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    users: u16,
}

pub(super) async fn measure(args: &RealtimeArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("preparing a database");
    let bed = Bed::prepare(if args.changes { args.users } else { 1 }).await?;
    let time = Duration::from_secs(u64::from(args.seconds));
    let report = match args.idle {
        Some(sockets) => idle::measure(&bed, sockets, bar).await,
        None if args.changes => changes::measure(&bed, args.users, time, bar).await,
        None => fan_out::measure(&bed, args.hosts, args.subscribers, time, bar).await,
    };
    bed.clear().await?;
    report
}
