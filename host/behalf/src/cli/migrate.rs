//! `behalf migrate`: applies the migrations as the owner of the database.

use anyhow::Context;
use clap::Args;

use behalf_config::{ConfigError, Settings};
use behalf_host_db::{migrate, migration_status};
use behalf_pgwire::Target;

/// `behalf migrate`
#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Only show which migrations the database has.
    #[arg(long)]
    status: bool,
}

pub(super) async fn run(args: &MigrateArgs) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let missing = |name| ConfigError::Missing(name, "docs/settings.md lists every setting");
    let owner = settings.database_url.as_ref().ok_or_else(|| missing("DATABASE_URL"))?;
    let status = if args.status {
        migration_status(owner.expose()).await?
    } else {
        let host = settings.host_database_url.as_ref().ok_or_else(|| missing("HOST_DATABASE_URL"))?;
        let tools = settings.tool_database_url.as_ref().ok_or_else(|| missing("TOOL_DATABASE_URL"))?;
        let host = Target::parse(host.expose()).context("BEHALF_HOST_DATABASE_URL")?;
        let tools = Target::parse(tools.expose()).context("BEHALF_TOOL_DATABASE_URL")?;
        migrate(owner.expose(), &host, &tools).await?
    };
    for one in status {
        println!("{:04} {:<24} {}", one.version, one.name, if one.applied { "applied" } else { "missing" });
    }
    Ok(())
}
