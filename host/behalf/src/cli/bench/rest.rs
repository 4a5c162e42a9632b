//! Requests to `/rest/v1` beside the same transaction from pgbench, and beside a peer where one is given.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::floor::{Statement, Transport, pgbench};
use super::host::resident_kib;
use super::load::{Connection, Load, is_success, rows_of};
use super::peer::{Peer, PeerArgs, PeerLogin};
use super::test_bed::{Scene, TestBed};
use super::turns::{Turns, TurnsArgs};
use behalf_host_db::run_script;

/// Tables with relationships, rows to insert into, and a function; each beside the table of the lookups.
const TABLES: &str = "
    create table public.authors (id integer primary key, name text not null);
    insert into public.authors select n, 'author ' || n from generate_series(0, 999) n;
    create table public.posts (id integer primary key, owner_id uuid not null,
        author_id integer not null references public.authors, title text not null);
    insert into public.posts select id, owner_id, id % 1000, title from public.items;
    create index on public.posts (author_id);
    create table public.comments (id integer primary key, post_id integer not null references public.posts, body text not null);
    insert into public.comments select n, n / 2, 'comment ' || n from generate_series(0, 199999) n;
    create index on public.comments (post_id);
    create table public.entries (id bigint generated always as identity primary key,
        owner_id uuid not null default auth.uid(), title text not null);
    alter table public.authors enable row level security;
    alter table public.posts enable row level security;
    alter table public.comments enable row level security;
    alter table public.entries enable row level security;
    create policy everybody on public.authors to authenticated using (true);
    create policy owner on public.posts to authenticated using (owner_id = (select auth.uid()));
    create policy everybody on public.comments to authenticated using (true);
    create policy owner on public.entries to authenticated using (owner_id = (select auth.uid()));
    create function public.add_them(a integer, b integer) returns integer language sql immutable as 'select a + b';
    grant select on public.authors, public.posts, public.comments to authenticated;
    grant select, insert on public.entries to authenticated;
    analyze;";

/// How long a new table may take to be served.
const PATIENCE: Duration = Duration::from_mins(1);

/// `behalf bench rest`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct RestArgs {
    #[command(flatten)]
    turns: TurnsArgs,
    /// Further tables in the database, each with a foreign key to the one before.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=20_000))]
    tables: u16,
    #[command(flatten)]
    peer: PeerArgs,
}

/// A kind of request.
#[derive(Clone, Copy, Debug)]
enum Part {
    Single,
    Ten,
    Embed,
    Insert,
    Rpc,
}

impl Part {
    const ALL: [Self; 5] = [Self::Single, Self::Ten, Self::Embed, Self::Insert, Self::Rpc];

