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
use crate::login::login_address;
use crate::session_limit::session_limit;

/// Speed over safety: this database is thrown away.
const QUICK: [(&str, &str); 3] = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];

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
    local: Option<(LocalPostgres, TempDir)>,
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
        let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
        let options = LocalOptions {
            dir: dir.path().join("postgres"),
            bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
            port: None,
            settings: QUICK.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        };
        let local = LocalPostgres::start(&options).await?;
        let owner = local.owner_url();
        match fill(&owner, fixture.as_ref()).await {
            Ok((host, tools)) => Ok(Self { host, tools, logins: LoginNames::default(), local: Some((local, dir)) }),
            Err(error) => {
                local.discard().await.ok();
                Err(error)
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
            return Ok(Self { host, tools, logins, local: None });
        }
        let dev = DevEnv::read(&settings.state_dir).ok().filter(|env| env.database_url == owner);
        let env = dev.context(
            "the passwords of the logins are not known; set BEHALF_HOST_DATABASE_URL and BEHALF_TOOL_DATABASE_URL, as for `behalf serve`",
        )?;
        let password = &env.login_password;
        let (host, tools) = addresses(owner, &logins, password)?;
        Ok(Self { host, tools, logins, local: None })
    }

    /// Connects as the host and as tools, whose sessions may have `memory_mib` each where the database is a throw-away one.
    pub(crate) async fn connect(&self, memory_mib: u64, jobs: &Jobs) -> anyhow::Result<(HostDb, CallerDb)> {
        let tools = Target::parse(self.tools.expose()).context("BEHALF_TOOL_DATABASE_URL")?;
        let host = HostDb::connect(self.host.expose(), HOST_CONNECTIONS).await?;
        let limit = self.local.as_ref().and_then(|(local, _)| session_limit(local, memory_mib));
        let sessions =
            ToolSessions { logins: self.logins.clone(), connections: TOOL_CONNECTIONS, max_wait: MAX_WAIT, limit };
        let callers = CallerDb::connect(&host, &tools, sessions, jobs).await?;
        Ok((host, callers))
    }

    /// The owner's address: the throw-away database's, else the one that the command was given.
    pub(crate) fn owner(&self, given: Option<&str>) -> anyhow::Result<String> {
        let made = self.local.as_ref().map(|(local, _)| local.owner_url());
        made.or_else(|| given.map(str::to_owned)).context("the database's owner is not known")
    }

    /// Deletes the database, where it is a throw-away one.
    pub(crate) async fn discard(self) -> anyhow::Result<()> {
        if let Some((local, _dir)) = self.local {
            local.discard().await?;
        }
        Ok(())
    }
}

/// Migrates, makes the demo's rows and the fixture's, and returns the addresses of the host's and the tools' logins.
async fn fill(owner: &str, fixture: Option<&(&Path, String)>) -> anyhow::Result<(Secret, Secret)> {
    let password = new_secret()?;
    let (host, tools) = addresses(owner, &LoginNames::default(), &password)?;
    let options = MigrateOptions::default();
    migrate(owner, &Target::parse(host.expose())?, &Target::parse(tools.expose())?, &options).await?;
    demo::seed(owner).await?;
    if let Some((path, sql)) = fixture {
        run_script(owner, sql).await.with_context(|| format!("the fixture {}", path.display()))?;
    }
    Ok((host, tools))
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
