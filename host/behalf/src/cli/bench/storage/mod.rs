//! Downloads and uploads of small and large files, beside a plain file server on the same files; memory of a host that many use at
//! once; and lists of a bucket with a million objects.

mod crowd;
mod files;
mod lists;
mod server;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::host::HostProcess;
use super::load::Load;
use super::test_bed::{Scene, TestBed};
use super::turns::{Turns, TurnsArgs};
use files::{Files, Size};
use server::{FileServer, ServerArgs};

/// How every answer to a download or an upload begins.
const SUCCESS: &[u8] = b"HTTP/1.1 20";
/// How long large files are uploaded in each turn. Replaced bytes stay on the disk until they are swept.
const LARGE_UPLOADS: Duration = Duration::from_secs(1);

/// `behalf bench storage`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct StorageArgs {
    #[command(flatten)]
    turns: TurnsArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Downloads, and then uploads, of large files at the same moment, for the memory of the host.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    crowd: u16,
    /// Objects of the bucket that is listed; half of them are another user's.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(2_000..=10_000_000))]
    objects: u32,
}

/// Measures in turns on one server.
pub(super) async fn measure(args: &StorageArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(u64::from(args.turns.rounds) * 2 + 4);
    bar.set_message("preparing a database");
    let bed = TestBed::prepare(&Scene::items(1), usize::from(args.turns.connections)).await?;
    // A process of its own, as the file server is.
    let host = bed.process().await?;
    bar.inc(1);
    let report = on(args, &bed, &host, bar).await;
    host.stop().await?;
    bed.clear().await?;
    report
}

async fn on(args: &StorageArgs, bed: &TestBed, host: &HostProcess, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("storing files");
    let files = Files::store(bed, host.address, args.turns.connections).await?;
    let server = FileServer::start(&args.server, &files).await?;
    bar.inc(1);
    let measured = in_turns(args, host.address, &files, &server, bar).await;
    server.stop().await?;
    let turns = measured?;
    let mut report = json!({
        "connections": args.turns.connections, "seconds": args.turns.seconds, "rounds": args.turns.rounds,
        "postgres": bed.version(), "file_server": server.name, "small_bytes": Size::Small.bytes(), "large_bytes": Size::Large.bytes(),
    });
    add_turns(&mut report, &turns, server.takes_uploads)?;
    bar.set_message("many at once");
    report["at_once"] = crowd::measure(host, &files, args.crowd).await?;
    bar.inc(1);
    bar.set_message("a large bucket");
    report["lists"] = lists::measure(bed, host.address, args.objects, &args.turns).await?;
    bar.inc(1);
    Ok(report)
}

/// Downloads and uploads by the host and by the file server, one after the other in each turn.
async fn in_turns(
    args: &StorageArgs,
    host: SocketAddr,
    files: &Files,
    server: &FileServer,
    bar: &ProgressBar,
) -> anyhow::Result<Turns> {
    let time = Duration::from_secs(u64::from(args.turns.seconds));
    let mut turns = Turns::default();
    for round in 1..=args.turns.rounds {
        bar.set_message(format!("turn {round} of {}", args.turns.rounds));
        for size in [Size::Small, Size::Large] {
            let downloads = Load { connections: args.turns.connections, time };
            let uploads = Load { time: if size == Size::Large { time.min(LARGE_UPLOADS) } else { time }, ..downloads };
            for (key, address, requests, load) in [
                ("server_downloads", server.address, files.plain_downloads(size), downloads),
                ("public_downloads", host, files.public_downloads(size), downloads),
                ("signed_downloads", host, files.signed_downloads(size).await?, downloads),
                ("policy_downloads", host, files.policy_downloads(size), downloads),
                ("server_uploads", server.address, files.plain_uploads(size), uploads),
                ("signed_uploads", host, files.signed_uploads(size).await?, uploads),
                ("policy_uploads", host, files.policy_uploads(size), uploads),
            ] {
                if key == "server_uploads" && !server.takes_uploads {
                    continue;
                }
                let key = format!("{}_{key}", size.key());
                let measured = load.run(address, requests, SUCCESS).await;
                turns.add(&key, measured.with_context(|| key.clone())?);
            }
            bar.inc(1);
        }
    }
    Ok(turns)
}

/// Adds each measurement, and the host's beside the file server's.
fn add_turns(report: &mut Value, turns: &Turns, takes_uploads: bool) -> anyhow::Result<()> {
    for key in turns.keys() {
        report[key] = turns.summary(key);
    }
    for size in [Size::Small, Size::Large] {
        let (size, mut kinds) = (size.key(), vec!["public_downloads", "signed_downloads", "policy_downloads"]);
        if takes_uploads {
            kinds.extend(["signed_uploads", "policy_uploads"]);
        }
        for kind in kinds {
            let act = kind.rsplit('_').next().unwrap_or_default();
            let ratio = turns.ratio(&format!("{size}_{kind}"), &format!("{size}_server_{act}"))?;
            report[format!("{size}_{kind}_to_server")] = json!(ratio);
        }
    }
    Ok(())
}
