//! How long a host takes to start, with few tools and with many.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::host::{HostProcess, PATIENCE};
use super::super::load::{Connection, get, is_success, tool_call};
use super::super::summary::median;
use super::super::test_bed::{Database, ITEMS};
use super::registered::Registered;
use behalf_host_db::run_script;
use behalf_identity::{TokenRequest, mint_key, mint_token, new_secret};

/// Between two looks at a host that starts.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The times of one start, in seconds since the process was begun.
#[derive(Clone, Copy, Debug, Serialize)]
struct Start {
    /// The host takes connections.
    listens_s: f64,
    /// `/healthz` answered.
    healthz_s: f64,
    /// `/readyz` answered with success.
    readyz_s: f64,
    /// The first call of a tool answered.
    first_call_s: f64,
    /// Memory that the process holds then.
    resident_mib: f64,
}

impl Start {
    /// The median of several starts, number by number.
    fn of_all(starts: &[Self]) -> anyhow::Result<Self> {
        let pick = |read: fn(&Self) -> f64| median(&starts.iter().map(read).collect::<Vec<_>>()).context("no starts");
        Ok(Self {
            listens_s: pick(|one| one.listens_s)?,
            healthz_s: pick(|one| one.healthz_s)?,
            readyz_s: pick(|one| one.readyz_s)?,
            first_call_s: pick(|one| one.first_call_s)?,
            resident_mib: pick(|one| one.resident_mib)?,
        })
    }
}

/// A database, and what each host on it is told.
struct Place {
    database: Database,
    settings: Vec<(&'static str, String)>,
    call: Vec<u8>,
}

/// Starts a host some times with the tools that come with it, and then as often with all of these. The first start of
/// all compiles what comes with the host, so it counts for itself.
pub(super) async fn measure(tools: Registered, times: u8, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("preparing a database");
    let place = Place::prepare().await?;
    let report = on(&place, tools, times, bar).await;
    place.database.local.discard().await?;
    place.database.dir.close()?;
    report
}

async fn on(place: &Place, tools: Registered, times: u8, bar: &ProgressBar) -> anyhow::Result<Value> {
    let state = place.database.dir.path().join("state");
    std::fs::create_dir(&state)?;
    bar.set_message("starting a host for the first time");
    let first = place.start(&state).await?;
    bar.inc(1);
    bar.set_message("starting a host with few tools");
    let few = place.start_often(&state, times, bar).await?;
    tools.insert(&place.database.local.owner_url()).await?;
    bar.set_message("starting a host with many tools");
    let many = place.start_often(&state, times, bar).await?;
    Ok(json!({
        "first": first, "few_tools": few, "many_tools": many,
        "ratio_first_call": many.first_call_s / few.first_call_s,
    }))
}

impl Place {
    async fn prepare() -> anyhow::Result<Self> {
        let database = Database::prepare(ITEMS).await?;
        let secret = new_secret()?;
        let anon_key = mint_key(&secret, "anon")?;
        let token = mint_token(&secret, &TokenRequest::for_user(&Uuid::from_u128(7).to_string()))?;
        let call = tool_call(&anon_key, &token, "empty", r#"{"arguments":{}}"#);
        let settings = vec![
            ("HOST_DATABASE_URL", database.host.clone()),
            ("TOOL_DATABASE_URL", database.tool.clone()),
            ("SERVICE_ROLE_KEY", mint_key(&secret, "service_role")?),
            ("JWT_SECRET", secret),
            ("ANON_KEY", anon_key),
            ("LOG", "warn".to_owned()),
        ];
        Ok(Self { database, settings, call })
    }

    async fn start_often(&self, state: &Path, times: u8, bar: &ProgressBar) -> anyhow::Result<Start> {
        let mut starts = Vec::new();
        for _ in 0..times {
            starts.push(self.start(state).await?);
            bar.inc(1);
        }
        Start::of_all(&starts)
    }

    async fn start(&self, state: &Path) -> anyhow::Result<Start> {
        let started = Instant::now();
        let passed = || started.elapsed().as_secs_f64();
        let mut host = HostProcess::spawn(&self.settings, state)?;
        let mut connection = first_connection(&mut host).await?;
        let listens_s = passed();
        ensure!(is_success(connection.send(&get("/healthz")).await?), "the host is not healthy");
        let healthz_s = passed();
        while !is_success(connection.send(&get("/readyz")).await?) {
            host.check().await?;
            ensure!(started.elapsed() < PATIENCE, "the host is not ready within {} seconds", PATIENCE.as_secs());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let readyz_s = passed();
        let answer = connection.send(&self.call).await?;
        ensure!(is_success(answer), "a call failed: {}", String::from_utf8_lossy(answer));
        let first_call_s = passed();
        let resident_mib = f64::from(u32::try_from(host.resident_kib()?)?) / 1024.0;
        host.stop().await?;
        // It was killed, so its key stays, and the next host would wait until nobody can hold a key set without its
        // own.
        run_script(&self.database.local.owner_url(), "delete from ai.assertion_keys").await?;
        Ok(Start { listens_s, healthz_s, readyz_s, first_call_s, resident_mib })
    }
}

/// Connects as soon as the host listens.
async fn first_connection(host: &mut HostProcess) -> anyhow::Result<Connection> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok(connection) = Connection::open(host.address).await
            && !connection.is_to_itself()
        {
            return Ok(connection);
        }
        host.check().await?;
        ensure!(Instant::now() < until, "the host does not listen within {} seconds", PATIENCE.as_secs());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
