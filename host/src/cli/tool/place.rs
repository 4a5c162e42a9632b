use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::TempDir;
use url::Url;

use crate::cli::demo;
use crate::cli::state_dir::DevEnv;
use crate::config::{Secret, Settings, environment};
use crate::db::{Billing, DbOptions, RunLimits, Target, migrate, migration_status, run_script};
use crate::identity::new_secret;
use crate::postgres::{LocalOptions, LocalPostgres};

/// Speed over safety: this database is thrown away.
const QUICK: [(&str, &str); 3] = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];

/// The database of one call.
#[derive(Debug)]
pub(super) struct Place {
    host: Secret,
    tools: Secret,
    local: Option<(LocalPostgres, TempDir)>,
}

impl Place {
    /// A new Postgres with the demo's tables and rows, and those of a fixture.
    pub(super) async fn throw_away(fixture: Option<&Path>) -> anyhow::Result<Self> {
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
        match furnish(&owner, fixture.as_ref()).await {
            Ok((host, tools)) => Ok(Self { host, tools, local: Some((local, dir)) }),
            Err(error) => {
                local.discard().await.ok();
                Err(error)
            }
        }
    }

    /// The database of this owner. It has to be migrated, and the logins' passwords have to be known.
    pub(super) async fn given(owner: &str, settings: &Settings) -> anyhow::Result<Self> {
        let status = migration_status(owner).await.context("--database-url")?;
        let missing: Vec<_> = status.iter().filter(|one| !one.applied).map(|one| one.name.as_str()).collect();
        if !missing.is_empty() {
            bail!(
                "the database lacks the migrations {}; run BEHALF_DATABASE_URL=… behalf migrate first",
                missing.join(", ")
            );
        }
        if let (Some(host), Some(tools)) = (&settings.host_database_url, &settings.tool_database_url) {
            let (host, tools) = (same_database(owner, host)?, same_database(owner, tools)?);
            return Ok(Self { host, tools, local: None });
        }
        let dev = DevEnv::read(&settings.state_dir).ok().filter(|env| env.database_url == owner);
        let env = dev.context(
            "the passwords of the logins are not known; set BEHALF_HOST_DATABASE_URL and BEHALF_TOOL_DATABASE_URL, as for `behalf serve`",
        )?;
        let (host, tools) =
            (login(owner, "behalf_host", &env.login_password)?, login(owner, "behalf_tool", &env.login_password)?);
        Ok(Self { host, tools, local: None })
    }

    /// How to reach it.
    pub(super) fn options(&self) -> DbOptions {
        DbOptions {
            host: self.host.clone(),
            tools: self.tools.clone(),
            host_connections: 4,
            tool_connections: 2,
            run_limits: RunLimits::default(),
            billing: Billing::default(),
            secrets: std::sync::Arc::default(),
        }
    }

    /// The address of its owner, who was given where it was not made for this.
    pub(super) fn owner(&self, given: Option<&str>) -> anyhow::Result<String> {
        let made = self.local.as_ref().map(|(local, _)| local.owner_url());
        made.or_else(|| given.map(str::to_owned)).context("the database's owner is not known")
    }

    /// Throws it away, where it was made for this.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        if let Some((local, _dir)) = self.local {
            local.discard().await?;
        }
        Ok(())
    }
}

async fn furnish(owner: &str, fixture: Option<&(&Path, String)>) -> anyhow::Result<(Secret, Secret)> {
    let password = new_secret()?;
    let (host, tools) = (login(owner, "behalf_host", &password)?, login(owner, "behalf_tool", &password)?);
    migrate(owner, &Target::parse(host.expose())?, &Target::parse(tools.expose())?).await?;
    demo::seed(owner).await?;
    if let Some((path, sql)) = fixture {
        run_script(owner, sql).await.with_context(|| format!("the fixture {}", path.display()))?;
    }
    Ok((host, tools))
}

fn login(owner: &str, user: &str, password: &str) -> anyhow::Result<Secret> {
    let mut url = Url::parse(owner).context("the database's address")?;
    url.set_username(user).and_then(|()| url.set_password(Some(password))).ok().context("the database's address")?;
    Ok(Secret::new(url.into()))
}

/// The login of a setting at the database that the command names: a test database is often beside the one that is served.
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
