//! One-row lookups through the host, beside what the host's layers are compared with: pgbench, a bare HTTP server, and
//! a peer where one is given.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::echo::Echo;
use super::floor::{Statement, Transport, pgbench};
use super::load::Load;
use super::peer::{Peer, PeerArgs, PeerLogin};
use super::steps;
use super::summary::Summary;
use super::test_bed::{Scene, TestBed};
use super::turns::{Turns, TurnsArgs};
use behalf_host_db::run_script;

/// `behalf bench call`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct CallArgs {
    #[command(flatten)]
    turns: TurnsArgs,
    /// Users who call, each with a token and rows of their own. Every connection serves them in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=200))]
    users: u16,
    /// Measure changes of single rows as well.
    #[arg(long)]
    writes: bool,
    #[command(flatten)]
    peer: PeerArgs,
}

/// What is measured in each turn.
#[derive(Clone, Copy, Debug)]
enum Part {
    Pgbench,
    PgbenchSocket,
    Lookup,
    Empty,
    Healthz,
    Echo,
    Peer,
    PgbenchWrite,
    Write,
}

impl Part {
    const ALWAYS: [Self; 6] =
        [Self::Pgbench, Self::PgbenchSocket, Self::Lookup, Self::Empty, Self::Healthz, Self::Echo];

    /// The key in the report.
    fn key(self) -> &'static str {
        match self {
            Self::Pgbench => "pgbench",
            Self::PgbenchSocket => "pgbench_socket",
            Self::Lookup => "lookup_over_http",
            Self::Empty => "empty_tool_over_http",
            Self::Healthz => "healthz_over_http",
            Self::Echo => "axum_echo",
            Self::Peer => "peer_over_http",
            Self::PgbenchWrite => "pgbench_write",
            Self::Write => "write_over_http",
        }
    }
}

/// Where everything is measured.
struct Bench {
    bed: TestBed,
    echo: Echo,
    peer: Option<Peer>,
    connections: u16,
    seconds: u16,
}

impl Bench {
    async fn prepare(args: &CallArgs) -> anyhow::Result<Self> {
        let bed = TestBed::prepare(&Scene::items(args.users), usize::from(args.turns.connections)).await?;
        if args.writes {
            run_script(&bed.postgres().owner_url(), "grant update on public.items to authenticated").await?;
        }
        let (echo, peer) = (
            Echo::start().await?,
            Peer::start(&args.peer, &bed, args.turns.connections, PeerLogin::ReadsItems, None).await?,
        );
        Ok(Self { bed, echo, peer, connections: args.turns.connections, seconds: args.turns.seconds })
    }

    async fn measure(&self, part: Part) -> anyhow::Result<Summary> {
        let bed = &self.bed;
        let floor =
            async |transport, statement| pgbench(bed, self.connections, self.seconds, transport, statement).await;
        let load = Load { connections: self.connections, time: Duration::from_secs(u64::from(self.seconds)) };
        match part {
            Part::Pgbench => floor(Transport::Tcp, Statement::Select).await,
            Part::PgbenchSocket => floor(Transport::Socket, Statement::Select).await,
            Part::PgbenchWrite => floor(Transport::Tcp, Statement::Update).await,
            Part::Lookup => self.rested(load.lookups(bed).await).await,
            Part::Write => self.rested(load.writes(bed).await).await,
            Part::Empty => self.rested(load.empty(bed).await).await,
            Part::Healthz => load.healthz(bed).await,
            Part::Echo => load.echo(bed, self.echo.address).await,
            Part::Peer => load.peer(bed, self.peer.as_ref().context("no peer")?).await,
        }
    }

    /// Waits until the audit rows of a part are stored, so that the next part does not pay for them.
    async fn rested(&self, summary: anyhow::Result<Summary>) -> anyhow::Result<Summary> {
        self.bed.state.caller_db.audit().flush().await;
        summary
    }

    async fn clear(self) -> anyhow::Result<()> {
        if let Some(peer) = self.peer {
            peer.stop().await?;
        }
        self.bed.clear().await
    }
}

/// Measures in turns on one server.
pub(super) async fn measure(args: &CallArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let mut parts = Part::ALWAYS.to_vec();
    if args.peer.is_given() {
        parts.push(Part::Peer);
    }
    if args.writes {
        // Last, so that a turn's other measurements read rows that have rested.
        parts.extend([Part::PgbenchWrite, Part::Write]);
    }
    bar.set_length(u64::from(args.turns.rounds) * parts.len() as u64 + 2);
    bar.set_message("preparing a database");
    let bench = Bench::prepare(args).await?;
    bar.inc(1);
    let report = in_turns(args, &parts, &bench, bar).await;
    bench.clear().await?;
    report
}

async fn in_turns(args: &CallArgs, parts: &[Part], bench: &Bench, bar: &ProgressBar) -> anyhow::Result<Value> {
    let mut turns = Turns::default();
    for round in 1..=args.turns.rounds {
        for part in parts {
            bar.set_message(format!("turn {round} of {}: {}", args.turns.rounds, part.key()));
            turns.add(part.key(), bench.measure(*part).await.with_context(|| part.key())?);
            bar.inc(1);
        }
    }
    bar.set_message("single steps");
    let steps = steps::measure(&bench.bed).await?;
    bar.inc(1);
    let mut report = json!({
        "connections": args.turns.connections,
        "seconds": args.turns.seconds,
        "rounds": args.turns.rounds,
        "users": args.users,
        "postgres": bench.bed.version(),
    });
    for part in parts {
        report[part.key()] = json!(turns.summary(part.key()));
    }
    report["ratio_to_pgbench"] = json!(turns.ratio(Part::Lookup.key(), Part::Pgbench.key())?);
    report["ratios_to_pgbench"] = json!(turns.ratios(Part::Lookup.key(), Part::Pgbench.key()));
    report["ratio_to_pgbench_socket"] = json!(turns.ratio(Part::Lookup.key(), Part::PgbenchSocket.key())?);
    report["empty_tool_over_echo"] = json!(turns.ratio(Part::Empty.key(), Part::Echo.key())?);
    report["healthz_over_echo"] = json!(turns.ratio(Part::Healthz.key(), Part::Echo.key())?);
    if args.peer.is_given() {
        report["ratio_to_peer"] = json!(turns.ratio(Part::Lookup.key(), Part::Peer.key())?);
    }
    if args.writes {
        report["write_ratio_to_pgbench"] = json!(turns.ratio(Part::Write.key(), Part::PgbenchWrite.key())?);
    }
    report["empty_tool_p50_us"] = json!(steps.empty_one_thread.p50_us);
    report["empty_tool_two_threads_p50_us"] = json!(steps.empty_two_threads.p50_us);
    report["steps"] = json!(steps);
    Ok(report)
}
