//! A database, a host on it and a user, made for one measurement.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tempfile::TempDir;
use uuid::Uuid;

use super::host::HostProcess;
use crate::app::{App, AppState, Stopping};
use behalf_config::{Settings, environment};
use behalf_host_db::{MigrateOptions, migrate, run_script};
use behalf_identity::{TokenRequest, mint_key, mint_token, new_secret};
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_pgwire::Target;
use behalf_toolchain::{demo, login_address, session_limit};

/// Rows of the table of [`ITEMS`].
pub(super) const ROWS: u32 = 100_000;
/// Users who own them, each five hundred: the first owns row 0, 200 and so on.
pub(super) const OWNERS: u32 = 200;
/// What changes of rows write.
pub(super) const NEW_TITLE: &str = "item changed";
/// The owner whose rows a single caller asks for.
const FIRST_OWNER: u16 = 7;
/// The statements that make one large table.
pub(super) const ITEMS: &str = "
    create table public.items (id integer primary key, owner_id uuid not null, title text not null);
    insert into public.items select n, ('00000000-0000-4000-8000-' || lpad((n % 200)::text, 12, '0'))::uuid, 'item ' || n
        from generate_series(0, 99999) n;
    create index on public.items (owner_id);
    alter table public.items enable row level security;
    create policy owner on public.items to authenticated using (owner_id = (select auth.uid()));
    grant select on public.items to authenticated;
    analyze public.items;";

/// What a database is filled with, and the users who call.
pub(super) struct Scene {
    seed: Cow<'static, str>,
    /// Each with the first of their rows.
    users: Vec<(Uuid, u32)>,
    /// Settings of the server beside those of the others.
    settings: Vec<(String, String)>,
}

impl Scene {
    /// One large table, and so many of its owners.
    pub(super) fn items(users: u16) -> Self {
        let owners = (FIRST_OWNER..).map(|owner| u32::from(owner) % OWNERS).take(usize::from(users));
        Self {
            seed: Cow::Borrowed(ITEMS),
            users: owners.map(|owner| (owner_id(owner), owner)).collect(),
            settings: Vec::new(),
        }
    }

    /// [`ITEMS`] and further tables beside it, made by these statements; one of the owners calls.
    pub(super) fn items_and(more: &str) -> Self {
        Self { seed: Cow::Owned(format!("{ITEMS}{more}")), ..Self::items(1) }
    }

    /// The same on a server with these settings.
    pub(super) fn with_settings(mut self, settings: &[(&str, &str)]) -> Self {
        self.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// The demo's tables.
    pub(super) fn demo() -> Self {
        Self { seed: Cow::Borrowed(demo::SEED), users: vec![(demo::ALICE, 0)], settings: Vec::new() }
    }
}

/// The id of an owner of [`ITEMS`], which ends with the decimal digits of its number.
pub(super) fn owner_id(number: u32) -> Uuid {
    let (mut rest, mut shift, mut digits) = (number, 0_u32, 0_u128);
    while rest > 0 {
        digits += u128::from(rest % 10) << shift;
        rest /= 10;
        shift += 4;
    }
    Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000 + digits)
}

/// A user who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: Uuid,
    pub(super) token: String,
    /// The first of the user's rows; every two hundredth after it is theirs too.
    pub(super) first_row: u32,
}

/// A database of a server of its own, migrated and filled, and the addresses of its logins.
pub(super) struct Database {
    pub(super) dir: TempDir,
    pub(super) local: LocalPostgres,
    password: String,
    pub(super) host: String,
    pub(super) tool: String,
}

impl Database {
    pub(super) async fn prepare(seed: &str) -> anyhow::Result<Self> {
        Self::for_connections(seed, 0, &[]).await
    }

    /// The same, for so many connections of tools, and as many each of pgbench and of a peer.
    async fn for_connections(seed: &str, connections: usize, settings: &[(String, String)]) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        // The usual number is enough for a few; hosts need some for their own tables.
        let most = (connections * 3 + 100).max(200);
        let options = LocalOptions {
            dir: dir.path().join("postgres"),
            bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
            port: None,
            settings: [("max_connections".to_owned(), most.to_string())]
                .into_iter()
                .chain(settings.iter().cloned())
                .collect(),
        };
        let local = LocalPostgres::start(&options).await?;
        let owner = local.owner_url();
        let password = new_secret()?;
        // As in `behalf dev`.
        let logins = local.owner_socket_url();
        let host = login(&logins, "behalf_host", &password)?;
        let tool = login(&logins, "behalf_tool_authenticated", &password)?;
        migrate(&owner, &Target::parse(&host)?, &Target::parse(&tool)?, &MigrateOptions::default()).await?;
        run_script(&owner, seed).await?;
        Ok(Self { dir, local, password, host, tool })
    }
}

