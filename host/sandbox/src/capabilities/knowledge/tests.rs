//! Tests of the bounds within which a guest searches, over a search that notes what gets to it.

use std::sync::Mutex;
use std::time::Instant;

use behalf_identity::{CallerKey, Principal, TokenRequest, Verifier, VerifierOptions, mint_token};
use futures::FutureExt as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::search::{KnowledgeBaseRef, KnowledgeCaller, KnowledgeFuture, KnowledgeQuery, KnowledgeScope};
use super::*;
use crate::capabilities::slot::LateSlot;
use crate::deadline::Deadline;
use crate::memory::Memory;

const SECRET: &str = "a-secret-of-tests-with-enough-bytes";
const HANDBOOK: Uuid = Uuid::from_u128(1);
const PLANS: Uuid = Uuid::from_u128(2);

/// A search whose caller sees two bases. It finds one passage of each base, and notes what it is asked.
#[derive(Debug, Default)]
struct Noting {
    asked: Mutex<Vec<String>>,
    text: String,
}

impl Noting {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl KnowledgeSearch for Noting {
    fn bases<'a>(&'a self, _: KnowledgeCaller<'a>, names: &'a [String]) -> KnowledgeFuture<'a, Vec<KnowledgeBaseRef>> {
        self.asked.lock().expect("no panic").push(format!("bases {}", names.join(",")));
        let all = [(HANDBOOK, "Handbook"), (PLANS, "Plans")];
        let meant = |id: Uuid, name: &str| names.iter().any(|one| one == "*" || one == name || *one == id.to_string());
        let found = all.into_iter().filter(|(id, name)| meant(*id, name));
        let found: Vec<_> = found.map(|(id, name)| KnowledgeBaseRef { id, name: name.to_owned() }).collect();
        std::future::ready(Ok(found)).boxed()
    }

    fn search<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        query: KnowledgeQuery<'a>,
    ) -> KnowledgeFuture<'a, Vec<Passage>> {
        assert!(!query.bases.is_empty() && caller.deadline <= Duration::from_secs(30));
        let bases: Vec<_> = query.bases.iter().map(|id| id.as_u128().to_string()).collect();
        let only = if query.own_sources_only { " own" } else { "" };
        self.asked.lock().expect("no panic").push(format!("search {}{only}", bases.join(",")));
        let passage = |base: &Uuid| Passage {
            chunk: Uuid::from_u128(10),
            source: Uuid::from_u128(11),
            source_name: Some("a.pdf".to_owned()),
            knowledge_base: Some(*base),
            text: self.text.clone(),
            score: f32::NAN,
            meta: json!({"page": 3, "source_name": "the law"}).as_object().cloned().unwrap_or_default(),
        };
        std::future::ready(Ok(query.bases.iter().map(passage).collect())).boxed()
    }
}

async fn principal() -> Arc<Principal> {
    let options = VerifierOptions { secret: Some(SECRET.as_bytes().to_vec()), ..VerifierOptions::default() };
    let token = mint_token(SECRET, &TokenRequest::for_user("6f9619ff-8b86-d011-b42d-00cf4fc964ff")).expect("a token");
    Verifier::new(options).expect("a verifier").verify(&token).await.expect("a principal")
}

async fn call(granted: &[&str], scope: KnowledgeScope) -> (Arc<Noting>, CallKnowledge) {
    let search = Arc::new(Noting { text: "x".repeat(100), ..Noting::default() });
    let principal = principal().await;
    let call = CallKnowledge {
        search: Some(Arc::clone(&search) as Arc<dyn KnowledgeSearch>),
        grant: serde_json::from_value(json!({ "knowledge_bases": granted })).expect("a grant"),
        scope,
        key: CallerKey::new(&principal, None),
        principal,
        agent: None,
        deadline: Deadline::from(Instant::now() + Duration::from_secs(10)),
        output_bytes: 1 << 20,
    };
    (search, call)
}

fn narrowed(ids: &[Uuid]) -> KnowledgeScope {
    KnowledgeScope { knowledge_bases: Some(ids.into()), own_sources_only: false }
}

async fn search(call: &CallKnowledge, options: Value) -> Result<usize, &'static str> {
    let memory = Memory::new(1 << 20);
    let found = call.passages(&memory, "a question", &options.to_string()).await.expect("no trap");
    found.map(|found| found.len()).map_err(|error| error.code)
}

