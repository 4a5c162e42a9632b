//! Which route answers whom with what, about whose base, in `tests/golden/knowledge_rights.txt`; and what changed by it.
//!
//! After a change: `UPDATE_GOLDEN=1 ./dev test -E 'test(/^knowledge::policies::/)'`, then read `git diff tests/golden`. Look at the rows
//! of what is another's first: a word behind a status says that something changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use behalf_config::environment;
use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::{ALICE, BOB, SECRET, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{Bed, alice, bob, paragraphs};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/knowledge_rights.txt");

/// Whose the base is, and whether it takes sources of every user. A source of its owner is in it; in an open one, Bob's as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Alices,
    AlicesOpen,
    Bobs,
    Nobodys,
}

impl Whose {
    const ALL: [Self; 4] = [Self::Alices, Self::AlicesOpen, Self::Bobs, Self::Nobodys];

    fn owner(self) -> Option<Uuid> {
        match self {
            Self::Alices | Self::AlicesOpen => Some(ALICE),
            Self::Bobs => Some(BOB),
            Self::Nobodys => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Alices => "alice's",
            Self::AlicesOpen => "alice's open",
            Self::Bobs => "bob's",
            Self::Nobodys => "nobody's",
        }
    }
}

/// A base with an indexed source of its owner's, and one of Bob's in an open one.
struct Given {
    base: Uuid,
    place: Uuid,
    source: Uuid,
    bobs_place: Uuid,
}

async fn given(bed: &Bed, whose: Whose) -> Given {
    let [base, place, source, bobs_place, bobs_source] = std::array::from_fn(|_| Uuid::new_v4());
    let owner = whose.owner().map_or_else(|| "null".to_owned(), |owner| format!("'{owner}'"));
    let contributors = if whose == Whose::AlicesOpen { "authenticated" } else { "owner" };
    let mut sql = format!(
        "insert into ai.knowledge_bases (id, owner_id, name, contributors, indexing_config, retrieval_config)
             values ('{base}', {owner}, 'base', '{contributors}', '{{\"strategy\": \"chunk_embed\"}}', '{{\"method\": \"full_text\"}}');"
    );
    let mut places = vec![(place, source, owner)];
    if whose == Whose::AlicesOpen {
        places.push((bobs_place, bobs_source, format!("'{BOB}'")));
    }
    for (place, source, owner) in places {
        sql += &format!(
            "insert into ai.sources (id, owner_id, name, extraction_status) values ('{source}', {owner}, 'a.md', 'extracted');
             insert into ai.indexed_sources (id, knowledge_base_id, source_id, index_status, indexed_at, chunk_count)
                 values ('{place}', '{base}', '{source}', 'indexed', now(), 1);
             insert into ai.chunks (indexed_source_id, knowledge_base_id, source_id, text) values ('{place}', '{base}', '{source}', 'an anchor');"
        );
    }
    bed.database.execute(&sql).await;
    Given { base, place, source, bobs_place }
}

/// A route: its line in the table, and the request.
struct Route {
    method: Method,
    rest: &'static str,
    body: fn(&Given, Uuid) -> Value,
}

fn routes() -> Vec<Route> {
    let none: fn(&Given, Uuid) -> Value = |_, _| Value::Null;
    let empty: fn(&Given, Uuid) -> Value = |_, _| json!({});
    let route = |method, rest, body| Route { method, rest, body };
    vec![
        route(Method::GET, "", none),
        route(Method::PATCH, "", |_, _| json!({ "name": "another" })),
        route(Method::DELETE, "", none),
        route(Method::GET, "/sources", none),
        route(Method::GET, "/sources/{place}", none),
        route(Method::GET, "/sources/{place}/events", none),
        route(Method::GET, "/sources/{bobs}", none),
        route(Method::POST, "/sources", |_, own| json!({ "source_id": own })),
        route(Method::POST, "/sources (again)", |given, _| json!({ "source_id": given.source })),
        route(Method::DELETE, "/sources/{place}", none),
        route(Method::DELETE, "/sources/{bobs}", none),
        route(Method::POST, "/sources/{place}/cancel", empty),
        route(Method::POST, "/search", |_, _| json!({ "query": "anchor" })),
        route(Method::POST, "/items", |given, _| json!({ "source_ids": [given.source] })),
        route(Method::GET, "/indexed-sources/{place}/chunks", none),
        route(Method::GET, "/indexed-sources/{bobs}/chunks", none),
        route(Method::GET, "/available-sources", none),
        route(Method::POST, "/reindex", empty),
        route(Method::POST, "/build-bm25", empty),
    ]
}

