//! The platform's recipes that need knowledge: an app's own rule for who reads a source, and files of a chat that are put into a base.

use behalf_tests::{ALICE, Answer, BOB, ScriptedModel, Turn, User};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{Bed, alice, bob};
use super::score::ask;

/// The app's table, which says whose a source is.
const DOCUMENTS: &str = "
    create table public.documents (
        id uuid primary key default gen_random_uuid(), source_id uuid not null, owner_id uuid not null default auth.uid(), title text);
    alter table public.documents enable row level security;
    create policy own on public.documents for all to authenticated
        using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
    grant select, insert, update, delete on public.documents to authenticated;";

/// The recipe's policies.
const POLICIES: &str = r#"
DROP POLICY IF EXISTS "auth_read_sources" ON ai.sources;
CREATE POLICY "auth_read_sources" ON ai.sources
  FOR SELECT TO authenticated
  USING (
    id IN (SELECT source_id FROM public.documents WHERE owner_id = auth.uid())
  );

DROP POLICY IF EXISTS "auth_read_chunks" ON ai.chunks;
CREATE POLICY "auth_read_chunks" ON ai.chunks
  FOR SELECT TO authenticated
  USING (
    indexed_source_id IN (
      SELECT i.id FROM ai.indexed_sources i
      JOIN public.documents d ON d.source_id = i.source_id
      WHERE d.owner_id = auth.uid()
    )
  );"#;

const HERS: &str = "The anchor of the first boat is red.";
const HIS: &str = "The anchor of the second boat is blue.";

/// Everything that a user can be told by every way to the chunks of a base.
async fn told(bed: &Bed, user: &User, base: &str, agent: &str) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    for method in ["hybrid", "vector_search", "full_text"] {
        let body =
            json!({ "query": "which colour has the anchor of the boat", "top_k": 10, "retrieval_method": method });
        told.push((method, bed.ask(user, base, body).await.text));
    }
    let tool = bed.call(user, "knowledge_search", json!({ "query": "anchor boat" })).await;
    told.push(("tool", tool.text));
    let path = format!(
        "/rest/v1/chunks?select=id,text,score,source_id,meta&knowledge_base_id=eq.{base}&order=score.desc&limit=10"
    );
    let rows = ask(bed, user, &path, None).await;
    assert_eq!(rows.status, 200, "{}", rows.text);
    told.push(("rest", rows.text));
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "knowledge_search", "arguments": { "query": "anchor boat" } },
    });
    let mcp =
        bed.request(user, Method::POST, "/mcp").header("accept", "application/json, text/event-stream").json(&call);
    told.push(("mcp", Answer::of(mcp.send().await.unwrap()).await.text));
    let run = json!({ "message": "which colour has the anchor of the boat?" });
    let ran = bed.post(user, &format!("/api/agents/{agent}/run"), run).await;
    assert_eq!(ran.status, 200, "{}", ran.text);
    told.push(("agent", ran.json["retrieved_items"].to_string()));
    told
}

