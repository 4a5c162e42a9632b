//! Which route answers whom with what, about whose source, in `tests/golden/source_rights.txt`; and what changed by it.
//!
//! After a change: `UPDATE_GOLDEN=1 ./dev test -E 'test(/^sources::policies::/)'`, then read `git diff tests/golden`. Look at the rows of
//! what is another's first: a word behind a status says that something changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use behalf_config::environment;
use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::{ALICE, Answer, BOB, SECRET, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{Bed, alice, bob, form};
use super::documents::words;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/source_rights.txt");

/// An app that shows some sources to some users beside their owners, and has a folder for each user.
const APP: &str = "
    create table public.shares (source_id uuid not null, user_id uuid not null);
    alter table public.shares enable row level security;
    create policy mine on public.shares for select to authenticated using (user_id = (select auth.uid()));
    grant select on public.shares to authenticated;
    create policy shared on ai.sources for select to authenticated
        using (id in (select h.source_id from public.shares h));
    insert into storage.buckets (id, name) values ('files', 'files');
    create policy everything on storage.objects for all to authenticated using (true) with check (true);";

/// Whose the source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Alices,
    Bobs,
    Nobodys,
}

impl Whose {
    const ALL: [Self; 3] = [Self::Alices, Self::Bobs, Self::Nobodys];

    fn owner(self) -> User {
        match self {
            Self::Alices => alice(),
            Self::Bobs => bob(),
            Self::Nobodys => User::Service,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Alices => "alice's",
            Self::Bobs => "bob's",
            Self::Nobodys => "nobody's",
        }
    }
}

/// A route about one source: its line in the table, the rest of its path, and its body.
struct Route {
    method: Method,
    rest: &'static str,
    body: Value,
    /// Whether it is asked of a source that nothing else is asked of.
    writes: bool,
}

fn routes() -> Vec<Route> {
    let read = |rest| Route { method: Method::GET, rest, body: Value::Null, writes: false };
    let write = |method, rest, body| Route { method, rest, body, writes: true };
    vec![
        read(""),
        read("/page-texts"),
        read("/page-texts?page=1"),
        read("/download"),
        read("/events"),
        read("/derivatives/text/download"),
        write(Method::POST, "/download-url", json!({"expires_in": 60})),
        write(Method::PATCH, "", json!({"name": "another"})),
        write(Method::POST, "/cancel", json!({})),
        write(Method::POST, "/reextract", json!({})),
        write(Method::DELETE, "", Value::Null),
    ]
}

/// The callers, and whether the app shows them the source whoever has it.
async fn callers(bed: &Bed) -> Vec<(&'static str, User, bool)> {
    let agent = bed.agent(&[]).await;
    let made = bed.post(&alice(), "/api/delegations", json!({ "agent_id": agent })).await;
    let delegation = made.json["token"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let mut expired = TokenRequest::for_user(&ALICE.to_string());
    expired.ttl_seconds = -3_600;
    vec![
        ("nobody", User::Nobody, false),
        ("anon", User::Anon, false),
        ("expired", User::Token(mint_token(SECRET, &expired).unwrap()), false),
        ("delegation", User::Token(delegation), true),
        ("alice", alice(), false),
        ("bob", bob(), false),
        ("bob-shared", bob(), true),
        ("as-alice", User::ServiceFor(ALICE), false),
        ("service", User::Service, false),
    ]
}

/// What of each source a route may change.
async fn state(bed: &Bed) -> BTreeMap<String, Value> {
    let rows: Value = bed
        .database
        .value(
            "select coalesce(jsonb_object_agg(s.id, jsonb_build_object('owner', s.owner_id, 'job', s.job_id,
                'kept', jsonb_build_array(s.name, s.metadata, s.blob_id, s.content_hash, s.extraction_status = 'cancelled'))), '{}')
             from ai.sources s",
        )
        .await;
    serde_json::from_value(rows).unwrap()
}

