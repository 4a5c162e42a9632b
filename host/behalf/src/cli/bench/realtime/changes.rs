//! Changes of a table under row-level security: how many a second reach those who may see them, and what their number grows with.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::bed::{Bed, user};
use super::crowd::Crowd;
use super::socket::Client;
use crate::cli::bench::host::HostProcess;
use crate::cli::bench::summary::Summary;

/// Sockets that are opened at once.
const AT_ONCE: usize = 8;

/// Rows of one transaction at full speed.
const BATCH: u32 = 50;

/// Changes that were made and not heard of, at full speed.
const AHEAD: u64 = 500;

/// Rows a second where times are measured.
const PACE: u32 = 20;

/// Numbers of users that are measured, up to what was asked for.
const USERS: [u16; 4] = [1, 10, 100, 500];

/// A row of one of the users in turn. Its `t` says when it was made.
const INSERT: &str = "
    insert into public.notes (owner_id, t)
    select ('00000000-0000-4000-8000-' || lpad(((n + $1) % $2)::text, 12, '0'))::uuid, $3
    from generate_series(1, $4) n";

pub(super) async fn measure(bed: &Bed, users: u16, time: Duration, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("starting the host");
    let host = bed.host("changes").await?;
    let mut owner = bed.postgres.owner_url().parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
    let mut report = serde_json::Map::new();
    for count in USERS.into_iter().filter(|count| *count < users).chain([users]) {
        bar.set_message(format!("{count} users with a socket each"));
        let measured = of(bed, &host, &mut owner, count, count, time).await?;
        report.insert(format!("{count}_users"), measured);
    }
    bar.set_message(format!("one user with {users} sockets"));
    let measured = of(bed, &host, &mut owner, 1, users, time).await?;
    report.insert(format!("1_user_{users}_sockets"), measured);
    owner.close().await?;
    host.stop().await?;
    Ok(json!({ "postgres": bed.postgres.version(), "rows_in_a_transaction": BATCH, "subscribers": report }))
}

/// Rows of the users in turn, where each row is heard by every socket of its user.
async fn of(
    bed: &Bed,
    host: &HostProcess,
    owner: &mut PgConnection,
    users: u16,
    sockets: u16,
    time: Duration,
) -> anyhow::Result<Value> {
    let config = json!({ "presence": { "enabled": false }, "postgres_changes": [{ "event": "INSERT", "schema": "public", "table": "notes" }] });
    let join = |number: u16| {
        let config = &config;
        async move {
            let token = bed.tokens.get(usize::from(number % users)).context("no user")?;
            let mut client = Client::of_host(host.address, &bed.anon_key).await?;
            client.join("notes", config, Some(token)).await?;
            client.wait_for(b"Subscribed to PostgreSQL").await.context("no subscription")?;
            anyhow::Ok(client)
        }
    };
    let clients = futures::stream::iter((0..sockets).map(join)).buffer_unordered(AT_ONCE).try_collect().await?;
    let crowd = Crowd::start(clients);
    let of_each = u64::from(sockets / users);
    let (before, began, mut made) = (host.processor_seconds()?, Instant::now(), 0_u64);
    while began.elapsed() < time {
        insert(owner, &crowd, made, users, BATCH).await?;
        made += u64::from(BATCH);
        crowd.wait(made.saturating_sub(AHEAD) * of_each).await?;
    }
    crowd.wait(made * of_each).await?;
    let (took, used) = (began.elapsed().as_secs_f64(), host.processor_seconds()? - before);
    let at_full_speed = made;
    crowd.keep_times(true);
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(u64::from(1_000 / PACE)));
    while began.elapsed() < time {
        ticks.tick().await;
        insert(owner, &crowd, made, users, 1).await?;
        made += 1;
    }
    crowd.wait(made * of_each).await?;
    let times = Summary::of_times(crowd.times(), began.elapsed());
    crowd.end(made * of_each).await?;
    let changes = u32::try_from(at_full_speed).map_or(f64::MAX, f64::from);
    Ok(json!({
        "users": users, "sockets": sockets, "changes_per_second": changes / took,
        "delivered_per_second": changes * f64::from(sockets / users) / took,
        "processor_seconds_per_thousand_changes": used / changes * 1e3,
        "change_to_receipt": times,
    }))
}

async fn insert(owner: &mut PgConnection, crowd: &Crowd, made: u64, users: u16, rows: u32) -> anyhow::Result<()> {
    sqlx::query(INSERT)
        .bind(i64::try_from(made)?)
        .bind(i64::from(users))
        .bind(i64::try_from(crowd.now())?)
        .bind(i32::try_from(rows)?)
        .execute(owner)
        .await?;
    Ok(())
}

/// The table, whose rows their owners see.
pub(super) const TABLE: &str = "
    create table public.notes (id bigint generated always as identity primary key, owner_id uuid not null, t bigint not null);
    alter table public.notes enable row level security;
    create policy own on public.notes for select to authenticated using (owner_id = (select auth.uid()));
    grant select on public.notes to authenticated;
    alter publication supabase_realtime add table public.notes;";

/// Tokens of the users that rows belong to.
pub(super) fn owners(users: u16) -> impl Iterator<Item = uuid::Uuid> {
    (0..users).map(|number| user(u32::from(number)))
}