async fn is_told(bed: &Bed, user: &User, base: &str, agent: &str, (hers, his): (bool, bool)) {
    for (way, text) in told(bed, user, base, agent).await {
        assert_eq!((text.contains(HERS), text.contains(HIS)), (hers, his), "{way}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_own_policies_count_at_once_for_every_way_to_a_chunk() {
    let model = ScriptedModel::start((0..20).map(|_| Turn::Say("It has one."))).await;
    let bed = Bed::with(model.settings()).await;
    bed.database.execute(DOCUMENTS).await;
    // As in the recipe, the back end uploads, so the sources are nobody's.
    let base = bed.base(&User::Service, json!({ "name": "boats" })).await;
    let mut sources = Vec::new();
    for (name, text) in [("first.md", HERS), ("second.md", HIS)] {
        let source = bed.source(None, name, &[text]).await;
        bed.indexed(&User::Service, &base, &source).await;
        sources.push(source);
    }
    let agent = bed.agent(&[]).await;
    let given = json!({ "knowledge_base_id": base, "config": {} });
    assert_eq!(bed.post(&User::Service, &format!("/api/agents/{agent}/knowledge-bases"), given).await.status, 201);
    let owners = format!(
        "insert into public.documents (source_id, owner_id) values ('{}', '{ALICE}'), ('{}', '{BOB}')",
        sources[0], sources[1]
    );
    bed.database.execute(&owners).await;
    // The rows of the app's table mean nothing yet.
    is_told(&bed, &alice(), &base, &agent, (false, false)).await;
    bed.database.execute(POLICIES).await;
    is_told(&bed, &alice(), &base, &agent, (true, false)).await;
    is_told(&bed, &bob(), &base, &agent, (false, true)).await;
    // A document that changes hands.
    bed.database.execute(&format!("update public.documents set owner_id = '{ALICE}'")).await;
    is_told(&bed, &alice(), &base, &agent, (true, true)).await;
    is_told(&bed, &bob(), &base, &agent, (false, false)).await;
    // A policy that is dropped. The other one still shows the source, and no chunk of it.
    bed.database.execute("drop policy auth_read_chunks on ai.chunks").await;
    is_told(&bed, &alice(), &base, &agent, (false, false)).await;
    let asked = model.requests().iter().filter(|request| request.to_string().contains(HIS)).count();
    assert_eq!(asked, 2, "the model is given his document for him, and for her once it is hers");
}

/// Upload, the app's row, poll, and put into a base: all with the user's token.
async fn ingest(bed: &Bed, user: (&User, Uuid), base: &str, (name, text): (&str, &str)) -> String {
    let (user, id) = user;
    let form = Form::new().part("file", Part::bytes(text.as_bytes().to_vec()).file_name(name.to_owned()));
    let form = form.text("name", name.to_owned()).text("metadata", json!({ "user_id": id }).to_string());
    let request = bed.request(user, Method::POST, "/api/sources/upload").multipart(form);
    let added = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let source = added.json["id"].as_str().unwrap().to_owned();
    let row = json!({ "source_id": source, "owner_id": id, "title": name });
    assert_eq!(bed.post(user, "/rest/v1/documents", row).await.status, 201);
    for tries in 0.. {
        let found = bed.get(user, &format!("/api/sources/{source}")).await;
        match found.json["extraction_status"].as_str() {
            Some("extracted") => break,
            Some("pending" | "extracting") if tries < 1_200 => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            _ => panic!("{}", found.text),
        }
    }
    bed.indexed(user, base, &source).await;
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_chat_are_indexed_and_asked_with_the_users_token() {
    let bed = Bed::start().await;
    bed.database.execute(DOCUMENTS).await;
    let base = bed.base(&User::Service, json!({ "name": "chat files", "contributors": "authenticated" })).await;
    let hers = ingest(&bed, (&alice(), ALICE), &base, ("boat.md", HERS)).await;
    let his = ingest(&bed, (&bob(), BOB), &base, ("boat.md", HIS)).await;
    for (user, own, text) in [(alice(), &hers, HERS), (bob(), &his, HIS)] {
        let found = bed.search(&user, &base, json!({ "query": "the anchor of the boat" })).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((&found[0]["source_id"], &found[0]["text"]), (&json!(own), &json!(text)));
        assert_eq!(found[0]["source_name"], "boat.md");
    }
    // Nobody puts a source of somebody else's into a base.
    let stolen = bed.post(&alice(), &format!("/api/knowledge-bases/{base}/sources"), json!({ "source_id": his })).await;
    assert_eq!(stolen.status, 404, "{}", stolen.text);
    // A chat that ends takes its file out of the answers.
    assert_eq!(bed.send(&alice(), Method::DELETE, &format!("/api/sources/{hers}"), Value::Null).await.status, 200);
    let found = bed.search(&bob(), &base, json!({ "query": "the anchor of the boat" })).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let left: i64 = bed.database.value(&format!("select count(*) from ai.chunks where source_id = '{hers}'")).await;
    assert_eq!(left, 0);
}
