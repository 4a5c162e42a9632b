//! A database and a host, both of which can be killed and come back.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use behalf_config::environment;
use behalf_identity::{TokenRequest, mint_key, mint_token, new_secret};
use behalf_local_postgres::LocalPostgres;
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

use super::super::host::HostProcess;
use super::super::killed_postgres;
use super::super::test_bed::{Database, owner_id};

/// Users who upload, each in turn.
pub(super) const USERS: u32 = 8;
/// Seconds after which what a killed host left is taken over or deleted.
const LEASE: &str = "3";

/// Where the host is now, and with what it is asked.
#[derive(Clone, Debug)]
pub(super) struct Target {
    address: watch::Receiver<SocketAddr>,
    pub(super) anon_key: String,
    /// One for each user.
    pub(super) tokens: Vec<String>,
}

impl Target {
    /// The address of the host that was started last.
    pub(super) fn address(&self) -> SocketAddr {
        *self.address.borrow()
    }

    /// The address of one of its routes.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }
}

pub(super) struct Stage {
    dir: TempDir,
    local: Option<LocalPostgres>,
    version: String,
    owner_url: String,
    settings: Vec<(&'static str, String)>,
    host: Option<HostProcess>,
    address: watch::Sender<SocketAddr>,
    target: Target,
}

impl Stage {
    pub(super) async fn start(database: Database) -> anyhow::Result<Self> {
        let Database { dir, local, host, tool, .. } = database;
        let secret = new_secret()?;
        let anon_key = mint_key(&secret, "anon")?;
        let mut settings = vec![
            ("HOST_DATABASE_URL", host),
            ("TOOL_DATABASE_URL", tool),
            ("JWT_SECRET", secret.clone()),
            ("ANON_KEY", anon_key.clone()),
            ("SERVICE_ROLE_KEY", mint_key(&secret, "service_role")?),
            ("RATE_LIMIT_USER", "0".to_owned()),
            ("RATE_LIMIT_ANON", "0".to_owned()),
            ("STORAGE_ABANDONED_SECONDS", LEASE.to_owned()),
            ("JOBS_LEASE_SECONDS", LEASE.to_owned()),
            // All documents of a part may wait at once.
            ("JOBS_MAX_WAITING", "0".to_owned()),
            ("SOURCES_MAX_WAITING", u32::MAX.to_string()),
            ("LOG", "warn".to_owned()),
        ];
        // Where `./dev` puts the files of the local model.
        settings.extend(environment("BEHALF_EMBEDDING_WEIGHTS").map(|folder| ("EMBEDDING_WEIGHTS", folder)));
        let state = dir.path().join("state");
        std::fs::create_dir(&state)?;
        let running = HostProcess::start(&settings, &state).await?;
        let (address, present) = watch::channel(running.address);
        let token = |user: Uuid| mint_token(&secret, &TokenRequest::for_user(&user.to_string()));
        let tokens = (0..USERS).map(|user| token(owner_id(user))).collect::<Result<_, _>>()?;
        let target = Target { address: present, anon_key, tokens };
        let (version, owner_url) = (local.version().to_owned(), local.owner_url());
        Ok(Self { dir, version, owner_url, local: Some(local), settings, host: Some(running), address, target })
    }

    pub(super) fn target(&self) -> Target {
        self.target.clone()
    }

    pub(super) fn owner_url(&self) -> String {
        self.owner_url.clone()
    }

    pub(super) fn version(&self) -> String {
        self.version.clone()
    }

    /// The folder of the bytes.
    pub(super) fn files(&self) -> PathBuf {
        self.dir.path().join("state/storage")
    }

    /// Memory of the host, in KiB.
    pub(super) fn resident_kib(&self) -> anyhow::Result<u64> {
        self.host.as_ref().context("no host")?.resident_kib()
    }

    /// Kills the host, and starts another.
    pub(super) async fn kill_host(&mut self) -> anyhow::Result<()> {
        self.host.take().context("no host")?.stop().await?;
        let host = HostProcess::start(&self.settings, &self.dir.path().join("state")).await?;
        self.address.send_replace(host.address);
        self.host = Some(host);
        Ok(())
    }

    /// Kills the server of the database with its sessions, and starts it again.
    pub(super) async fn kill_postgres(&mut self) -> anyhow::Result<()> {
        let local = self.local.take().context("no server")?;
        self.local = Some(killed_postgres::kill_and_start(local, self.dir.path()).await?);
        Ok(())
    }

    pub(super) async fn clear(mut self) -> anyhow::Result<()> {
        if let Some(host) = self.host.take() {
            host.stop().await?;
        }
        if let Some(local) = self.local.take() {
            local.discard().await?;
        }
        self.dir.close()?;
        Ok(())
    }
}