    /// The key in the report.
    fn key(self) -> &'static str {
        match self {
            Self::Single => "single_row",
            Self::Ten => "ten_rows",
            Self::Embed => "two_embeddings",
            Self::Insert => "insert",
            Self::Rpc => "rpc",
        }
    }

    /// What each good answer holds.
    fn expected(self) -> &'static [u8] {
        match self {
            Self::Single | Self::Ten => b"\"title\":\"item ",
            Self::Embed => b"comment ",
            Self::Insert => b"\"id\":",
            Self::Rpc => b"42",
        }
    }

    /// Requests to a server whose interface has this prefix.
    fn requests(self, bed: &TestBed, prefix: &str) -> Vec<Vec<u8>> {
        let rows = || bed.callers.iter().flat_map(rows_of);
        let get = |query: String| request(bed, "GET", &format!("{prefix}/{query}"), "", "");
        let post =
            |path: &str, prefer: &str, body: &str| request(bed, "POST", &format!("{prefix}/{path}"), prefer, body);
        match self {
            Self::Single => rows().map(|id| get(format!("items?select=id,title&id=eq.{id}"))).collect(),
            Self::Ten => rows().map(|id| get(format!("items?select=id,title&id=gte.{id}&order=id&limit=10"))).collect(),
            Self::Embed => {
                let select = "id,title,author:authors(name),comments(id,body)";
                rows().map(|id| get(format!("posts?select={select}&id=eq.{id}"))).collect()
            }
            Self::Insert => {
                let prefer = "Prefer: return=representation\r\n";
                rows().map(|id| post("entries?select=id", prefer, &format!(r#"{{"title":"entry {id}"}}"#))).collect()
            }
            Self::Rpc => vec![post("rpc/add_them", "", r#"{"a":40,"b":2}"#)],
        }
    }
}

/// A server that is measured.
#[derive(Clone, Copy, Debug)]
struct Server {
    address: SocketAddr,
    prefix: &'static str,
}

fn request(bed: &TestBed, method: &str, path: &str, more: &str, body: &str) -> Vec<u8> {
    let (key, token) = (&bed.anon_key, &bed.token);
    let content = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\napikey: {key}\r\nAuthorization: Bearer {token}\r\n{more}{content}\r\n{body}"
    )
    .into_bytes()
}

/// Measures in turns on one server.
pub(super) async fn measure(args: &RestArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(u64::from(args.turns.rounds) * 11 + 2);
    bar.set_message("preparing a database");
    let scene = Scene::items_and(&format!("{TABLES}{}", more_tables(args.tables)));
    let bed = TestBed::prepare(&scene, usize::from(args.turns.connections)).await?;
    let first = Part::Rpc.requests(&bed, "").pop();
    let peer = Peer::start(&args.peer, &bed, args.turns.connections, PeerLogin::BecomesCaller, first).await?;
    bar.inc(1);
    let report = in_turns(args, &bed, peer.as_ref(), bar).await;
    if let Some(peer) = peer {
        peer.stop().await?;
    }
    bed.clear().await?;
    report
}

async fn in_turns(args: &RestArgs, bed: &TestBed, peer: Option<&Peer>, bar: &ProgressBar) -> anyhow::Result<Value> {
    let host = Server { address: bed.address, prefix: "/rest/v1" };
    let peer_server = peer.map(|peer| Server { address: peer.address, prefix: "" });
    let load = Load { connections: args.turns.connections, time: Duration::from_secs(u64::from(args.turns.seconds)) };
    let mut turns = Turns::default();
    for round in 1..=args.turns.rounds {
        bar.set_message(format!("turn {round} of {}", args.turns.rounds));
        let floor = pgbench(bed, args.turns.connections, args.turns.seconds, Transport::Tcp, Statement::Select).await?;
        turns.add("pgbench", floor);
        bar.inc(1);
        for part in Part::ALL {
            for (server, of) in [(Some(host), ""), (peer_server, "peer_")] {
                let Some(Server { address, prefix }) = server else { continue };
                let key = format!("{of}{}", part.key());
                let measured = load.run(address, part.requests(bed, prefix), part.expected()).await;
                turns.add(&key, measured.with_context(|| key.clone())?);
                bed.state.caller_db.app_log().flush().await;
                bar.inc(1);
            }
        }
    }
    bar.set_message("new tables");
    let mut report = json!({
        "connections": args.turns.connections,
        "seconds": args.turns.seconds,
        "rounds": args.turns.rounds,
        "tables": args.tables,
        "postgres": bed.version(),
    });
    for key in turns.keys() {
        report[key] = turns.summary(key);
    }
    report["single_row_to_pgbench"] = json!(turns.ratio("single_row", "pgbench")?);
    if peer.is_some() {
        for part in Part::ALL {
            let key = part.key();
            report[format!("{key}_to_peer")] = json!(turns.ratio(key, &format!("peer_{key}"))?);
        }
    }
    report["new_table_s"] = json!(new_table(bed, host, "new_one").await?);
    if let (Some(peer), Some(server)) = (peer, peer_server) {
        report["peer_new_table_s"] = json!(new_table(bed, server, "new_two").await?);
        report["peer_resident_kib"] = json!(resident_kib(peer.pid())?);
    }
    report["resident_kib"] = json!(memory(bed, load).await?);
    bar.inc(1);
    Ok(report)
}

/// Memory of a host after each kind of request, in KiB. The load above is sent from this process, so it asks another.
async fn memory(bed: &TestBed, load: Load) -> anyhow::Result<u64> {
    // A host does not start where callers may run what only the peer needs them to.
    run_script(&bed.postgres().owner_url(), PeerLogin::TAKE_BACK).await?;
    let host = bed.process().await?;
    for part in Part::ALL {
        load.run(host.address, part.requests(bed, "/rest/v1"), part.expected()).await?;
    }
    let resident = host.resident_kib()?;
    host.stop().await?;
    Ok(resident)
}

/// Makes a table, tells the server of it as apps do, and returns the seconds until it serves the table.
async fn new_table(bed: &TestBed, server: Server, name: &str) -> anyhow::Result<f64> {
    let make = format!(
        "create table public.{name} (id integer primary key); \
         alter table public.{name} enable row level security; \
         grant select on public.{name} to authenticated; notify pgrst, 'reload schema';"
    );
    run_script(&bed.postgres().owner_url(), &make).await?;
    let begun = Instant::now();
    let asked = request(bed, "GET", &format!("{}/{name}", server.prefix), "", "");
    let mut connection = Connection::open(server.address).await?;
    while !is_success(connection.send(&asked).await?) {
        ensure!(begun.elapsed() < PATIENCE, "a new table is not served");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Statements that make so many tables.
fn more_tables(count: u16) -> String {
    (0..count).fold(String::new(), |all, number| {
        let refers = match number.checked_sub(1) {
            Some(before) => format!("references public.table_{before}"),
            None => String::new(),
        };
        all + &format!(
            "create table public.table_{number} (id integer primary key, before integer {refers}, name text, \
                 at timestamptz, data jsonb); grant select on public.table_{number} to authenticated; \
                 alter table public.table_{number} enable row level security;"
        )
    })
}
