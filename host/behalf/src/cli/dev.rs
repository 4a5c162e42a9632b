//! `behalf dev`: a local Postgres, migrations, the demo, and a host.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use behalf_caller_db::SessionLimit;
use behalf_console::ChatDemo;
use behalf_toolchain::demo::DemoState;
use behalf_toolchain::{DevEnv, login_address, session_limit, stop_signal};

use super::demo::Wallet;
use super::migrate::{tell_gaps, tell_open, tell_uses};
use super::supabase_ports;
use super::{chat_demo, demo};
use crate::app::{App, Stopping};
use behalf_config::{Secret, Settings, environment};
use behalf_host_db::{LoginNames, MigrateOptions, migrate, run_script};
use behalf_identity::Role;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_pgwire::Target;
use behalf_telemetry::init_logs;
use behalf_telemetry::terminal::{self, Shown};

/// The folder in the state folder to which a dev host writes letters.
const LETTERS: &str = "mail";
/// How often a dev host looks for tables that show every row.
const DEV_EXPOSURE_CHECK_SECONDS: u64 = 2;

/// `behalf dev`
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Run the demo and stop: exit code 0 if everything it shows is true, 1 if not.
    #[arg(long)]
    exit_after_demo: bool,
    /// Serve a demo besides. `chat`: a page in which two users ask one agent, side by side.
    #[arg(long, value_enum, conflicts_with_all = ["exit_after_demo", "with_database"])]
    demo: Option<Demo>,
    /// Listen where the Supabase CLI does, with its public demo keys: on 127.0.0.1:54321, and Postgres on 54322.
    #[arg(long, conflicts_with = "with_database")]
    supabase_ports: bool,
    /// Start a throw-away Postgres, run the command with `BEHALF_TEST_DATABASE_URL` set, and stop it again.
    #[arg(long, requires = "command")]
    with_database: bool,
    /// The command for --with-database.
    #[arg(last = true)]
    command: Vec<String>,
}

/// A demo beside the one that `behalf dev` always runs.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Demo {
    /// Two users ask one agent, on a page.
    Chat,
}

pub(super) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load()?;
    let filter = if settings.log == "info" { "warn,behalf_local_postgres=info" } else { &settings.log };
    init_logs(filter, Some(settings.log_format.as_deref().unwrap_or("text")))?;
    terminal::show(Shown::Servers);
    if args.with_database {
        return with_database(&args.command).await;
    }
    if args.supabase_ports {
        supabase_ports::choose(&mut settings)?;
    } else {
        supabase_ports::refuse_its_state(&settings)?;
    }
    if let Some(url) = &settings.database_url {
        let owner = url.expose().to_owned();
        return serve(args, settings, (&owner, &owner), None, false).await;
    }
    let local = start_postgres(&settings, &args).await?;
    let limit = session_limit(&local, settings.tool_memory_mib);
    let result = match addresses(&local, &args) {
        Ok((owner, logins)) => serve(args, settings, (&owner, &logins), limit, true).await,
        Err(error) => Err(error),
    };
    local.stop().await?;
    result
}

async fn start_postgres(settings: &Settings, args: &DevArgs) -> anyhow::Result<LocalPostgres> {
    let options = LocalOptions {
        dir: settings.state_dir.join("postgres"),
        bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
        port: if args.supabase_ports { supabase_ports::postgres_port(settings) } else { None },
        settings: Vec::new(),
    };
    eprintln!("behalf: starting Postgres in {}", options.dir.display());
    let local = LocalPostgres::start(&options).await?;
    if let Some(wish) = options.port.filter(|wish| *wish != local.port()) {
        local.stop().await?;
        bail!("another program listens on 127.0.0.1:{wish}; if it is the Supabase CLI, `supabase stop` ends it");
    }
    Ok(local)
}

/// The owner's address for people and programs, and that for the host's own sessions: they take the socket, which costs less.
fn addresses(local: &LocalPostgres, args: &DevArgs) -> anyhow::Result<(String, String)> {
    let (owner, logins) = (local.owner_url(), local.owner_socket_url());
    if !args.supabase_ports {
        return Ok((owner, logins));
    }
    Ok((supabase_ports::in_its_database(&owner)?, supabase_ports::in_its_database(&logins)?))
}

async fn serve(
    args: DevArgs,
    settings: Settings,
    (owner, logins): (&str, &str),
    limit: Option<SessionLimit>,
    is_local: bool,
) -> anyhow::Result<ExitCode> {
    let (mut settings, mut env) = complete(settings, owner, logins)?;
    let state = make_ready((owner, logins), &mut settings, &env, is_local).await?;
    let wallet = Wallet::of(&settings);
    if is_local && args.supabase_ports {
        supabase_ports::prepare(owner).await?;
    }
    let state_dir = settings.state_dir.clone();
    let letters = settings.auth.auth_mail_folder.clone();
    let chat = args.demo.map(|Demo::Chat| ChatDemo::default());
    let app = App::build_with_chat(settings, std::env::current_exe().ok(), limit, chat.clone()).await?;
    env.base_url = format!("http://{}", app.address().context("no address")?);
    env.write(&state_dir)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(app.serve(async move {
        tokio::select! {
            signal = stop_signal() => Stopping::at_once(signal),
            _ = stopped => Stopping::at_once("the demo has ended"),
        }
    }));
    let told = demo::tell(&env, state, wallet).await;
    if args.exit_after_demo {
        stop.send(()).ok();
        server.await??;
        return Ok(match told {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("behalf: the demo failed: {error:#}");
                ExitCode::FAILURE
            }
        });
    }
    let signs_in = demo::signs_in(&env).await?;
    if let Err(error) = told {
        // The database is the app's as well: what it changed must not keep the host from serving.
        eprintln!("behalf: the demo is left out: {error:#}");
    }
    if is_local && args.supabase_ports {
        supabase_ports::tell(owner)?;
    }
    // From here on: calls of the demo that has just run would be noise.
    terminal::show(Shown::Calls);
    demo::print_welcome(&env, &state_dir, signs_in, letters.as_deref());
    if let Some(chat) = &chat {
        chat_demo::begin(&env, signs_in, chat).await?;
    }
    server.await??;
    drop(stop);
    Ok(ExitCode::SUCCESS)
}

