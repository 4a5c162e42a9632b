//! A Postgres that is kept from one command to the next, with the demo's tables in a database that each command copies. To make a
//! cluster and to migrate it takes seconds, and to copy a database a moment.
//!
//! Nothing of a command stays: its database is dropped, and a cluster in which it made more than that is removed.

use std::path::Path;

use anyhow::Context as _;
use behalf_host_db::run_script;
use behalf_local_postgres::{LocalOptions, LocalPostgres, StartError};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::cache;
use crate::whole_file::{PRIVATE, replace_file};

/// Clusters for commands that run at once. Further ones make a cluster of their own.
const CLUSTERS: usize = 3;
/// Says that a cluster is complete; it has the password of the logins.
const READY: &str = "logins";
/// The database of a command.
const OF_COMMAND: &str = "trial";
/// The database from which others are made and dropped.
const MAINTENANCE: &str = "postgres";
/// Remembers the roles of a cluster, with what they may and their settings, and without their passwords: those are set anew each time.
const REMEMBER: &str = "create view roles_now as
        select r::text as role from pg_catalog.pg_roles r
        union all select s::text from pg_catalog.pg_db_role_setting s where s.setdatabase = 0;
    create table roles_before as select role from roles_now";
/// Fails where they are other ones now.
const COMPARE: &str = "do $$ begin
    if exists ((table roles_now except table roles_before) union all (table roles_before except table roles_now))
    then raise exception 'the roles have changed'; end if; end $$";

/// A kept cluster that is this command's, with a database of its own.
#[derive(Debug)]
pub(crate) struct KeptCluster {
    local: LocalPostgres,
    /// The password of the host's login and of the tools'.
    pub(crate) password: String,
    /// The address of the command's database for its owner.
    pub(crate) owner_url: String,
}

impl KeptCluster {
    /// Takes a cluster that no other command uses. `fill` makes the database that is copied, of its owner's address and the password of
    /// its logins. None where there is no place for clusters, or all of them are in use.
    pub(crate) async fn take<F: AsyncFn(&str, &str) -> anyhow::Result<()>>(
        options: &LocalOptions,
        fill: F,
    ) -> anyhow::Result<Option<Self>> {
        let Some(all) = cache::folder("postgres") else { return Ok(None) };
        let of_this = all.join(version()?);
        if !of_this.exists() {
            remove_clusters(options, &all).await;
        }
        for number in 0..CLUSTERS {
            let folder = of_this.join(number.to_string());
            match open(options, &folder, &fill).await {
                Ok((local, password)) => return Self::copy(local, password).await.map(Some),
                Err(Failure::InUse) => {}
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn copy(local: LocalPostgres, password: String) -> anyhow::Result<Self> {
        let (maintenance, base) = (at(&local, MAINTENANCE)?, base(&local)?);
        // A command that was killed leaves its own.
        run_script(&maintenance, &format!("drop database if exists {OF_COMMAND} with (force)")).await?;
        run_script(&maintenance, &format!("create database {OF_COMMAND} template {base}")).await?;
        let owner_url = at(&local, OF_COMMAND)?;
        Ok(Self { local, password, owner_url })
    }

    /// The server.
    pub(crate) fn local(&self) -> &LocalPostgres {
        &self.local
    }

    /// Drops the command's database and stops the server. The cluster stays, unless there is more in it than was before.
    pub(crate) async fn discard(self) -> anyhow::Result<()> {
        let maintenance = at(&self.local, MAINTENANCE)?;
        let restored = async {
            run_script(&maintenance, &format!("drop database {OF_COMMAND} with (force)")).await?;
            run_script(&maintenance, COMPARE).await
        };
        if restored.await.is_ok() {
            self.local.stop().await?;
        } else {
            self.local.discard().await?;
        }
        Ok(())
    }
}

enum Failure {
    InUse,
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Starts the cluster of a folder. One that is not complete is made anew.
async fn open<F: AsyncFn(&str, &str) -> anyhow::Result<()>>(
    options: &LocalOptions,
    folder: &Path,
    fill: &F,
) -> Result<(LocalPostgres, String), Failure> {
    let options = LocalOptions { dir: folder.to_path_buf(), ..options.clone() };
    let start = async || match LocalPostgres::start(&options).await {
        Ok(local) => Ok(local),
        Err(StartError::InUse { .. }) => Err(Failure::InUse),
        Err(error) => Err(error.into()),
    };
    let (ready, is_begun) = (options.dir.join(READY), options.dir.exists());
    let mut local = start().await?;
    if let Ok(password) = std::fs::read_to_string(&ready) {
        return Ok((local, password));
    }
    // A command ended in the middle of making it.
    if is_begun {
        local.discard().await?;
        local = start().await?;
    }
    let password = behalf_identity::new_secret()?;
    let filled = async {
        fill(&local.owner_url(), &password).await?;
        anyhow::Ok(run_script(&at(&local, MAINTENANCE)?, REMEMBER).await?)
    };
    if let Err(error) = filled.await {
        local.discard().await.ok();
        return Err(Failure::Other(error));
    }
    replace_file(&ready, password.as_bytes(), PRIVATE)?;
    Ok((local, password))
}

/// Removes the clusters of other versions of this program, but for those that are in use.
async fn remove_clusters(options: &LocalOptions, all: &Path) {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for version in entries(all).collect::<Vec<_>>() {
        for cluster in entries(&version).collect::<Vec<_>>() {
            LocalPostgres::remove(&LocalOptions { dir: cluster, ..options.clone() }).await.ok();
        }
        // Where one is in use, the next version removes it.
        std::fs::remove_dir(&version).ok();
    }
}

/// The name of the database that is copied.
fn base(local: &LocalPostgres) -> anyhow::Result<String> {
    let url = Url::parse(&local.owner_url())?;
    Ok(url.path().trim_start_matches('/').to_owned())
}

/// The owner's address of a database.
fn at(local: &LocalPostgres, database: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(&local.owner_url())?;
    url.set_path(database);
    Ok(url.into())
}

/// Which program made a cluster: another one may have other migrations.
fn version() -> anyhow::Result<String> {
    let program = std::env::current_exe().context("this program's own file")?;
    let facts = std::fs::metadata(&program)?;
    let text = format!("{} {} {:?}", program.display(), facts.len(), facts.modified()?);
    Ok(hex::encode(&Sha256::digest(text)[..8]))
}
