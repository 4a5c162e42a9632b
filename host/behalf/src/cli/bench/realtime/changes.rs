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

/// A table whose rows are one user's each, by turns.
struct Table {
    name: &'static str,
    /// Adds rows. Their `t` says when they were made.
    insert: &'static str,
}

/// Whose policy names the owner of a row.
const NOTES: Table = Table {
    name: "notes",
    insert: "insert into public.notes (owner_id, t)
        select ('00000000-0000-4000-8000-' || lpad(((n + $1) % $2)::text, 12, '0'))::uuid, $3
        from generate_series(1, $4) n",
};

/// Whose policy asks another table who is a member of the row's room.
const POSTS: Table = Table {
    name: "posts",
    insert: "insert into public.posts (room, t) select (n + $1) % $2, $3 from generate_series(1, $4) n",
};

pub(super) async fn measure(bed: &Bed, users: u16, time: Duration, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("starting the host");
    let host = bed.host("changes").await?;
    let mut owner = bed.postgres.owner_url().parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
    let mut report = serde_json::Map::new();
    for count in USERS.into_iter().filter(|count| *count < users).chain([users]) {
        bar.set_message(format!("{count} users with a socket each"));
        let measured = of(bed, &host, &mut owner, &NOTES, (count, count), time).await?;
        report.insert(format!("{count}_users"), measured);
    }
    bar.set_message(format!("one user with {users} sockets"));
    let measured = of(bed, &host, &mut owner, &NOTES, (1, users), time).await?;
    report.insert(format!("1_user_{users}_sockets"), measured);
    for count in USERS.into_iter().filter(|count| *count < users).chain([users]) {
        bar.set_message(format!("{count} members with a socket each"));
        let measured = of(bed, &host, &mut owner, &POSTS, (count, count), time).await?;
        report.insert(format!("{count}_members"), measured);
    }
    owner.close().await?;
    host.stop().await?;
    Ok(json!({ "postgres": bed.postgres.version(), "rows_in_a_transaction": BATCH, "subscribers": report }))
}

/// Rows of the users in turn, where each row is heard by every socket of its user.
async fn of(
    bed: &Bed,
    host: &HostProcess,
    owner: &mut PgConnection,
    table: &Table,
    (users, sockets): (u16, u16),
    time: Duration,
) -> anyhow::Result<Value> {
    let config = json!({ "presence": { "enabled": false }, "postgres_changes": [{ "event": "INSERT", "schema": "public", "table": table.name }] });
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
        insert(owner, table, &crowd, made, users, BATCH).await?;
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
        insert(owner, table, &crowd, made, users, 1).await?;
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

async fn insert(
    owner: &mut PgConnection,
    table: &Table,
    crowd: &Crowd,
    made: u64,
    users: u16,
    rows: u32,
) -> anyhow::Result<()> {
    sqlx::query(table.insert)
        .bind(i64::try_from(made)?)
        .bind(i64::from(users))
        .bind(i64::try_from(crowd.now())?)
        .bind(i32::try_from(rows)?)
        .execute(owner)
        .await?;
    Ok(())
}

/// The tables: rows that their owners see, and rows that members of their rooms see; each user is a member of one.
pub(super) const TABLE: &str = "
    create table public.notes (id bigint generated always as identity primary key, owner_id uuid not null, t bigint not null);
    alter table public.notes enable row level security;
    create policy own on public.notes for select to authenticated using (owner_id = (select auth.uid()));
    grant select on public.notes to authenticated;
    create table public.members (user_id uuid, room int, primary key (user_id, room));
    insert into public.members select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, n from generate_series(0, 999) n;
    alter table public.members enable row level security;
    create policy own on public.members for select to authenticated using (user_id = (select auth.uid()));
    grant select on public.members to authenticated;
    create table public.posts (id bigint generated always as identity primary key, room int not null, t bigint not null);
    alter table public.posts enable row level security;
    create policy members on public.posts for select to authenticated
        using (exists (select from public.members m where m.room = posts.room and m.user_id = (select auth.uid())));
    grant select on public.posts to authenticated;
    alter publication supabase_realtime add table public.notes, public.posts;";

/// Tokens of the users that rows belong to.
pub(super) fn owners(users: u16) -> impl Iterator<Item = uuid::Uuid> {
    (0..users).map(|number| user(u32::from(number)))
}