/// What changed, in words: whose source is new, that one is gone, or that one is another or is read anew.
fn changes(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> String {
    let mut words = BTreeSet::new();
    for (id, was) in before {
        match after.get(id) {
            None => words.insert("gone".to_owned()),
            Some(is) if is["owner"] != was["owner"] => words.insert("given away".to_owned()),
            Some(is) if is["kept"] != was["kept"] => words.insert("changed".to_owned()),
            Some(is) if is["job"] != was["job"] => words.insert("anew".to_owned()),
            Some(_) => false,
        };
    }
    for is in after.iter().filter(|(id, _)| !before.contains_key(*id)).map(|(_, is)| is) {
        words.insert(format!("new {}", owner_in_words(&is["owner"])));
    }
    words.into_iter().collect::<Vec<_>>().join("+")
}

fn owner_in_words(owner: &Value) -> &'static str {
    match owner.as_str() {
        None => Whose::Nobodys.name(),
        Some(owner) if owner == ALICE.to_string() => Whose::Alices.name(),
        Some(owner) if owner == BOB.to_string() => Whose::Bobs.name(),
        Some(_) => "a stranger's",
    }
}

/// Sources that nothing was asked of yet.
struct Stock {
    left: Vec<(Whose, String)>,
}

impl Stock {
    async fn fill(bed: &Bed, each: usize) -> Self {
        let mut left = Vec::new();
        for whose in Whose::ALL {
            for number in 0..each {
                let text = words(&format!("{} {number}", whose.name()), 1);
                left.push((whose, bed.added(&whose.owner(), "a.txt", text).await));
            }
        }
        for (_, id) in &left {
            assert_eq!(bed.ended(&User::Service, id).await["extraction_status"], "extracted");
        }
        Self { left }
    }

    fn take(&mut self, whose: Whose) -> String {
        let place = self.left.iter().position(|(of, _)| *of == whose).expect("enough are made");
        self.left.swap_remove(place).1
    }
}

/// Waits until no source is being read.
async fn rested(bed: &Bed) {
    let open = "select count(*) from ai.sources where extraction_status in ('pending', 'extracting')";
    behalf_tests::eventually("a source is not read", async || bed.database.value::<i64>(open).await == 0).await;
}

/// Asks, and says what was answered and what changed. Of a stream, only the status is read.
async fn cell(bed: &Bed, request: reqwest::RequestBuilder) -> String {
    let before = state(bed).await;
    let status = request.send().await.unwrap().status().as_u16();
    let changed = changes(&before, &state(bed).await);
    rested(bed).await;
    format!("{status} {changed}").trim_end().to_owned()
}

