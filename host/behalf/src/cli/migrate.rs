//! `behalf migrate`: applies the migrations as the owner of the database.

use anyhow::Context;
use clap::Args;

use behalf_config::{ConfigError, Settings};
use behalf_host_db::{AppUse, Gap, LoginNames, MigrateOptions, MigrationStatus, migrate, migration_status};
use behalf_identity::SubjectForm;
use behalf_pgwire::Target;

use super::host_db::host_db;
use crate::app::{issuers, subject_form};

/// `behalf migrate`
#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Only show which migrations the database has.
    #[arg(long)]
    status: bool,
    /// Take the logins from the database of this cluster that they belong to; its hosts can then no longer log in.
    #[arg(long, conflicts_with = "status")]
    take_over_logins: bool,
}

pub(super) async fn run(args: &MigrateArgs) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let missing = |name| ConfigError::Missing(name, "docs/settings.md lists every setting");
    let owner = settings.database_url.as_ref().ok_or_else(|| missing("DATABASE_URL"))?;
    if args.status {
        print_status(migration_status(owner.expose()).await?);
    } else {
        let host = settings.host_database_url.as_ref().ok_or_else(|| missing("HOST_DATABASE_URL"))?;
        let tools = settings.tool_database_url.as_ref().ok_or_else(|| missing("TOOL_DATABASE_URL"))?;
        let host = Target::parse(host.expose()).context("BEHALF_HOST_DATABASE_URL")?;
        let tools = Target::parse(tools.expose()).context("BEHALF_TOOL_DATABASE_URL")?;
        let options = MigrateOptions {
            logins: LoginNames::new(&settings.login_prefix)?,
            take_over_logins: args.take_over_logins,
            revoke_all: settings.revoke_all,
        };
        let migrated = migrate(owner.expose(), &host, &tools, &options).await?;
        print_status(migrated.status);
        tell_open(&migrated.still_open);
        tell_gaps(&migrated.gaps);
        tell_uses(&migrated.app_uses, options.revoke_all);
        tell_mapped(&settings).await?;
    }
    Ok(())
}

/// Says how users of other issuers appear where `auth.uid()` belongs to another platform.
async fn tell_mapped(settings: &Settings) -> anyhow::Result<()> {
    if settings.issuers.is_none() || !issuers(settings)?.map_subjects() {
        return Ok(());
    }
    let db = host_db(settings).await?;
    let form = subject_form(&db).await;
    db.close().await;
    if form? == SubjectForm::Ours {
        eprintln!(
            "behalf: auth.uid() of this database does not read behalf_uid, so for users of other issuers `sub` of the claims is their id \
             here, and `behalf_sub` what the issuer calls them; docs/own-issuer.md says more"
        );
    }
    Ok(())
}

fn print_status(status: Vec<MigrationStatus>) {
    for one in status {
        println!("{:04} {:<24} {}", one.version, one.name, if one.applied { "applied" } else { "missing" });
    }
}

/// How many names of things that could not be revoked are printed. Without a superuser it is all functions of the server.
const MOST_NAMES: usize = 5;

/// Names what could not be revoked.
pub(super) fn tell_open(still_open: &[String]) {
    if still_open.is_empty() {
        return;
    }
    let more = match still_open.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = still_open.iter().take(MOST_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    eprintln!(
        "behalf: could not revoke from PUBLIC, because only a superuser may: {named}{more}; there the SQL gate holds alone. To close \
         it, run behalf migrate once with a superuser's login in BEHALF_DATABASE_URL"
    );
}

/// Names what else a superuser would have done, and how.
pub(super) fn tell_gaps(gaps: &[Gap]) {
    if gaps.is_empty() {
        return;
    }
    eprintln!("behalf: left undone, because only a superuser may:");
    for Gap { what, fix } in gaps {
        eprintln!("        {what}; {fix}");
    }
}

/// Names the app's code that needs what is revoked from PUBLIC, with what that costs and how to close it.
pub(super) fn tell_uses(uses: &[AppUse], revoke_all: bool) {
    for AppUse { code, reason, objects, fix } in uses {
        if revoke_all {
            eprintln!(
                "behalf: {code} {reason}, and fails for callers, because BEHALF_REVOKE_ALL revokes it all the same"
            );
        } else {
            let count = objects.len();
            eprintln!(
                "behalf: {code} {reason}; left open to callers ({count} revoked otherwise), so that the SQL gate holds alone for it"
            );
        }
        eprintln!("        to close it: {fix}");
    }
}
