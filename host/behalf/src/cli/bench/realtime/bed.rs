//! A database, and hosts on it whose callers nothing limits.

use anyhow::Context;
use behalf_identity::{TokenRequest, mint_key, mint_token, new_secret};
use behalf_local_postgres::LocalPostgres;
use tempfile::TempDir;
use uuid::Uuid;

use super::changes;
use crate::cli::bench::host::HostProcess;
use crate::cli::bench::test_bed::{Database, owner_id};

/// Everybody who has signed in may use every private channel.
const POLICIES: &str = "
    create policy bench_hears on realtime.messages for select to authenticated using (true);
    create policy bench_sends on realtime.messages for insert to authenticated with check (true);";

/// A database and its users.
pub(super) struct Bed {
    pub(super) postgres: LocalPostgres,
    dir: TempDir,
    settings: Vec<(&'static str, String)>,
    pub(super) anon_key: String,
    /// Of each user.
    pub(super) tokens: Vec<String>,
}

/// The user of this number.
pub(super) fn user(number: u32) -> Uuid {
    owner_id(number)
}

impl Bed {
    pub(super) async fn prepare(users: u16) -> anyhow::Result<Self> {
        let seed = format!("{POLICIES}{}", changes::TABLE);
        let Database { dir, local: postgres, host, tool, .. } = Database::prepare(&seed).await?;
        let secret = new_secret()?;
        let anon_key = mint_key(&secret, "anon")?;
        let token = |user: Uuid| mint_token(&secret, &TokenRequest::for_user(&user.to_string()));
        let tokens = changes::owners(users.max(1)).map(token).collect::<Result<_, _>>()?;
        let mut settings = vec![
            ("HOST_DATABASE_URL", host),
            ("TOOL_DATABASE_URL", tool),
            ("REPLICATION_DATABASE_URL", postgres.owner_url()),
            ("JWT_SECRET", secret.clone()),
            ("ANON_KEY", anon_key.clone()),
            ("SERVICE_ROLE_KEY", mint_key(&secret, "service_role")?),
            ("LOG", "warn".to_owned()),
        ];
        // What one user may have is another matter than what a host can hold.
        let unbounded = [
            "RATE_LIMIT_USER",
            "RATE_LIMIT_ANON",
            "REALTIME_SOCKETS",
            "REALTIME_SOCKETS_USER",
            "REALTIME_JOINS",
            "REALTIME_MESSAGES",
            "REALTIME_PRESENCES",
        ];
        settings.extend(unbounded.map(|name| (name, "0".to_owned())));
        Ok(Self { postgres, dir, settings, anon_key, tokens })
    }

    /// Starts a host of this name.
    pub(super) async fn host(&self, name: &str) -> anyhow::Result<HostProcess> {
        let state = self.dir.path().join(name);
        std::fs::create_dir(&state)?;
        let mut settings = self.settings.clone();
        // All hosts sweep what no object names, so all must reach it.
        settings.push(("STORAGE", format!("file://{}", self.dir.path().join("storage").display())));
        HostProcess::start(&settings, &state).await.context("cannot start a host")
    }

    pub(super) async fn clear(self) -> anyhow::Result<()> {
        self.postgres.discard().await?;
        self.dir.close()?;
        Ok(())
    }
}
