//! The database that `behalf tool run` and `behalf tool check` call tools on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use behalf_caller_db::{CallerDb, ToolSessions};
use behalf_config::{Secret, Settings, environment};
use behalf_host_db::{HostDb, LoginNames, MigrateOptions, migrate, migration_status, run_script};
use behalf_identity::{Role, new_secret};
use behalf_jobs::Jobs;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_pgwire::Target;
use tempfile::TempDir;
use url::Url;

use crate::demo;
use crate::dev_env::DevEnv;
use crate::kept_cluster::KeptCluster;
use crate::login::login_address;
use crate::session_limit::session_limit;

/// Speed over safety: this database is thrown away.
const QUICK: [(&str, &str); 3] = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];

/// Components are kept as they are: to compress one of Python takes longer than its call.
const AS_THEY_ARE: &str = "alter table ai.component alter column bytes set storage external";

/// One command needs few connections.
const HOST_CONNECTIONS: u32 = 4;
const TOOL_CONNECTIONS: usize = 2;
/// How long a call waits for one.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A throw-away database, or the one that the command was given.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    host: Secret,
    tools: Secret,
    logins: LoginNames,
    server: Server,
}

/// Where the database is.
#[derive(Debug)]
enum Server {
    /// The command was given it.
    Given,
    /// In a cluster that is kept for other commands.
    Kept(KeptCluster),
    /// In a cluster that was made for this command.
    Own(LocalPostgres, TempDir),
}

impl TestDatabase {
    /// Starts a new Postgres with the demo's tables and rows, and those of a fixture.
    pub(crate) async fn throw_away(fixture: Option<&Path>) -> anyhow::Result<Self> {
        let fixture = fixture.map(|path| {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            anyhow::Ok((path, text))
        });
        let fixture = fixture.transpose()?;
        eprintln!("behalf: starting a throw-away Postgres (--database-url uses another)");
        let mut options = LocalOptions {
            dir: PathBuf::new(),
            bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
            port: None,
            settings: QUICK.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        };
        // What cannot be kept is made anew.
        if let Ok(Some(kept)) = KeptCluster::take(&options, fill).await {
            let (host, tools) = addresses(&kept.owner_url, &LoginNames::default(), &kept.password)?;
            let password = kept.password.clone();
            let made = Self { host, tools, logins: LoginNames::default(), server: Server::Kept(kept) };
            // A copy of a database has not its settings and rights, and the logins are those of the one that was copied.
            let options = MigrateOptions { take_over_logins: true, ..MigrateOptions::default() };
            migrated(&made.owner(None)?, &password, &options).await?;
            return made.with(fixture.as_ref()).await;
        }
        let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
        options.dir = dir.path().join("postgres");
        let local = LocalPostgres::start(&options).await?;
        let (owner, password) = (local.owner_url(), new_secret()?);
        let (host, tools) = addresses(&owner, &LoginNames::default(), &password)?;
        let made = Self { host, tools, logins: LoginNames::default(), server: Server::Own(local, dir) };
        match fill(&owner, &password).await {
            Ok(()) => made.with(fixture.as_ref()).await,
            Err(error) => {
                made.discard().await.ok();
                Err(error)
            }
        }
    }

    /// The same with the tables and rows of a fixture.
    async fn with(self, fixture: Option<&(&Path, String)>) -> anyhow::Result<Self> {
        let Some((path, sql)) = fixture else { return Ok(self) };
        match run_script(&self.owner(None)?, sql).await {
            Ok(()) => Ok(self),
            Err(error) => {
                self.discard().await.ok();
                Err(error).with_context(|| format!("the fixture {}", path.display()))
            }
        }
    }

