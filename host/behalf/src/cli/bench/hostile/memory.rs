//! The memory of the host and of Postgres while the measurement runs, and whether Postgres restarted.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;
use sqlx::{ConnectOptions, PgConnection, Row};

/// The most that was seen so far, in MiB.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Peaks {
    /// The host's resident memory.
    host: u64,
    /// All processes of Postgres; memory that they share counts once.
    postgres: u64,
    /// The largest process of Postgres, without what it shares.
    largest_backend: u64,
}

/// Reads the memory, and remembers the peaks.
pub(super) struct Watch {
    owner: PgConnection,
    begun: String,
    peaks: Peaks,
}

impl Watch {
    pub(super) async fn begin(owner_url: &str) -> anyhow::Result<Self> {
        let mut owner = owner_url.parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
        let begun = started(&mut owner).await?;
        Ok(Self { owner, begun, peaks: Peaks::default() })
    }

    pub(super) fn peaks(&self) -> Peaks {
        self.peaks
    }

    /// Reads once. `host_kib` is the host's resident memory.
    pub(super) async fn read(&mut self, host_kib: u64) -> anyhow::Result<()> {
        let rows = sqlx::query("select pid from pg_stat_activity").fetch_all(&mut self.owner).await?;
        let (mut sum, mut largest) = (0, 0);
        for row in rows {
            // A process may have ended meanwhile.
            if let Some(memory) = memory_of(row.try_get(0)?) {
                sum += memory.get("Pss").copied().unwrap_or_default();
                let own = ["Private_Clean", "Private_Dirty"].iter().filter_map(|name| memory.get(*name)).sum();
                largest = largest.max(own);
            }
        }
        let peaks = &mut self.peaks;
        peaks.host = peaks.host.max(host_kib / 1024);
        peaks.postgres = peaks.postgres.max(sum / 1024);
        peaks.largest_backend = peaks.largest_backend.max(largest / 1024);
        Ok(())
    }

    /// Whether Postgres, or all of its processes after a crash of one, began anew since the watch began.
    pub(super) async fn has_restarted(&mut self) -> anyhow::Result<bool> {
        Ok(started(&mut self.owner).await? != self.begun)
    }
}

/// The start of the server and of its checkpointer; after a crash of one process, the server ends and replaces the others.
async fn started(owner: &mut PgConnection) -> anyhow::Result<String> {
    let row = sqlx::query(
        "select pg_postmaster_start_time()::text || ' ' || backend_start::text from pg_stat_activity
         where backend_type = 'checkpointer'",
    );
    row.fetch_one(owner).await?.try_get(0).context("no start")
}

/// The fields of `/proc/PID/smaps_rollup` in KiB.
fn memory_of(pid: i32) -> Option<BTreeMap<String, u64>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let fields = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().strip_suffix(" kB")?.parse().ok()?))
    });
    Some(fields.collect())
}