/// Makes the database ready: its logins, the host's tables, and those of the demo.
async fn make_ready(
    (owner, logins): (&str, &str),
    settings: &mut Settings,
    env: &DevEnv,
    is_local: bool,
) -> anyhow::Result<DemoState> {
    let address = |url: &Option<Secret>| {
        url.as_ref().map(|url| Target::parse(url.expose())).context("no address")?.context("address")
    };
    let options = MigrateOptions {
        logins: LoginNames::new(&settings.login_prefix)?,
        revoke_all: settings.revoke_all,
        ..MigrateOptions::default()
    };
    let (host, tools) = (address(&settings.host_database_url)?, address(&settings.tool_database_url)?);
    let migrated = migrate(owner, &host, &tools, &options).await?;
    tell_open(&migrated.still_open);
    tell_gaps(&migrated.gaps);
    tell_uses(&migrated.app_uses, options.revoke_all);
    if is_local && settings.realtime.replication_database_url.is_none() {
        let login = options.logins.replication();
        run_script(owner, &replication_login(&login, &env.login_password)).await?;
        settings.realtime.replication_database_url = login_address(logins, &login, &env.login_password).map(Some)?;
    }
    behalf_toolchain::demo::seed_once(owner).await
}

/// Fills in what the operator did not set: keys from an earlier start or new ones, and addresses of the logins.
fn complete(mut settings: Settings, owner: &str, logins: &str) -> anyhow::Result<(Settings, DevEnv)> {
    std::fs::create_dir_all(&settings.state_dir)
        .with_context(|| format!("cannot make {}", settings.state_dir.display()))?;
    let mut env = match DevEnv::read(&settings.state_dir) {
        Ok(env) => env,
        Err(_) if !settings.state_dir.join("dev.env").exists() => DevEnv::make()?,
        Err(error) => return Err(error),
    };
    owner.clone_into(&mut env.database_url);
    for (set, kept) in [
        (&mut settings.jwt_secret, &mut env.jwt_secret),
        (&mut settings.anon_key, &mut env.anon_key),
        (&mut settings.service_role_key, &mut env.service_role_key),
        (&mut settings.secrets_key, &mut env.secrets_key),
    ] {
        match set {
            Some(given) => given.expose().clone_into(kept),
            None => *set = Some(Secret::new(kept.clone())),
        }
    }
    let names = LoginNames::new(&settings.login_prefix)?;
    let login = |user: &str| login_address(logins, user, &env.login_password).map(Some);
    if settings.host_database_url.is_none() {
        settings.host_database_url = login(&names.host())?;
    }
    if settings.tool_database_url.is_none() {
        settings.tool_database_url = login(&names.tool(Role::Authenticated))?;
    }
    if settings.auth.smtp_url.is_none() {
        settings.auth.auth_mail_folder.get_or_insert(settings.state_dir.join(LETTERS));
    }
    // And whoever signs up there again and again is one client.
    settings.auth.auth_letters_per_client.get_or_insert(0);
    // Whoever changes tables in `dev` sits before the terminal.
    settings.exposure_check_seconds = settings.exposure_check_seconds.min(DEV_EXPOSURE_CHECK_SECONDS);
    Ok((settings, env))
}

/// Makes the login that reads changes of tables. It is no part of the migrations: only a superuser may make one.
fn replication_login(login: &str, password: &str) -> String {
    let password = password.replace('\'', "''");
    format!(
        "do $do$ begin
             if not exists (select from pg_roles r where r.rolname = '{login}') then create role {login}; end if;
         end $do$;
         alter role {login} with login replication noinherit password '{password}';"
    )
}

async fn with_database(command: &[String]) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("no command")?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).env("BEHALF_TEST_BIN", std::env::current_exe()?);
    if let Some(url) = environment("BEHALF_DATABASE_URL") {
        let status = child.env("BEHALF_TEST_DATABASE_URL", url).env_remove("BEHALF_DATABASE_URL").status().await?;
        return Ok(exit_code(status));
    }
    let dir = tempfile::tempdir()?;
    // Speed over safety: this database is thrown away.
    let quick = [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("max_connections", "300"),
        // Slots of tests whose hosts were killed stay until the server is removed.
        ("max_replication_slots", "400"),
        ("max_slot_wal_keep_size", "256MB"),
    ];
    let options = LocalOptions {
        dir: dir.path().join("postgres"),
        bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
        port: None,
        settings: quick.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
    };
    let local = LocalPostgres::start(&options).await?;
    let status = child
        .env("BEHALF_TEST_DATABASE_URL", local.owner_url())
        .env("BEHALF_POSTGRES_BIN", local.bin_dir())
        .status()
        .await;
    local.discard().await?;
    Ok(exit_code(status.with_context(|| format!("cannot run {program}"))?))
}

fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