#[tokio::test]
async fn a_search_covers_what_was_granted_and_asked_for_and_nothing_else() {
    let asked = |names: &[&str]| json!({ "knowledge_bases": names });
    let plans = PLANS.to_string();
    let all = KnowledgeScope::default;
    for (granted, scope, options, expected) in [
        (&["*"][..], all(), json!({}), Ok(&[1_u128, 2][..])),
        (&["*"], all(), asked(&["Plans"]), Ok(&[2])),
        (&["*"], all(), asked(&["*"]), Err("not_granted")),
        (&["*"], all(), asked(&["Plans", "Secret"]), Err("not_granted")),
        (&["Handbook"], all(), json!({}), Ok(&[1])),
        (&["Handbook"], all(), asked(&["Plans"]), Err("not_granted")),
        (&["Handbook"], all(), asked(&[&plans]), Err("not_granted")),
        (&["Handbook"], all(), asked(&["*"]), Err("not_granted")),
        (&["Handbook"], all(), asked(&["handbook"]), Err("not_granted")),
        (&["Handbook", "Gone"], all(), json!({}), Ok(&[1])),
        (&["Gone"], all(), json!({}), Ok(&[])),
        (&[&plans], all(), asked(&["Plans"]), Ok(&[2])),
        (&[&plans], all(), asked(&[&plans.to_uppercase()]), Ok(&[2])),
        (&["*"], narrowed(&[PLANS]), json!({}), Ok(&[2])),
        (&["*"], narrowed(&[PLANS]), asked(&["Handbook"]), Err("not_granted")),
        (&["*"], narrowed(&[]), json!({}), Ok(&[])),
        (&["Handbook"], narrowed(&[PLANS]), json!({}), Ok(&[])),
        (&["Handbook", "Plans"], narrowed(&[PLANS]), json!({}), Ok(&[2])),
        (&["*"], narrowed(&[Uuid::from_u128(99)]), json!({}), Ok(&[])),
    ] {
        let (noting, call) = call(granted, scope.clone()).await;
        let found = search(&call, options.clone()).await;
        assert_eq!(found, expected.map(<[u128]>::len), "{granted:?} {scope:?} {options}");
        let searched = noting.asked().into_iter().find_map(|asked| asked.strip_prefix("search ").map(str::to_owned));
        let ids = expected.unwrap_or_default().iter().map(u128::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(searched.unwrap_or_default(), ids, "{granted:?} {scope:?} {options}");
    }
}

#[tokio::test]
async fn what_a_run_takes_away_reaches_the_search() {
    let scope = KnowledgeScope { own_sources_only: true, ..narrowed(&[PLANS]) };
    let (noting, call) = call(&["*"], scope).await;
    assert_eq!(search(&call, json!({})).await, Ok(1));
    assert_eq!(noting.asked(), [format!("bases {PLANS}"), "search 2 own".to_owned()]);
}

#[tokio::test]
async fn a_bad_search_never_reaches_the_host() {
    let (noting, call) = call(&["*"], KnowledgeScope::default()).await;
    let memory = Memory::new(1 << 20);
    for (text, options) in
        [("", "{}"), (" \n", "{}"), ("a\0", "{}"), (&"x".repeat(8_001)[..], "{}"), ("a", r#"{"top_k": 1000000}"#)]
    {
        let found = call.passages(&memory, text, options).await.expect("no trap");
        assert_eq!(found.map_err(|error| error.code), Err("invalid"), "{options}");
    }
    assert_eq!(noting.asked(), [""; 0]);
    let long = "x".repeat(2_000);
    assert!(call.passages(&Memory::new(1_000), &long, "{}").await.is_err(), "the question has no place in its memory");
}

#[tokio::test]
async fn an_answer_counts_as_memory_and_as_output() {
    let (_, mut call) = call(&["*"], KnowledgeScope::default()).await;
    let memory = Memory::new(1 << 20);
    assert_eq!(call.passages(&memory, "a", "{}").await.expect("no trap").map(|found| found.len()), Ok(2));
    assert!(memory.peak() > 400 && memory.used() == 0, "with the guest's copy, and no longer than that");
    assert!(call.passages(&Memory::new(500), "a", "{}").await.is_err(), "it has no place in the call's memory");
    call.output_bytes = 200;
    assert_eq!(search(&call, json!({})).await, Err("limit"));
}

#[tokio::test]
async fn a_host_without_knowledge_bases_says_so() {
    let (_, mut call) = call(&["*"], KnowledgeScope::default()).await;
    let slot = LateSlot::<dyn KnowledgeSearch>::default();
    call.search = Some(Arc::new(slot.clone()));
    assert_eq!(search(&call, json!({})).await, Err("unavailable"), "until the slot is filled");
    slot.fill(Arc::new(Noting::default()));
    assert_eq!(search(&call, json!({})).await, Ok(2));
    call.search = None;
    assert_eq!(search(&call, json!({})).await, Err("unavailable"));
}

#[test]
fn what_the_host_knows_of_a_passage_outweighs_what_the_document_says() {
    let found = Passage {
        chunk: Uuid::nil(),
        source: Uuid::nil(),
        source_name: Some("letter.pdf".to_owned()),
        knowledge_base: None,
        text: String::new(),
        score: f32::INFINITY,
        meta: json!({"source_name": "the law", "knowledge_base_id": "any", "page": 1})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    };
    let guest = passage(found);
    let meta: Map<String, Value> = serde_json::from_str(&guest.meta).expect("JSON");
    assert_eq!(Value::Object(meta), json!({"source_name": "letter.pdf", "knowledge_base_id": null, "page": 1}));
    assert!(guest.score.abs() < f32::EPSILON);
}

#[test]
fn a_grant_names_bases_that_there_can_be() {
    let check = |names: Vec<String>| grant::KnowledgeGrants { knowledge_bases: names }.check();
    assert_eq!(check(vec!["*".to_owned(), "A base".to_owned()]), Ok(()));
    for bad in [String::new(), "a\0".to_owned(), "x".repeat(201)] {
        assert_eq!(check(vec![bad.clone()]), Err(GrantError::KnowledgeBase(bad)));
    }
    assert!(check(vec!["a".to_owned(); 101]).is_err());
}

#[test]
fn more_bases_are_beyond_and_all_of_them_are_beyond_some() {
    let exceeds = |mine: &[&str], theirs: &[&str]| {
        let read =
            |names: &[&str]| Grants::from_json(json!({"knowledge": {"knowledge_bases": names}})).expect("grants");
        read(mine).exceeds(&read(theirs)).is_some()
    };
    assert!(
        !exceeds(&["a"], &["a", "b"]) && !exceeds(&["a"], &["*"]) && !exceeds(&["*"], &["*"]) && !exceeds(&[], &[])
    );
    assert!(exceeds(&["*"], &["a"]) && exceeds(&["a", "b"], &["a"]) && exceeds(&["a"], &[]) && exceeds(&["A"], &["a"]));
}
