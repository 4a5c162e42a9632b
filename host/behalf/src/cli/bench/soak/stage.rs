//! Two hosts on one database, of which one after the other is killed and started again, and the memory that they hold.

use std::time::{Duration, Instant};

use anyhow::Context;
use behalf_config::environment;
use behalf_identity::{mint_key, new_secret};
use behalf_jobs::AbortOnDrop;
use behalf_local_postgres::LocalPostgres;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::cli::bench::host::HostProcess;
use crate::cli::bench::killed_hosts::{Addresses, KilledHosts};
use crate::cli::bench::test_bed::Database;

/// How many hosts there are.
const HOSTS: usize = 2;
/// How often memory is read.
const SAMPLE: Duration = Duration::from_secs(2);

/// The database, its hosts, and their keys.
pub(super) struct Stage {
    dir: TempDir,
    local: LocalPostgres,
    hosts: KilledHosts,
    pub(super) anon_key: String,
    pub(super) service_key: String,
}

/// Memory of one host at one moment.
struct Sample {
    host: usize,
    at: Duration,
    kib: u64,
}

/// What happened to the hosts.
pub(super) struct Watched {
    kills: u32,
    samples: Vec<Sample>,
    time: Duration,
}

impl Stage {
    /// Starts the hosts. The model and the server of the custom tool are at `outside`.
    pub(super) async fn start(outside: &str) -> anyhow::Result<Self> {
        let Database { dir, local, host, tool, .. } = Database::prepare(include_str!("seed.sql")).await?;
        let secret = new_secret()?;
        let (anon_key, service_key) = (mint_key(&secret, "anon")?, mint_key(&secret, "service_role")?);
        let mut settings = vec![
            ("HOST_DATABASE_URL", host),
            ("TOOL_DATABASE_URL", tool),
            ("JWT_SECRET", secret),
            ("ANON_KEY", anon_key.clone()),
            ("SERVICE_ROLE_KEY", service_key.clone()),
            // Both read and sweep what the other stored.
            ("STORAGE", format!("file://{}", dir.path().join("storage").display())),
            ("MODEL_BASE_URL", format!("http://{outside}/v1")),
            ("MODEL_API_KEY", "a-key".to_owned()),
            ("HTTP_ALLOW_PRIVATE", outside.to_owned()),
            ("LOG", "error".to_owned()),
        ];
        // All users are one address here, and none of them is to be slowed down.
        let unbounded = [
            "RATE_LIMIT_USER",
            "RATE_LIMIT_ANON",
            "RATE_LIMIT_RUNS",
            "AUTH_TRIES_PER_5_MINUTES",
            "AUTH_REFRESHES_PER_5_MINUTES",
        ];
        settings.extend(unbounded.map(|name| (name, "0".to_owned())));
        // Where `./dev` puts the files of the local model.
        settings.extend(environment("BEHALF_EMBEDDING_WEIGHTS").map(|folder| ("EMBEDDING_WEIGHTS", folder)));
        let hosts = KilledHosts::start(settings, dir.path(), HOSTS).await?;
        Ok(Self { dir, local, hosts, anon_key, service_key })
    }

    /// Where the hosts are.
    pub(super) fn hosts(&self) -> Addresses {
        self.hosts.addresses()
    }

    pub(super) fn version(&self) -> String {
        self.local.version().to_owned()
    }

    /// Kills a host every so often, and reads the memory of all, until it is told to stop.
    pub(super) async fn watch(
        mut self,
        kill_every: Option<Duration>,
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<(Self, Watched)> {
        let (began, mut watched) = (Instant::now(), Watched { kills: 0, samples: Vec::new(), time: Duration::ZERO });
        let mut sample = every(SAMPLE);
        let (mut kill, mut starting) = (kill_every.map(every), None);
        while !*stop.borrow_and_update() {
            tokio::select! {
                _ = sample.tick() => watched.samples.extend(self.sample(began.elapsed())),
                // The other host has to serve meanwhile.
                () = tick(&mut kill), if starting.is_none() => {
                    starting = Some(self.kill(usize::try_from(watched.kills)? % HOSTS).await?);
                    watched.kills += 1;
                }
                (number, started) = end(&mut starting) => {
                    starting = None;
                    self.hosts.is_back(number, started.context("a killed host does not start again")?)?;
                }
                changed = stop.changed() => changed?,
            }
        }
        watched.time = began.elapsed();
        Ok((self, watched))
    }

    /// Kills a host as `kill -9` does, and starts it again. It is there again once it is ready.
    async fn kill(&mut self, number: usize) -> anyhow::Result<Starting> {
        let start = self.hosts.kill(number).await?;
        Ok((number, AbortOnDrop::new(tokio::spawn(start))))
    }

    fn sample(&self, at: Duration) -> Vec<Sample> {
        let running = self.hosts.running();
        running.filter_map(|(host, process)| Some(Sample { host, at, kib: process.resident_kib().ok()? })).collect()
    }

    pub(super) async fn clear(self) -> anyhow::Result<()> {
        self.hosts.stop().await?;
        self.local.discard().await?;
        self.dir.close()?;
        Ok(())
    }
}

/// A host that starts again.
type Starting = (usize, AbortOnDrop<anyhow::Result<HostProcess>>);

/// Ticks from this time on.
fn every(pause: Duration) -> Interval {
    let mut interval = interval_at(tokio::time::Instant::now() + pause, pause);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

/// The next tick, if there is ever one.
async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// The host that starts, once it serves.
async fn end(starting: &mut Option<Starting>) -> (usize, anyhow::Result<HostProcess>) {
    match starting {
        Some((number, task)) => (*number, task.await.map_err(anyhow::Error::from).and_then(|started| started)),
        None => std::future::pending().await,
    }
}

impl Watched {
    pub(super) fn report(&self) -> Value {
        let quarter = |from: u32| {
            let (begin, end) = (self.time * from / 4, self.time * (from + 1) / 4);
            let mut hosts = serde_json::Map::new();
            for host in 0..HOSTS {
                let of_host = self.samples.iter().filter(|sample| sample.host == host);
                let held: Vec<_> =
                    of_host.filter(|sample| sample.at >= begin && sample.at <= end).map(|sample| sample.kib).collect();
                hosts.insert(format!("host_{host}"), held_of(&held));
            }
            Value::Object(hosts)
        };
        json!({ "kills": self.kills, "memory_kib": { "first_quarter": quarter(0), "last_quarter": quarter(3) } })
    }
}

/// The mean and the most of what a host held.
fn held_of(kib: &[u64]) -> Value {
    let mean = kib.iter().sum::<u64>().checked_div(u64::try_from(kib.len()).unwrap_or(u64::MAX));
    json!({ "mean": mean, "most": kib.iter().max() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_by_quarters() {
        let sample = |host, seconds, kib| Sample { host, at: Duration::from_secs(seconds), kib };
        let samples = vec![sample(0, 0, 10), sample(0, 20, 30), sample(1, 30, 5), sample(0, 90, 50), sample(1, 99, 7)];
        let watched = Watched { kills: 3, samples, time: Duration::from_secs(100) };
        let report = watched.report();
        assert_eq!(report["memory_kib"]["first_quarter"]["host_0"], json!({ "mean": 20, "most": 30 }));
        assert_eq!(report["memory_kib"]["first_quarter"]["host_1"], json!({ "mean": null, "most": null }));
        assert_eq!(report["memory_kib"]["last_quarter"]["host_1"], json!({ "mean": 7, "most": 7 }));
        assert_eq!(report["kills"], 3);
    }
}