async fn callers(bed: &Bed) -> Vec<(&'static str, User)> {
    let agent = bed.agent(&[]).await;
    let made = bed.post(&alice(), "/api/delegations", json!({ "agent_id": agent })).await;
    let delegation = made.json["token"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let mut expired = TokenRequest::for_user(&ALICE.to_string());
    expired.ttl_seconds = -3_600;
    vec![
        ("nobody", User::Nobody),
        ("anon", User::Anon),
        ("expired", User::Token(mint_token(SECRET, &expired).unwrap())),
        ("delegation", User::Token(delegation)),
        ("alice", alice()),
        ("bob", bob()),
        ("as-alice", User::ServiceFor(ALICE)),
        ("service", User::Service),
    ]
}

/// What a route may change of a base.
async fn state(bed: &Bed, base: Uuid) -> BTreeMap<String, Value> {
    let rows: Value = bed
        .database
        .value(&format!(
            "select coalesce(jsonb_object_agg(r.id, r.row), '{{}}') from (
                select 'base' as id, jsonb_build_array(b.name, b.owner_id, b.contributors) as row from ai.knowledge_bases b where b.id = '{base}'
                union all select i.id::text, jsonb_build_array(i.job_id is not null or i.wanted_at is not null)
                from ai.indexed_sources i where i.knowledge_base_id = '{base}') r"
        ))
        .await;
    serde_json::from_value(rows).unwrap()
}

