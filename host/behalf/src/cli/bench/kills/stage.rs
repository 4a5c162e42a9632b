//! A database and two hosts on it, all of which are killed and come back.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use behalf_identity::{TokenRequest, mint_key, mint_token, new_secret};
use behalf_local_postgres::LocalPostgres;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, Row};
use tempfile::TempDir;

use super::super::killed_hosts::{Addresses, KilledHosts};
use super::super::killed_postgres;
use super::super::test_bed::{Database, owner_id};
use super::outside::{Calls, TOOL};

/// How many hosts there are: while one is away, the other serves.
const HOSTS: usize = 2;
/// Seconds after which what a killed host left is taken over.
const LEASE: &str = "3";
/// How often unfinished runs are counted in the end.
const LOOK: Duration = Duration::from_millis(200);

pub(super) struct Stage {
    dir: TempDir,
    local: Option<LocalPostgres>,
    version: String,
    owner_url: String,
    hosts: KilledHosts,
    secret: String,
    service_key: String,
    pub(super) anon_key: String,
}

impl Stage {
    /// Starts the hosts. The model and the server of the tool are at `outside`.
    pub(super) async fn start(outside: &str) -> anyhow::Result<Self> {
        let Database { dir, local, host, tool, .. } = Database::prepare(include_str!("seed.sql")).await?;
        let secret = new_secret()?;
        let (anon_key, service_key) = (mint_key(&secret, "anon")?, mint_key(&secret, "service_role")?);
        let mut settings = vec![
            ("HOST_DATABASE_URL", host),
            ("TOOL_DATABASE_URL", tool),
            ("JWT_SECRET", secret.clone()),
            ("ANON_KEY", anon_key.clone()),
            ("SERVICE_ROLE_KEY", service_key.clone()),
            ("MODEL_BASE_URL", format!("http://{outside}/v1")),
            ("MODEL_API_KEY", "a-key".to_owned()),
            ("MODEL_DEFAULT", "openai/scripted".to_owned()),
            ("HTTP_ALLOW_PRIVATE", outside.to_owned()),
            ("RUN_LEASE_SECONDS", LEASE.to_owned()),
            ("JOBS_LEASE_SECONDS", LEASE.to_owned()),
            // The tool's server looks at no signature, so a new key may sign at once.
            ("KEY_SET_CACHE_SECONDS", "0".to_owned()),
            ("LOG", "error".to_owned()),
        ];
        let unbounded = ["RATE_LIMIT_USER", "RATE_LIMIT_ANON", "RATE_LIMIT_RUNS", "CONCURRENT_RUNS_USER"];
        settings.extend(unbounded.map(|name| (name, "0".to_owned())));
        settings
            .extend(behalf_config::environment("BEHALF_EMBEDDING_WEIGHTS").map(|folder| ("EMBEDDING_WEIGHTS", folder)));
        let hosts = KilledHosts::start(settings, dir.path(), HOSTS).await?;
        let (version, owner_url) = (local.version().to_owned(), local.owner_url());
        Ok(Self { dir, local: Some(local), version, owner_url, hosts, secret, service_key, anon_key })
    }

    /// Makes the tool, and an agent that has it and may write. Returns the agent's id.
    pub(super) async fn prepare(&self, outside: &str) -> anyhow::Result<String> {
        let address = *self.addresses().first().context("no host")?.borrow();
        let http = reqwest::Client::new();
        let post = async |path: &str, body: Value| -> anyhow::Result<Value> {
            let request = http.post(format!("http://{address}{path}")).header("apikey", &self.anon_key);
            let answer = request.bearer_auth(&self.service_key).json(&body).send().await?;
            let (status, text) = (answer.status(), answer.text().await?);
            ensure!(status.is_success(), "{path}: {status} {text}");
            Ok(serde_json::from_str(&text)?)
        };
        let schema = json!({ "type": "object", "properties": { "key": { "type": "string" } }, "required": ["key"] });
        let config = json!({ "endpoint": format!("http://{outside}/mark") });
        let tool = json!({ "name": TOOL, "description": "Marks a key.", "type": "http", "input_schema": schema, "config": config });
        post("/api/tools", tool).await?;
        let agent = post("/api/agents", json!({ "name": "marker", "system_prompt": "Write, then mark." })).await?;
        let agent = agent["id"].as_str().context("an agent has an id")?.to_owned();
        for tool in ["database_write", TOOL] {
            post(&format!("/api/agents/{agent}/tools"), json!({ "tool_name": tool })).await?;
        }
        Ok(agent)
    }

    /// Where the hosts are.
    pub(super) fn addresses(&self) -> Addresses {
        self.hosts.addresses()
    }

    /// The token of a user of this number.
    pub(super) fn token(&self, number: u32) -> anyhow::Result<String> {
        Ok(mint_token(&self.secret, &TokenRequest::for_user(&owner_id(number).to_string()))?)
    }

    pub(super) fn version(&self) -> String {
        self.version.clone()
    }

    /// Kills a host as `kill -9` does, and starts it again. It is there again once it is ready.
    pub(super) async fn kill_host(&mut self, number: usize) -> anyhow::Result<()> {
        let number = number % HOSTS;
        let started = self.hosts.kill(number).await?.await?;
        self.hosts.is_back(number, started)
    }

    /// Kills the server of the database with its sessions, and starts it again.
    pub(super) async fn kill_postgres(&mut self) -> anyhow::Result<()> {
        let local = self.local.take().context("no server")?;
        self.local = Some(killed_postgres::kill_and_start(local, self.dir.path()).await?);
        Ok(())
    }

    /// Waits until no run is unfinished.
    pub(super) async fn settled(&self, within: Duration) -> anyhow::Result<()> {
        let (mut owner, end) = (self.owner().await?, Instant::now() + within);
        loop {
            let unfinished: i64 =
                sqlx::query_scalar("select count(*) from ai.agent_runs where status in ('pending', 'running')")
                    .fetch_one(&mut owner)
                    .await?;
            if unfinished == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < end, "{unfinished} runs did not end within {} s", within.as_secs());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How many rows each key has.
    pub(super) async fn rows(&self) -> anyhow::Result<Calls> {
        let mut owner = self.owner().await?;
        let counted = sqlx::query("select key, count(*) from public.marks group by key");
        let rows = counted.fetch_all(&mut owner).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, u64::try_from(row.try_get::<i64, _>(1)?)?))).collect()
    }

    async fn owner(&self) -> anyhow::Result<PgConnection> {
        Ok(self.owner_url.parse::<PgConnectOptions>()?.connect().await?)
    }

    pub(super) async fn clear(self) -> anyhow::Result<()> {
        self.hosts.stop().await?;
        if let Some(local) = self.local {
            local.discard().await?;
        }
        self.dir.close()?;
        Ok(())
    }
}