    /// Takes the database of this owner. It has to be migrated, and the logins' passwords have to be known.
    pub(crate) async fn given(owner: &str, settings: &Settings) -> anyhow::Result<Self> {
        let status = migration_status(owner).await.context("--database-url")?;
        let missing: Vec<_> = status.iter().filter(|one| !one.applied).map(|one| one.name.as_str()).collect();
        if !missing.is_empty() {
            bail!(
                "the database lacks the migrations {}; run BEHALF_DATABASE_URL=… behalf migrate first",
                missing.join(", ")
            );
        }
        let logins = LoginNames::new(&settings.login_prefix)?;
        if let (Some(host), Some(tools)) = (&settings.host_database_url, &settings.tool_database_url) {
            let (host, tools) = (same_database(owner, host)?, same_database(owner, tools)?);
            return Ok(Self { host, tools, logins, server: Server::Given });
        }
        let dev = DevEnv::read(&settings.state_dir).ok().filter(|env| env.database_url == owner);
        let env = dev.context(
            "the passwords of the logins are not known; set BEHALF_HOST_DATABASE_URL and BEHALF_TOOL_DATABASE_URL, as for `behalf serve`",
        )?;
        let password = &env.login_password;
        let (host, tools) = addresses(owner, &logins, password)?;
        Ok(Self { host, tools, logins, server: Server::Given })
    }

    /// Connects as the host and as tools, whose sessions may have `memory_mib` each where the database is a throw-away one.
    pub(crate) async fn connect(&self, memory_mib: u64, jobs: &Jobs) -> anyhow::Result<(HostDb, CallerDb)> {
        let tools = Target::parse(self.tools.expose()).context("BEHALF_TOOL_DATABASE_URL")?;
        let host = HostDb::connect(self.host.expose(), HOST_CONNECTIONS).await?;
        let limit = self.server.local().and_then(|local| session_limit(local, memory_mib));
        let sessions =
            ToolSessions { logins: self.logins.clone(), connections: TOOL_CONNECTIONS, max_wait: MAX_WAIT, limit };
        let callers = CallerDb::connect(&host, &tools, sessions, jobs).await?;
        Ok((host, callers))
    }

    /// The owner's address: the throw-away database's, else the one that the command was given.
    pub(crate) fn owner(&self, given: Option<&str>) -> anyhow::Result<String> {
        let made = match &self.server {
            Server::Given => None,
            Server::Kept(kept) => Some(kept.owner_url.clone()),
            Server::Own(local, _) => Some(local.owner_url()),
        };
        made.or_else(|| given.map(str::to_owned)).context("the database's owner is not known")
    }

    /// Deletes the database, where it is a throw-away one.
    pub(crate) async fn discard(self) -> anyhow::Result<()> {
        match self.server {
            Server::Given => {}
            Server::Kept(kept) => kept.discard().await?,
            Server::Own(local, _dir) => local.discard().await?,
        }
        Ok(())
    }
}

impl Server {
    /// The server, where the command started it.
    fn local(&self) -> Option<&LocalPostgres> {
        match self {
            Self::Given => None,
            Self::Kept(kept) => Some(kept.local()),
            Self::Own(local, _) => Some(local),
        }
    }
}

/// Migrates a database, gives its logins this password, and makes the demo's tables and rows.
async fn fill(owner: &str, password: &str) -> anyhow::Result<()> {
    migrated(owner, password, &MigrateOptions::default()).await?;
    run_script(owner, AS_THEY_ARE).await?;
    demo::seed(owner).await
}

async fn migrated(owner: &str, password: &str, options: &MigrateOptions) -> anyhow::Result<()> {
    let (host, tools) = addresses(owner, &LoginNames::default(), password)?;
    migrate(owner, &Target::parse(host.expose())?, &Target::parse(tools.expose())?, options).await?;
    Ok(())
}

/// The addresses of the host's login and of the tools'.
fn addresses(owner: &str, logins: &LoginNames, password: &str) -> anyhow::Result<(Secret, Secret)> {
    let address = |login: &str| login_address(owner, login, password);
    Ok((address(&logins.host())?, address(&logins.tool(Role::Authenticated))?))
}

/// A setting's login at the database that the command names, because a test database often lies beside the one that is served.
fn same_database(owner: &str, login: &Secret) -> anyhow::Result<Secret> {
    let owner = Url::parse(owner).context("--database-url")?;
    let mut url = Url::parse(login.expose()).context("the login's address")?;
    if (owner.host_str(), owner.port()) != (url.host_str(), url.port()) {
        bail!(
            "--database-url names another server than BEHALF_HOST_DATABASE_URL and BEHALF_TOOL_DATABASE_URL; let all three name one"
        );
    }
    url.set_path(owner.path());
    Ok(Secret::new(url.into()))
}