/// Routes about one source.
async fn about_one(bed: &Bed, callers: &[(&'static str, User, bool)]) -> String {
    let routes = routes();
    let writes = routes.iter().filter(|route| route.writes).count();
    let mut stock = Stock::fill(bed, writes * callers.len() + 1).await;
    let read: Vec<(Whose, String)> = Whose::ALL.map(|whose| (whose, stock.take(whose))).to_vec();
    let mut table = String::new();
    for route in &routes {
        for (whose, shown) in &read {
            let name = format!("{} /{{source}}{}", route.method, route.rest);
            write!(table, "{name:<42} {:<9}", whose.name()).unwrap();
            for (_, user, shares) in callers {
                let id = if route.writes { stock.take(*whose) } else { shown.clone() };
                if *shares {
                    let share = format!("insert into public.shares values ('{id}', '{ALICE}'), ('{id}', '{BOB}')");
                    bed.database.execute(&share).await;
                }
                let request = bed.request(user, route.method.clone(), &format!("/api/sources/{id}{}", route.rest));
                let request = if route.body.is_null() { request } else { request.json(&route.body) };
                write!(table, " {:<15}", cell(bed, request).await).unwrap();
                bed.database.execute("delete from public.shares").await;
            }
            table = table.trim_end().to_owned() + "\n";
        }
    }
    table
}

/// Cancelling what waits, which nothing else of the table does.
async fn about_waiting(bed: &Bed, callers: &[(&'static str, User, bool)]) -> String {
    bed.hold().await;
    let mut table = String::new();
    for whose in Whose::ALL {
        write!(table, "{:<42} {:<9}", "POST /{source}/cancel, while it waits", whose.name()).unwrap();
        for (caller, user, shares) in callers {
            let text = words(&format!("{} waits for {caller}", whose.name()), 1);
            let id = bed.added(&whose.owner(), "a.txt", text).await;
            if *shares {
                let share = format!("insert into public.shares values ('{id}', '{ALICE}'), ('{id}', '{BOB}')");
                bed.database.execute(&share).await;
            }
            let before = state(bed).await;
            let answer = bed.send(user, Method::POST, &format!("/api/sources/{id}/cancel"), json!({})).await;
            let changed = changes(&before, &state(bed).await);
            write!(table, " {:<15}", format!("{} {changed}", answer.status).trim_end()).unwrap();
        }
        table = table.trim_end().to_owned() + "\n";
    }
    bed.let_go().await;
    rested(bed).await;
    bed.database.execute("delete from public.shares").await;
    table
}

/// Routes that add sources, and the list with whose sources it shows.
async fn about_all(bed: &Bed, callers: &[(&'static str, User, bool)]) -> String {
    let object = bed.request(&User::Service, Method::POST, "/storage/v1/object/files/a.txt");
    let object = object.header("content-type", "text/plain").body(words("object", 1)).send().await.unwrap();
    assert_eq!(object.status(), 200);
    let mut table = String::new();
    for name in ["GET", "POST /upload", "POST /import-url", "POST /import-from-storage"] {
        write!(table, "{name:<42} {:<9}", "").unwrap();
        for (caller, user, _) in callers {
            let at = |path: &str, method| bed.request(user, method, &format!("/api/sources{path}"));
            let cell = match name {
                "GET" => {
                    let answer = Answer::of(at("?limit=100", Method::GET).send().await.unwrap()).await;
                    let sources = answer.json["sources"].as_array().cloned().unwrap_or_default();
                    let seen: BTreeSet<&str> =
                        sources.iter().map(|source| owner_in_words(&source["owner_id"])).collect();
                    format!(
                        "{} {}",
                        answer.status,
                        seen.into_iter().map(|one| one.trim_end_matches("'s")).collect::<Vec<_>>().join("+")
                    )
                }
                "POST /upload" => {
                    let form = form("a.txt", words(&format!("the upload of {caller}"), 1));
                    cell(bed, at("/upload", Method::POST).multipart(form)).await
                }
                "POST /import-url" => {
                    // It cannot be reached, which nobody waits for.
                    let body = json!({"mode": "urls", "urls": ["http://127.0.0.1:9/a.txt"]});
                    cell(bed, at("/import-url", Method::POST).json(&body)).await
                }
                _ => {
                    let body = json!({"bucket": "files", "path": "a.txt"});
                    cell(bed, at("/import-from-storage", Method::POST).json(&body)).await
                }
            };
            // Who acts for alice has her file already.
            write!(table, " {:<15}", cell.trim_end()).unwrap();
        }
        table = table.trim_end().to_owned() + "\n";
    }
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_everybody_as_it_is_written_down() {
    let bed = Bed::start().await;
    bed.database.execute(APP).await;
    let callers = callers(&bed).await;
    let mut table = format!("{:<52}", "");
    for (name, ..) in &callers {
        write!(table, " {name:<15}").unwrap();
    }
    table = table.trim_end().to_owned() + "\n";
    table += &about_one(&bed, &callers).await;
    table += &about_waiting(&bed, &callers).await;
    table += &about_all(&bed, &callers).await;
    if environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let difference: Vec<_> = table.lines().filter(|line| !golden.lines().any(|same| same == *line)).collect();
    assert!(golden == table, "tests/golden/source_rights.txt differs:\n{}", difference.join("\n"));
}

/// What must hold whatever the table says: strangers change nothing, and see nothing that no policy shows them.
#[test]
fn the_table_gives_strangers_nothing() {
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    let mut lines = golden.lines();
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let mut seen = 0;
    for line in lines {
        let (route, rest) = line.split_at(42);
        let (whose, cells) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
        let cells: Vec<String> = split(cells);
        if whose.is_empty() || !whose.contains('\'') {
            continue;
        }
        assert_eq!(cells.len(), head.len(), "{line}");
        for (caller, cell) in head.iter().zip(&cells) {
            let is_own =
                matches!((*caller, whose), ("alice" | "as-alice", "alice's") | ("bob" | "bob-shared", "bob's"));
            if is_own || *caller == "service" {
                assert!(cell.starts_with('2') || cell.starts_with("40"), "{route}: {caller} {cell}");
                continue;
            }
            seen += 1;
            let shows = *caller == "bob-shared" && (route.starts_with("GET") || route.contains("/download-url"));
            assert!(shows || cell.starts_with("40"), "{route} of {whose}: {caller} {cell}");
            assert!(!cell.contains(' '), "{route} of {whose}: {caller} changed something: {cell}");
        }
    }
    assert!(seen > 150, "{seen} cells");
}

/// The cells of a line: a status, and the words behind it.
fn split(cells: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in cells.split_whitespace() {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            found.push(word.to_owned());
        } else if let Some(last) = found.last_mut() {
            write!(last, " {word}").unwrap();
        }
    }
    found
}
