//! The command line. Exit codes: 0 ok, 1 failed, 2 wrong usage. Answers go to standard output, everything else to
//! standard error; errors are one sentence of what and one of how to fix.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

mod auth;
mod auth_keys;
mod bench;
mod chat_demo;
mod completions;
mod demo;
mod dev;
mod doctor;
mod host_db;
mod jobs;
mod keys;
mod migrate;
mod plugin;
mod secrets;
mod serve;
mod service_host;
mod sources;
mod storage;
mod supabase_ports;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use behalf_telemetry::tell_failure;
use clap::{CommandFactory, Parser, Subcommand};

/// Agent host whose tools act on behalf of the calling user.
#[derive(Debug, Parser)]
#[command(name = "behalf", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a local Postgres, migrate, seed two demo users, show what each may see, and serve.
    Dev(dev::DevArgs),
    /// Serve, with settings from the environment or behalf.toml.
    Serve,
    /// Apply the migrations.
    Migrate(migrate::MigrateArgs),
    /// Check a database and a configuration, with how to fix each finding.
    Doctor(doctor::DoctorArgs),
    /// Make a JWT secret, the anon and service keys from it, and a key that encrypts secrets.
    Keys(keys::KeysArgs),
    /// Look after the secrets that the database holds encrypted.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Look after the users of /auth/v1, and the keys of their tokens.
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    /// Look after the files of /storage/v1.
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Upload documents for a user, and list them.
    #[command(subcommand)]
    Sources(sources::SourcesCommand),
    /// Look after the plugins of a host, and their secrets.
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Look after background jobs.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Mint a user token for development.
    Token(token::TokenArgs),
    /// Print a script with which a shell completes commands and options.
    Completions(completions::CompletionsArgs),
    /// Inspect and run tools.
    #[command(subcommand)]
    Tool(behalf_toolchain::ToolCommand),
    /// Measure.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Compile a component within bounds; the host runs this for uploads.
    #[command(hide = true)]
    Compile { input: PathBuf, output: PathBuf },
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    // Compiling bounds its own address space first, so no runtime is started for it.
    if let Command::Compile { input, output } = &cli.command {
        return report(behalf_sandbox::compile_file(input, output).map_err(anyhow::Error::from));
    }
    // Each client that waits for events holds a descriptor, and the usual soft limit of 1,024 is for programs that use
    // select(2). What the operator or the kernel allows beyond it is there to be used; a refusal only means fewer clients.
    let _kept = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(Err(error.into())),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Dev(args) => dev::run(args).await,
            Command::Serve => serve::run().await.map(|()| ExitCode::SUCCESS),
            Command::Migrate(args) => migrate::run(&args).await.map(|()| ExitCode::SUCCESS),
            Command::Doctor(args) => doctor::run(&args).await,
            Command::Keys(args) => keys::run(&args).map(|()| ExitCode::SUCCESS),
            Command::Secrets(command) => command.run().await.map(|()| ExitCode::SUCCESS),
            Command::Auth(command) => command.run().await.map(|()| ExitCode::SUCCESS),
            Command::Storage(command) => command.run().await.map(|()| ExitCode::SUCCESS),
            Command::Sources(command) => command.run().await,
            Command::Plugin(command) => command.run().await.map(|()| ExitCode::SUCCESS),
            Command::Jobs(command) => command.run().await.map(|()| ExitCode::SUCCESS),
            Command::Token(args) => token::run(&args).map(|()| ExitCode::SUCCESS),
            Command::Completions(args) => completions::run(&args, &Cli::command()).map(|()| ExitCode::SUCCESS),
            Command::Tool(command) => command.run().await,
            Command::Bench(command) => bench::run(command).await.map(|()| ExitCode::SUCCESS),
            Command::Compile { .. } => Ok(ExitCode::FAILURE),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match result {
        Ok(code) => code,
        Err(error) => report(Err(error)),
    }
}

/// Prints an error with its causes.
fn report(result: Result<(), anyhow::Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell_failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