fn changes(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> String {
    let mut words = BTreeSet::new();
    for (id, was) in before {
        let what = if id == "base" { "base" } else { "place" };
        match after.get(id) {
            None => words.insert(format!("{what} gone")),
            Some(is) if is != was && what == "base" => words.insert("changed".to_owned()),
            Some(is) if is != was => words.insert("anew".to_owned()),
            Some(_) => false,
        };
    }
    if after.keys().any(|id| !before.contains_key(id)) {
        words.insert("added".to_owned());
    }
    words.into_iter().collect::<Vec<_>>().join("+")
}

/// `shared` is what callers are asked of who may nothing: each finds it as it was.
async fn cell(bed: &Bed, route: &Route, (whose, shared): (Whose, &Given), user: &User) -> String {
    let own_one = match user {
        User::Is(_) | User::ServiceFor(_) | User::Service => Some(given(bed, whose).await),
        _ => None,
    };
    let given = own_one.as_ref().unwrap_or(shared);
    let own = match user {
        User::Is(user) | User::ServiceFor(user) => Some(*user),
        User::Service => None,
        _ => Some(ALICE),
    };
    let own = match own_one {
        Some(_) => bed.source(own, "own.md", &["mine"]).await.parse().unwrap(),
        None => given.source,
    };
    let rest = route.rest.trim_end_matches(" (again)");
    let rest = rest.replace("{place}", &given.place.to_string()).replace("{bobs}", &given.bobs_place.to_string());
    let request = bed.request(user, route.method.clone(), &format!("/api/knowledge-bases/{}{rest}", given.base));
    let body = (route.body)(given, own);
    let request = if body.is_null() { request } else { request.json(&body) };
    let before = state(bed, given.base).await;
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    let changed = changes(&before, &state(bed, given.base).await);
    // How many rows or results a reader gets.
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let count = ["results", "items", "chunks", "count"].iter().find_map(|name| match &json[*name] {
        Value::Array(rows) => Some(rows.len().to_string()),
        Value::Number(count) => Some(count.to_string()),
        _ => None,
    });
    let count = count.map_or_else(String::new, |count| format!(" ({count})"));
    format!("{status}{count} {changed}").trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_each_caller_as_reviewed() {
    let bed = Bed::start().await;
    let callers = callers(&bed).await;
    let mut table = format!("{:<36} {:<13}", "", "");
    for (name, _) in &callers {
        write!(table, " {name:<15}").unwrap();
    }
    table = format!("{}\n", table.trim_end());
    for route in routes() {
        for whose in Whose::ALL {
            if route.rest.contains("{bobs}") && whose != Whose::AlicesOpen {
                continue;
            }
            let name = format!("{} {}", route.method, route.rest);
            let mut line = format!("{name:<36} {:<13}", whose.name());
            let shared = given(&bed, whose).await;
            for (_, user) in &callers {
                write!(line, " {:<15}", cell(&bed, &route, (whose, &shared), user).await).unwrap();
            }
            writeln!(table, "{}", line.trim_end()).unwrap();
        }
    }
    if environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(golden == table, "what is answered differs from {GOLDEN}:\n{table}");
}

/// Everybody may add to an open base, and sees of it what their own sources are.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_base_shows_each_contributor_their_own() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({ "contributors": "authenticated" })).await;
    for (user, owner, word) in [(alice(), ALICE, "apple"), (bob(), BOB, "berry")] {
        let source = bed.source(Some(owner), "a.md", &[&format!("the fruit is {word}")]).await;
        bed.indexed(&user, &base, &source).await;
    }
    for (user, word) in [(alice(), "apple"), (bob(), "berry")] {
        let found = bed.search(&user, &base, json!({ "query": "fruit", "top_k": 10 })).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0]["text"].as_str().unwrap().contains(word), "{found:?}");
        let shown = bed.get(&user, &format!("/api/knowledge-bases/{base}")).await.json;
        assert_eq!(shown["source_counts"]["total"], 1, "a count of others' sources: {shown}");
    }
    // The owner of the base has all of it indexed anew, and reads nothing of others' for that.
    let begun = bed.post(&alice(), &format!("/api/knowledge-bases/{base}/reindex"), json!({})).await;
    assert_eq!(
        (&begun.json["count"], begun.json["task_ids"].as_array().map(Vec::len)),
        (&json!(2), Some(1)),
        "{}",
        begun.text
    );
    let open = "select count(*) from ai.indexed_sources where index_status <> 'indexed'";
    eventually("they are not indexed anew", async || bed.database.value::<i64>(open).await == 0).await;
    assert_eq!(bed.search(&bob(), &base, json!({ "query": "fruit", "top_k": 10 })).await.len(), 1);
    // A base that is closed again keeps what it has, and takes nothing more.
    let path = format!("/api/knowledge-bases/{base}");
    bed.send(&alice(), Method::PATCH, &path, json!({ "contributors": "owner" })).await;
    let source = bed.source(Some(BOB), "b.md", &["more"]).await;
    let refused = bed.post(&bob(), &format!("{path}/sources"), json!({ "source_id": source })).await;
    assert_eq!(
        (refused.status, &refused.json["detail"]),
        (404, &json!("Knowledge base not found")),
        "{}",
        refused.text
    );
}

/// What an app's own policies show counts at once, also for what is indexed while they change.
#[tokio::test(flavor = "multi_thread")]
async fn policies_that_change_while_a_source_is_indexed_decide() {
    let bed = Bed::start().await;
    bed.embedder.take(Duration::from_millis(100));
    let base = bed.base(&alice(), json!({ "indexing_config": { "chunk_size": 40, "chunk_overlap": 0 } })).await;
    let source = bed.source(Some(ALICE), "a.md", &[&paragraphs("word", 100)]).await;
    let place = bed.add(&alice(), &base, &source).await;
    let staged = "select count(*) from behalf.staged_chunks";
    eventually("nothing is staged", async || bed.database.value::<i64>(staged).await > 0).await;
    bed.database
        .execute(
            "create policy shared on ai.sources for select to authenticated using (name = 'a.md');
             create policy shared_base on ai.knowledge_bases for select to authenticated using (true)",
        )
        .await;
    assert_eq!(bed.ended(&alice(), &base, &place).await["index_status"], "indexed");
    let query = json!({ "query": "word7" });
    assert!(!bed.search(&bob(), &base, query.clone()).await.is_empty(), "a policy shows it to Bob");
    let refused =
        bed.send(&bob(), Method::DELETE, &format!("/api/knowledge-bases/{base}/sources/{place}"), Value::Null).await;
    assert_eq!(refused.status, 404, "who sees it need not own it: {}", refused.text);
    bed.database.execute("drop policy shared on ai.sources").await;
    assert!(bed.search(&bob(), &base, query.clone()).await.is_empty(), "the policy is gone");
    assert!(!bed.search(&alice(), &base, query).await.is_empty());
}
