//! Sign-ins and refreshes beside the cost of argon2 alone; what a crowd that signs in does to the calls of tools; and whether the
//! time of a wrong password tells who has an account.

mod crowd;
mod guesses;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use behalf_config::AuthSettings;
use behalf_passwords::{Hasher, HasherOptions};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::load::{Connection, Load, is_success};
use super::summary::Summary;
use super::test_bed::{Scene, TestBed};
use super::turns::{Turns, TurnsArgs};

/// The password of every account.
const PASSWORD: &str = "mauve lantern 7 xq";

/// `behalf bench auth`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct AuthArgs {
    #[command(flatten)]
    turns: TurnsArgs,
    /// Sign-ins at the same moment, beside tool calls.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    crowd: u16,
    /// Tries of wrong passwords, half of them for accounts that exist.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u16).range(20..=20_000))]
    guesses: u16,
}

/// Measures in turns on one server.
pub(super) async fn measure(args: &AuthArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(u64::from(args.turns.rounds) * 3 + 4);
    bar.set_message("preparing a database");
    let bed = TestBed::prepare(&Scene::items(1), usize::from(args.turns.connections)).await?;
    let report = on(args, &bed, bar).await;
    bed.clear().await?;
    report
}

async fn on(args: &AuthArgs, bed: &TestBed, bar: &ProgressBar) -> anyhow::Result<Value> {
    let users = args.turns.connections;
    for number in 0..users {
        add_user(bed, &address(number)).await?;
    }
    bar.inc(1);
    let time = Duration::from_secs(u64::from(args.turns.seconds));
    let load = Load { connections: args.turns.connections, time };
    let mut turns = Turns::default();
    for round in 1..=args.turns.rounds {
        bar.set_message(format!("turn {round} of {}", args.turns.rounds));
        turns.add("argon2", argon2_alone(time).await?);
        bar.inc(1);
        let sign_ins = (0..users).map(|number| sign_in(bed, &address(number), PASSWORD)).collect();
        turns.add("sign_ins", load.run(bed.address, sign_ins, b"\"access_token\"").await?);
        bar.inc(1);
        turns.add("refreshes", refreshes(bed, args.turns.connections, time).await?);
        bar.inc(1);
    }
    bar.set_message("a crowd signs in");
    let crowd = crowd::measure(bed, args.crowd, &args.turns).await?;
    bar.inc(1);
    bar.set_message("wrong passwords");
    let guesses = guesses::measure(bed, args.guesses, users).await?;
    bar.inc(1);
    let options = hasher_options();
    let mut report = json!({
        "connections": args.turns.connections, "seconds": args.turns.seconds, "rounds": args.turns.rounds,
        "hashes_at_once": options.concurrent, "memory_kib": options.memory_kib, "passes": options.passes,
        "postgres": bed.version(), "crowd": crowd, "wrong_passwords": guesses,
        "sign_ins_to_argon2": turns.ratio("sign_ins", "argon2")?,
    });
    for key in turns.keys() {
        report[key] = turns.summary(key);
    }
    Ok(report)
}

/// The address of an account.
fn address(number: u16) -> String {
    format!("user-{number}@example.com")
}

async fn add_user(bed: &TestBed, email: &str) -> anyhow::Result<()> {
    let body = json!({ "email": email, "password": PASSWORD, "email_confirm": true }).to_string();
    let asked = request(bed, "/auth/v1/admin/users", &bed.service_key, &body);
    let mut connection = Connection::open(bed.address).await?;
    let answer = connection.send(&asked).await?;
    ensure!(is_success(answer), "no account could be made: {}", String::from_utf8_lossy(answer));
    Ok(())
}

/// A request that signs in.
fn sign_in(bed: &TestBed, email: &str, password: &str) -> Vec<u8> {
    let body = json!({ "email": email, "password": password }).to_string();
    request(bed, "/auth/v1/token?grant_type=password", &bed.anon_key, &body)
}

fn request(bed: &TestBed, path: &str, bearer: &str, body: &str) -> Vec<u8> {
    let key = &bed.anon_key;
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\napikey: {key}\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Hashes alone, with the host's parameters and as many at a time.
async fn argon2_alone(time: Duration) -> anyhow::Result<Summary> {
    let options = hasher_options();
    let hasher = Hasher::new(&options);
    let begun = Instant::now();
    let one = || async {
        let mut times = Vec::new();
        while begun.elapsed() < time {
            let started = Instant::now();
            hasher.check(PASSWORD, None).await?;
            times.push(started.elapsed());
        }
        anyhow::Ok(times)
    };
    let all = futures::future::try_join_all((0..options.concurrent).map(|_| one())).await?;
    Ok(Summary::of_times(all.concat(), begun.elapsed()))
}

/// Refreshes, each connection with a session of its own.
async fn refreshes(bed: &TestBed, connections: u16, time: Duration) -> anyhow::Result<Summary> {
    let begun = Instant::now();
    let one = |number: u16| async move {
        let mut connection = Connection::open(bed.address).await?;
        let asked = sign_in(bed, &address(number), PASSWORD);
        let mut token = refresh_token(connection.send(&asked).await?)?;
        let (mut times, first) = (Vec::new(), Instant::now());
        while first.elapsed() < time {
            let body = json!({ "refresh_token": token }).to_string();
            let asked = request(bed, "/auth/v1/token?grant_type=refresh_token", &bed.anon_key, &body);
            let started = Instant::now();
            let answer = connection.send(&asked).await?;
            times.push(started.elapsed());
            token = refresh_token(answer)?;
        }
        anyhow::Ok((times, first))
    };
    let all = futures::future::try_join_all((0..connections).map(one)).await?;
    // Signing in is not counted.
    let first = all.iter().map(|(_, first)| *first).max().unwrap_or(begun);
    let times = all.into_iter().flat_map(|(times, _)| times).collect();
    Ok(Summary::of_times(times, first.elapsed()))
}

/// The refresh token of an answer.
fn refresh_token(answer: &[u8]) -> anyhow::Result<String> {
    ensure!(is_success(answer), "an unexpected answer: {}", String::from_utf8_lossy(answer));
    let start = answer.windows(4).position(|part| part == b"\r\n\r\n").context("no body")? + 4;
    let session: Value = serde_json::from_slice(answer.get(start..).unwrap_or_default())?;
    Ok(session["refresh_token"].as_str().context("no refresh token")?.to_owned())
}

/// What the host of the measurement has.
fn hasher_options() -> HasherOptions {
    let (settings, own) = (AuthSettings::default(), HasherOptions::default());
    HasherOptions {
        memory_kib: settings.auth_hash_memory_kib,
        passes: settings.auth_hash_passes,
        // 0 stands for as many as the hasher chooses.
        concurrent: if settings.auth_hashes == 0 { own.concurrent } else { settings.auth_hashes },
        ..own
    }
}