/// A database, a host on it, and a user, all gone afterwards.
pub(super) struct TestBed {
    local: LocalPostgres,
    dir: TempDir,
    pub(super) state: AppState,
    pub(super) address: std::net::SocketAddr,
    /// The users who call, at least one.
    pub(super) callers: Vec<Caller>,
    /// The token of the first of them.
    pub(super) token: String,
    pub(super) anon_key: String,
    pub(super) service_key: String,
    /// The secret of the tokens.
    pub(super) secret: String,
    pub(super) password: String,
    stop: tokio::sync::oneshot::Sender<()>,
    server: tokio::task::JoinHandle<Result<(), crate::app::StartError>>,
}

impl TestBed {
    pub(super) async fn prepare(scene: &Scene, connections: usize) -> anyhow::Result<Self> {
        let Database { dir, local, password, host, tool } =
            Database::for_connections(&scene.seed, connections, &scene.settings).await?;
        let secret = new_secret()?;
        let (anon_key, service_key) = (mint_key(&secret, "anon")?, mint_key(&secret, "service_role")?);
        let settings = Settings::from_pairs([
            ("host_database_url", host),
            ("tool_database_url", tool),
            ("bind", "127.0.0.1:0".to_owned()),
            ("state_dir", dir.path().join("state").display().to_string()),
            ("anon_key", anon_key.clone()),
            ("service_role_key", service_key.clone()),
            ("jwt_secret", secret.clone()),
            ("tool_connections", connections.to_string()),
            // What is measured is the host, not the patience it has with one caller.
            ("rate_limit_user", "0".to_owned()),
            ("rate_limit_runs", "0".to_owned()),
            ("concurrent_runs_user", "0".to_owned()),
            ("concurrent_streams_user", "0".to_owned()),
            ("auth_tries_per_5_minutes", "0".to_owned()),
            ("auth_refreshes_per_5_minutes", "0".to_owned()),
            // Where `./dev` puts the files of the local model.
            ("embedding_weights", environment("BEHALF_EMBEDDING_WEIGHTS").unwrap_or_default()),
        ])?;
        let limit = session_limit(&local, settings.tool_memory_mib);
        let app = App::build_limited(settings, None, limit).await?;
        let (state, address) = (app.state().clone(), app.address().context("no address")?);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(app.serve(async move {
            stopped.await.ok();
            Stopping::at_once("the measurement has ended")
        }));
        let caller = |(user, first_row): &(Uuid, u32)| -> anyhow::Result<Caller> {
            let token = mint_token(&secret, &TokenRequest::for_user(&user.to_string()))?;
            Ok(Caller { user: *user, token, first_row: *first_row })
        };
        let callers = scene.users.iter().map(caller).collect::<Result<Vec<_>, _>>()?;
        let token = callers.first().context("nobody calls")?.token.clone();
        Ok(Self { local, dir, state, address, callers, token, anon_key, service_key, secret, password, stop, server })
    }

    /// Another host on the same database, in a process of its own.
    pub(super) async fn process(&self) -> anyhow::Result<HostProcess> {
        let logins = self.local.owner_socket_url();
        let settings = [
            ("HOST_DATABASE_URL", login(&logins, "behalf_host", &self.password)?),
            ("TOOL_DATABASE_URL", login(&logins, "behalf_tool_authenticated", &self.password)?),
            ("JWT_SECRET", self.secret.clone()),
            ("ANON_KEY", self.anon_key.clone()),
            ("SERVICE_ROLE_KEY", self.service_key.clone()),
            ("RATE_LIMIT_USER", "0".to_owned()),
            ("RATE_LIMIT_ANON", "0".to_owned()),
            // Both sweep what no object names, so both must reach it.
            ("STORAGE", format!("file://{}", self.dir.path().join("state/storage").display())),
            ("LOG", "warn".to_owned()),
        ];
        let state = self.dir.path().join("process");
        std::fs::create_dir(&state)?;
        HostProcess::start(&settings, &state).await
    }

    /// The server that everything is measured on.
    pub(super) fn postgres(&self) -> &LocalPostgres {
        &self.local
    }

    pub(super) fn version(&self) -> &str {
        self.local.version()
    }

    /// The first caller, as a request makes one.
    pub(super) async fn principal(&self) -> anyhow::Result<Arc<behalf_identity::Principal>> {
        Ok(self.state.web.verifier.verify(&self.token).await?)
    }

    pub(super) async fn clear(self) -> anyhow::Result<()> {
        self.stop.send(()).ok();
        self.server.await??;
        drop(self.state);
        self.local.discard().await?;
        self.dir.close()?;
        Ok(())
    }
}

fn login(owner: &str, user: &str, password: &str) -> anyhow::Result<String> {
    Ok(login_address(owner, user, password)?.expose().to_owned())
}
