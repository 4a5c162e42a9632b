//! What agents remember of their users: kept and recalled by the bundled tools, read and deleted over HTTP, and nobody else's.

use behalf_tests::{ALICE, Answer, BOB, ScriptedModel, Turn, User, eventually, guests};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{Bed, alice, bob};

async fn remember(bed: &Bed, user: &User, text: &str) -> String {
    let kept = bed.call(user, "memory_remember", json!({ "text": text })).await;
    kept.result()["id"].as_str().unwrap_or_else(|| panic!("{}", kept.text)).to_owned()
}

async fn recall(bed: &Bed, user: &User, arguments: Value) -> Vec<String> {
    let found = bed.call(user, "memory_recall", arguments).await;
    let memories = found.result()["memories"].as_array().unwrap_or_else(|| panic!("{}", found.text)).clone();
    memories.iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

async fn forget(bed: &Bed, user: &User, id: &str) -> Value {
    bed.call(user, "memory_forget", json!({ "id": id })).await.result()["forgotten"].clone()
}

async fn rows(bed: &Bed, user: &User, method: Method, path: &str, body: Option<Value>) -> Answer {
    let mut request = bed.request(user, method, path).header("accept-profile", "ai").header("content-profile", "ai");
    if let Some(body) = body {
        request = request.json(&body);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_remembered_and_nobody_else_is_told() {
    let bed = Bed::start().await;
    let garden = remember(&bed, &alice(), "Grows tomatoes in the garden.").await;
    remember(&bed, &alice(), "Prefers short answers in German.").await;
    remember(&bed, &alice(), "Works on the harbour project until May.").await;
    remember(&bed, &bob(), "Grows tomatoes in the garden, and canaries sing there.").await;
    let found = recall(&bed, &alice(), json!({ "query": "tomatoes garden", "top_k": 2 })).await;
    assert_eq!((found.len(), found[0].as_str()), (2, "Grows tomatoes in the garden."));
    // Without a query: the newest first.
    let newest = recall(&bed, &alice(), json!({ "top_k": 2 })).await;
    assert_eq!(newest, ["Works on the harbour project until May.", "Prefers short answers in German."]);
    for query in ["canaries", "tomatoes garden sing", "Bob"] {
        let found = recall(&bed, &alice(), json!({ "query": query, "top_k": 50 })).await;
        assert!(found.len() == 3 && found.iter().all(|text| !text.contains("canaries")), "{query}: {found:?}");
    }
    // Not even by its id.
    assert_eq!(forget(&bed, &bob(), &garden).await, false);
    let path = format!("/api/memories/{garden}");
    for method in [Method::GET, Method::DELETE] {
        let hidden = bed.send(&bob(), method, &path, json!({})).await;
        assert_eq!((hidden.status, &hidden.json["detail"]), (404, &json!("Memory not found")), "{}", hidden.text);
    }
    let shown = bed.get(&alice(), &path).await;
    assert_eq!((&shown.json["text"], &shown.json["user_id"]), (&json!("Grows tomatoes in the garden."), &json!(ALICE)));
    assert_eq!(forget(&bed, &alice(), &garden).await, true);
    assert_eq!(forget(&bed, &alice(), &garden).await, false);
    assert_eq!(bed.get(&alice(), &path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_lists_and_deletes_over_http() {
    let bed = Bed::start().await;
    for number in 0..3 {
        remember(&bed, &alice(), &format!("Fact {number} of her garden")).await;
    }
    remember(&bed, &bob(), "his own").await;
    let list = bed.get(&alice(), "/api/memories?limit=2").await;
    let texts: Vec<&Value> = list.json["memories"].as_array().unwrap().iter().map(|one| &one["text"]).collect();
    assert_eq!((list.status, texts), (200, vec![&json!("Fact 2 of her garden"), &json!("Fact 1 of her garden")]));
    assert_eq!((&list.json["total"], &list.json["limit"], &list.json["offset"]), (&json!(3), &json!(2), &json!(0)));
    let found = bed.get(&alice(), "/api/memories?q=FACT%201").await;
    assert_eq!(found.json["total"], 1, "{}", found.text);
    assert_eq!(bed.get(&User::Service, "/api/memories").await.json["total"], 4);
    for nobody in [User::Anon, User::Nobody] {
        assert_eq!(bed.get(&nobody, "/api/memories").await.status, 401, "{nobody:?}");
    }
    // The service role deletes everything of a user only where it acts for one.
    let none = bed.send(&User::Service, Method::DELETE, "/api/memories", json!({})).await;
    assert_eq!((none.status, &none.json["deleted"]), (200, &json!(0)));
    let gone = bed.send(&User::ServiceFor(ALICE), Method::DELETE, "/api/memories", json!({})).await;
    assert_eq!((gone.status, &gone.json["deleted"]), (200, &json!(3)));
    assert_eq!(bed.get(&alice(), "/api/memories").await.json["total"], 0);
    assert_eq!(bed.get(&bob(), "/api/memories").await.json["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_role_deletes_is_in_the_audit_log_without_its_text() {
    let bed = Bed::start().await;
    let events = "select coalesce(string_agg(concat_ws(' ', action, actor, coalesce(user_id::text, '-'), object, details ->> 'user_id',
        details ->> 'count', request_id is not null), '; ' order by id), '') from ai.audit_events where action like 'memory.%'";
    let events = async || bed.database.value::<String>(events).await;
    let mut hers = Vec::new();
    for number in 0..4 {
        hers.push(remember(&bed, &alice(), &format!("secret {number}")).await);
    }
    let his = remember(&bed, &bob(), "secret of his").await;
    // Users' own deletions are theirs.
    assert_eq!(bed.send(&alice(), Method::DELETE, &format!("/api/memories/{}", hers[0]), json!({})).await.status, 200);
    assert_eq!(forget(&bed, &alice(), &hers[1]).await, true);
    assert_eq!(events().await, "");
    let gone = bed.send(&User::Service, Method::DELETE, &format!("/api/memories/{his}"), json!({})).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let mut wanted = vec![format!("memory.deleted service_role - user:{BOB} {BOB} 1 t")];
    assert_eq!(events().await, wanted.join("; "));
    let gone = bed.send(&User::ServiceFor(ALICE), Method::DELETE, "/api/memories", json!({})).await;
    assert_eq!((gone.status, &gone.json["deleted"]), (200, &json!(2)));
    wanted.push(format!("memory.deleted service_role {ALICE} user:{ALICE} {ALICE} 2 t"));
    assert_eq!(events().await, wanted.join("; "));
    // SQL of its own, of several users in one statement.
    remember(&bed, &alice(), "another secret").await;
    remember(&bed, &bob(), "another secret").await;
    let gone = rows(&bed, &User::Service, Method::DELETE, "/rest/v1/memories?text=eq.another%20secret", None).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    for user in [ALICE, BOB] {
        wanted.push(format!("memory.deleted service_role - user:{user} {user} 1 f"));
    }
    assert_eq!(events().await, wanted.join("; "));
    // What goes with an agent is told with that.
    let agent = bed.agent(&["memory_recall"]).await;
    let kept = format!("insert into ai.memories (user_id, agent_id, text) values ('{ALICE}', '{agent}', 'secret')");
    bed.database.execute(&kept).await;
    assert_eq!(bed.send(&User::Service, Method::DELETE, &format!("/api/agents/{agent}"), json!({})).await.status, 200);
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.memories").await, 0);
    assert_eq!(events().await, wanted.join("; "));
    let told = "select count(*) from ai.audit_events e where e.action like 'memory.%' and e::text like '%secret%'";
    assert_eq!(bed.database.value::<i64>(told).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_rest_users_read_and_delete_their_own_and_write_nothing() {
    let bed = Bed::start().await;
    let id = remember(&bed, &alice(), "hers").await;
    remember(&bed, &bob(), "his").await;
    let own = rows(&bed, &alice(), Method::GET, "/rest/v1/memories?select=text,user_id", None).await;
    assert_eq!(own.json, json!([{ "text": "hers", "user_id": ALICE }]), "{}", own.text);
    let planted = json!({ "text": "planted", "user_id": BOB });
    assert_eq!(rows(&bed, &alice(), Method::POST, "/rest/v1/memories", Some(planted)).await.status, 403);
    let moved = json!({ "user_id": BOB });
    let path = format!("/rest/v1/memories?id=eq.{id}");
    assert_eq!(rows(&bed, &alice(), Method::PATCH, &path, Some(moved)).await.status, 403);
    assert_eq!(rows(&bed, &bob(), Method::DELETE, &path, None).await.status, 204);
    assert_eq!(bed.get(&alice(), "/api/memories").await.json["total"], 1, "it was not his to delete");
    assert_eq!(rows(&bed, &alice(), Method::DELETE, &path, None).await.status, 204);
    assert_eq!(bed.get(&alice(), "/api/memories").await.json["total"], 0);
    assert_eq!(bed.get(&bob(), "/api/memories").await.json["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_is_kept_once_and_its_contrary_is_another() {
    let bed = Bed::start().await;
    let first = remember(&bed, &alice(), "Is allergic to peanuts").await;
    let again =
        bed.call(&alice(), "memory_remember", json!({ "text": " is  allergic to Peanuts. ", "about": "food" })).await;
    assert_eq!(again.result()["id"], first.as_str(), "{}", again.text);
    let contrary = remember(&bed, &alice(), "Is not allergic to peanuts").await;
    assert_ne!(contrary, first);
    let kept = bed.get(&alice(), &format!("/api/memories/{first}")).await;
    assert_eq!(
        (&kept.json["text"], &kept.json["meta"]),
        (&json!(" is  allergic to Peanuts. "), &json!({"about": "food"}))
    );
    // What another user keeps is theirs.
    assert_ne!(remember(&bed, &bob(), "Is allergic to peanuts").await, first);
    let counted: i64 = bed.database.value("select count(*) from ai.memories").await;
    assert_eq!(counted, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_recalls_what_it_kept_itself_and_what_all_may_know() {
    let keep = |text: &str| Turn::Call(vec![("memory_remember", json!({ "text": text }))]);
    let look = || Turn::Call(vec![("memory_recall", json!({ "query": "secret", "top_k": 50 }))]);
    let model = ScriptedModel::start([
        keep("first agent's secret"),
        Turn::Say("kept"),
        look(),
        Turn::Say("a"),
        look(),
        Turn::Say("b"),
    ])
    .await;
    let bed = Bed::with(model.settings()).await;
    let tools = ["memory_remember", "memory_recall"];
    let (first, second) = (bed.agent(&tools).await, bed.agent(&tools).await);
    remember(&bed, &alice(), "everybody's secret").await;
    remember(&bed, &bob(), "bob's secret").await;
    for agent in [&first, &first, &second] {
        let body = json!({ "message": "go on" });
        let path = format!("/api/agents/{agent}/run/stream");
        let ran = bed.request(&alice(), Method::POST, &path).json(&body).send().await.unwrap();
        assert_eq!(ran.status(), 200);
        ran.text().await.unwrap();
    }
    let told: Vec<String> = model.requests().iter().map(Value::to_string).collect();
    assert!(told[3].contains("first agent's secret") && told[3].contains("everybody's secret"), "{}", told[3]);
    assert!(!told[5].contains("first agent's secret") && told[5].contains("everybody's secret"), "{}", told[5]);
    assert!(told.iter().all(|request| !request.contains("bob's secret")));
    let of_first = bed.get(&alice(), &format!("/api/memories?agent_id={first}")).await;
    assert_eq!((&of_first.json["total"], &of_first.json["memories"][0]["agent_id"]), (&json!(1), &json!(first)));
    // Memories of an agent go with it.
    assert_eq!(bed.send(&User::Service, Method::DELETE, &format!("/api/agents/{first}"), json!({})).await.status, 200);
    let left = bed.get(&alice(), "/api/memories").await;
    assert_eq!((&left.json["total"], &left.json["memories"][0]["text"]), (&json!(1), &json!("everybody's secret")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_two_thousand_memories_at_most_also_where_two_are_kept_at_once() {
    let bed = Bed::start().await;
    let many = format!(
        "insert into ai.memories (user_id, text) select '{ALICE}', 'fact ' || n from generate_series(1, 1999) n"
    );
    bed.database.execute(&many).await;
    let user = alice();
    let call = |text: &'static str| bed.call(&user, "memory_remember", json!({ "text": text }));
    let answers = futures::future::join_all(["first of three", "second of three", "third of three"].map(call)).await;
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.text.contains("2000 memories")).collect();
    assert_eq!(refused.len(), 2, "{answers:?}");
    let counted: i64 = bed.database.value(&format!("select count(*) from ai.memories where user_id = '{ALICE}'")).await;
    assert_eq!(counted, 2000);
    // The same text again is no further memory, and other users have room.
    let again = bed.call(&alice(), "memory_remember", json!({ "text": "fact 7" })).await;
    assert!(again.result()["id"].is_string(), "{}", again.text);
    remember(&bed, &bob(), "his first").await;
    let mut owner = bed.database.owner().await;
    let more = sqlx::raw_sql(sqlx::AssertSqlSafe(many.replace("1999", "1"))).execute(&mut owner).await;
    assert!(more.unwrap_err().to_string().contains("2000 memories"), "SQL is bounded as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_forgotten() {
    let bed = Bed::start().await;
    let user = "insert into auth.users (instance_id, id, aud, role, email) values
        ('00000000-0000-0000-0000-000000000000', '{}', 'authenticated', 'authenticated', 'alice@example.org')";
    bed.database.execute(&user.replace("{}", &ALICE.to_string())).await;
    remember(&bed, &alice(), "hers").await;
    remember(&bed, &bob(), "his").await;
    bed.database.execute(&format!("delete from auth.users where id = '{ALICE}'")).await;
    let left: String = bed.database.value("select string_agg(text, ',') from ai.memories").await;
    assert_eq!(left, "his");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_vectors_words_are_searched_and_nothing_is_kept() {
    let bed = Bed::start().await;
    remember(&bed, &alice(), "Grows tomatoes in the garden").await;
    remember(&bed, &alice(), "Sails on Sundays").await;
    bed.embedder.refuse(true);
    let found = recall(&bed, &alice(), json!({ "query": "who is sailing?" , "top_k": 1 })).await;
    assert_eq!(found, ["Sails on Sundays"]);
    let lost = bed.call(&alice(), "memory_remember", json!({ "text": "is away" })).await;
    assert_eq!((lost.status, &lost.json["code"]), (503, &json!("unavailable")), "{}", lost.text);
    assert!(lost.text.contains("nothing was changed"), "{}", lost.text);
    assert!(!lost.text.contains("refused by the script"), "a server's words are not told: {}", lost.text);
    bed.embedder.refuse(false);
    eventually("it is kept again", async || {
        bed.call(&alice(), "memory_remember", json!({ "text": "is back" })).await.json["result"]["id"].is_string()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_of_a_tool_sees_the_callers_memories_alone_and_adds_none() {
    let bed = Bed::start().await;
    bed.install(guests::PROBE, &json!({ "database": { "access": "write", "schemas": ["ai", "public"] } })).await;
    remember(&bed, &alice(), "hers").await;
    remember(&bed, &bob(), "his canary").await;
    for sql in [
        "select * from ai.memories",
        "select text from ai.memories where user_id is not null order by embedding <=> (select embedding from ai.memories limit 1)",
        "select m.text, e.name from ai.memories m, ai.embedding_models e",
        "select behalf.keep_memory(null, 'planted', '{}', null, null)",
        &format!("insert into ai.memories (user_id, text) values ('{BOB}', 'planted')"),
        "update ai.memories set text = 'planted'",
        "delete from ai.memories where text = 'his canary' returning text",
    ] {
        let answer = bed.sql(&alice(), sql).await;
        let said = answer.text.replace(sql, "");
        assert!(!said.contains("his canary"), "{sql}: {said}");
    }
    let left: String = bed.database.value("select string_agg(text, ',' order by text) from ai.memories").await;
    assert_eq!(left, "hers,his canary");
}
