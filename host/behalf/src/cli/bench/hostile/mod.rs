//! Many callers beside a few hostile ones: what the hostile ones do to the others' calls, and to the memory of the host and
//! of Postgres.

mod attacks;
mod callers;
mod memory;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::host::HostProcess;
use super::test_bed::{Database, ITEMS, owner_id};
use attacks::{Attack, Counts};
use behalf_identity::{TokenRequest, mint_key, mint_token, new_secret};

/// Users of the table's rows. The hostile callers are the first of them, so no other caller shares their identity.
const OWNERS: u16 = 100;
/// How often memory is read.
const SAMPLE: Duration = Duration::from_secs(2);

/// `behalf bench hostile`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct HostileArgs {
    /// Callers altogether.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(2..=2_000))]
    callers: u16,
    /// Callers that are hostile. Each keeps to one kind of attack.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=50))]
    attackers: u16,
    /// Tool connections of the host.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    connections: u16,
    /// Memory that each process of Postgres may have, in MiB, as where an operator starts it under `ulimit -d`.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(64..=65_536))]
    session_mib: u64,
    /// Seconds with the hostile callers.
    #[arg(long, default_value_t = 1_800, value_parser = clap::value_parser!(u16).range(5..=7_200))]
    seconds: u16,
    /// Seconds without them, before.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(5..=600))]
    quiet_seconds: u16,
}

/// Where the host is and who calls it.
#[derive(Clone, Debug)]
struct Target {
    address: SocketAddr,
    anon_key: String,
}

impl Target {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A user who calls.
#[derive(Clone, Debug)]
struct Caller {
    user: Uuid,
    token: String,
}

pub(super) async fn measure(args: &HostileArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    ensure!(args.attackers < args.callers, "there must be more callers than attackers");
    bar.set_length(u64::from(args.quiet_seconds) + u64::from(args.seconds));
    bar.set_message("preparing a database and a host");
    let database = Database::prepare(ITEMS).await?;
    database.local.session_limiter().limit_new_sessions(args.session_mib << 20).await?;
    let report = on(&database, args, bar).await;
    database.local.discard().await?;
    database.dir.close()?;
    report
}

async fn on(database: &Database, args: &HostileArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let secret = new_secret()?;
    let anon_key = mint_key(&secret, "anon")?;
    let settings = [
        ("HOST_DATABASE_URL", database.host.clone()),
        ("TOOL_DATABASE_URL", database.tool.clone()),
        ("TOOL_CONNECTIONS", args.connections.to_string()),
        ("JWT_SECRET", secret.clone()),
        ("ANON_KEY", anon_key.clone()),
        ("SERVICE_ROLE_KEY", mint_key(&secret, "service_role")?),
        ("LOG", "warn".to_owned()),
        // The limit of requests for each user would end the attacks before they begin. What is measured is what holds
        // without it.
        ("RATE_LIMIT_USER", "0".to_owned()),
        ("RATE_LIMIT_PROJECT", "0".to_owned()),
    ];
    let state = database.dir.path().join("state");
    std::fs::create_dir(&state)?;
    let mut host = HostProcess::start(&settings, &state).await?;
    let target = Target { address: host.address, anon_key };
    let caller = |owner: u16| -> anyhow::Result<Caller> {
        let user = owner_id(owner.into());
        Ok(Caller { user, token: mint_token(&secret, &TokenRequest::for_user(&user.to_string()))? })
    };
    let others: Vec<Caller> = (0..args.callers - args.attackers)
        .map(|one| caller(args.attackers + one % (OWNERS - args.attackers)))
        .collect::<Result<_, _>>()?;
    let attackers: Vec<Caller> = (0..args.attackers).map(caller).collect::<Result<_, _>>()?;

    let mut memory = memory::Watch::begin(&database.local.owner_url()).await?;
    bar.set_message("the others alone");
    let quiet = phase(&others, &target, &mut memory, &mut host, args.quiet_seconds, bar).await?;
    let quiet_memory = memory.peaks();

    bar.set_message("beside hostile callers");
    let counts = Counts::default();
    let mut hostile = JoinSet::new();
    for (attack, attacker) in Attack::ALL.into_iter().cycle().zip(attackers) {
        attack.spawn(&target, &attacker, &counts, &mut hostile);
    }
    let beside = phase(&others, &target, &mut memory, &mut host, args.seconds, bar).await?;
    hostile.shutdown().await;
    let restarted = memory.has_restarted().await?;
    let report = json!({
        "callers": args.callers, "attackers": args.attackers, "tool_connections": args.connections,
        "session_mib": args.session_mib,
        "seconds": args.seconds, "quiet_seconds": args.quiet_seconds, "postgres": database.local.version(),
        "quiet": quiet, "beside": beside,
        "p99_ratio": beside.latency.p99_us / quiet.latency.p99_us,
        "memory_mib": { "quiet": quiet_memory, "beside": memory.peaks() },
        "attacks": counts.report(),
        "host_restarted": !host.is_running()?, "postgres_restarted": restarted,
    });
    host.stop().await?;
    Ok(report)
}

/// Lets the ordinary callers call for some seconds, and reads the memory meanwhile.
async fn phase(
    callers: &[Caller],
    target: &Target,
    memory: &mut memory::Watch,
    host: &mut HostProcess,
    seconds: u16,
    bar: &ProgressBar,
) -> anyhow::Result<callers::Report> {
    let started = Instant::now();
    let time = Duration::from_secs(u64::from(seconds));
    let calls = callers::call(callers, target, time);
    tokio::pin!(calls);
    let mut sample = tokio::time::interval(SAMPLE);
    let done = bar.position();
    loop {
        tokio::select! {
            report = &mut calls => {
                bar.set_position(done + u64::from(seconds));
                return report;
            }
            _ = sample.tick() => {
                ensure!(host.is_running()?, "the host ended");
                memory.read(host.resident_kib()?).await.context("cannot read the memory")?;
                bar.set_position(done + started.elapsed().as_secs().min(u64::from(seconds)));
            }
        }
    }
}
