//! A project of Supabase: beside it, and moved out of it, as docs/from-supabase.md says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use behalf_tests::tenants::{now, with_claims};
use behalf_tests::{Answer, App, RealtimeSocket, TestDatabase, User, Vsn};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};

use super::bed::{ADA, BOB, EVE, NewServer, Page, Project, SignedIn, add, host, rows, sign_in};
use crate::protocols::supabase::Client;

const BESIDE: &str = "## Beside the project";
const BACK: &str = "### Way back from beside";
const MOVED: &str = "## Moved to a database of your own";
const UNCHANGED: &str = "### What runs unchanged";

/// The session of Ada's that the project has.
const OLD_SESSION: &str = "5e550000-0000-4000-8000-000000000001";
/// The secret of Eve's authenticator app.
const EVES_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// What GoTrue puts into a token of Ada's at the project.
fn token_of_before(session: Option<&str>) -> User {
    let claims = json!({
        "email": "ada@example.com", "session_id": session, "aal": "aal1", "iss": "https://project.supabase.co/auth/v1",
        "app_metadata": { "provider": "email", "tenant": "blue" }, "user_metadata": {}, "iat": now(),
    });
    with_claims(ADA, &claims)
}

/// The statements that a dump of the schema has, without those about the server's own functions.
async fn schema(page: &Page) -> Vec<String> {
    let dumped = page.sh("pg_dump \"$OLD\" --schema-only").await;
    let ours = |line: &&str| !line.contains("pg_catalog") && !line.starts_with("--") && !line.starts_with('\\');
    let mut lines: Vec<String> = dumped.lines().filter(ours).map(str::to_owned).collect();
    lines.sort();
    lines
}

const ROLES: &str = "select string_agg(rolname, ',' order by rolname) from pg_roles";
const PUBLIC: &str = "select string_agg(concat_ws(' ', object, privilege), ',' order by object, privilege) from (
    select p.oid::regprocedure::text as object, a.privilege_type as privilege
    from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where a.grantee = 0 and p.proname in ('set_config', 'pg_notify', 'pg_sleep', 'query_to_xml', 'pg_advisory_lock')
    union all
    select 'language ' || l.lanname, a.privilege_type from pg_language l, aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) a
    where a.grantee = 0
    union all
    select 'database', a.privilege_type from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    where a.grantee = 0 and d.datname = current_database()) t";

#[tokio::test(flavor = "multi_thread")]
async fn behalf_works_beside_a_project_and_leaves_it_as_it_was() {
    let project = Project::start("supabase.sql").await;
    let database = project.database();
    let mut page = Page::open("from-supabase.md", &database);
    page.set("OLD", project.url());
    for (name, face) in [("BEHALF_AUTH", "auth"), ("BEHALF_STORAGE", "storage"), ("BEHALF_REALTIME", "realtime")] {
        page.set(name, format!("https://project.supabase.co/{face}/v1"));
    }
    let (before, roles, public) =
        (schema(&page).await, database.value::<String>(ROLES).await, database.value::<String>(PUBLIC).await);
    page.run(BESIDE, BACK, &database).await;
    assert!(page.commands() >= 2);
    let elsewhere = |face: &str| format!("https://project.supabase.co/{face}/v1");
    let settings =
        [("auth", elsewhere("auth")), ("storage", elsewhere("storage")), ("realtime", elsewhere("realtime"))];
    let app = host(&database, &settings).await;
    works_beside(&app).await;
    app.stop().await;
    page.run(BACK, MOVED, &database).await;
    let after = schema(&page).await;
    let changed: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    let lost: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    // What whoever read the function has said of it.
    let said = "COMMENT ON FUNCTION public.is_member(team bigint) IS 'behalf: reviewed;";
    assert!(changed.iter().all(|line| line.starts_with(said)) && lost.is_empty(), "new: {changed:#?}\nlost: {lost:#?}");
    assert_eq!(database.value::<String>(ROLES).await, roles);
    assert_eq!(database.value::<String>(PUBLIC).await, public);
    project.discard().await;
}

/// The project's own tokens, on the project's own tables.
async fn works_beside(app: &App) {
    let ada = token_of_before(Some(OLD_SESSION));
    let bob = User::Is(BOB);
    assert_eq!(rows(app, &ada, "notes?select=title").await, json!([{ "title": "Seeds" }]));
    assert_eq!(rows(app, &bob, "notes?select=title").await, json!([{ "title": "Safe" }]));
    assert_eq!(rows(app, &ada, "invoices?select=tenant").await, json!([{ "tenant": "blue" }]));
    let added = add(app, &ada, "notes", json!({ "title": "Beside" })).await;
    assert_eq!(added["owner_id"], json!(ADA), "{added}");
    let query = json!({ "query": "select title from tasks" });
    let seen = app.call(&ada, "database_query", query.clone()).await;
    assert_eq!(seen.result(), &json!([{ "title": "Water the beans" }]));
    // A back end acts for a user with the claims that the project's table of users has.
    let for_ada = User::ServiceFor(ADA);
    let claims = app.call(&for_ada, "database_query", json!({ "query": "select tenant from invoices" })).await;
    assert_eq!(claims.result(), &json!([{ "tenant": "blue" }]));
    let agent = app.agent(&["database_query"]).await;
    let body = json!({ "message": format!("/database_query {query}") });
    let run = app.post(&ada, &format!("/api/agents/{agent}/run"), body).await;
    assert!(run.text.contains("Water the beans") && !run.text.contains("saw"), "{}", run.text);
    for face in ["/auth/v1/user", "/storage/v1/bucket"] {
        let said = app.get(&ada, face).await;
        assert!(said.status == 404 && said.text.contains("https://project.supabase.co/"), "{face}: {}", said.text);
    }
    let read = app.call(&ada, "storage_read", json!({ "operation": "list", "bucket": "documents", "path": "" })).await;
    assert!(read.status >= 400 && !read.text.contains("letters"), "{}", read.text);
    remembers_and_finds(app, &ada, &bob).await;
}

/// Vectors work where the project has pgvector in a schema of its own.
async fn remembers_and_finds(app: &App, ada: &User, bob: &User) {
    let kept = app.call(ada, "memory_remember", json!({ "text": "The beans are behind the shed." })).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
    let found = app.call(ada, "memory_recall", json!({ "query": "Where are the beans?" })).await;
    assert!(found.text.contains("behind the shed"), "{}", found.text);
    let others = app.call(bob, "memory_recall", json!({ "query": "Where are the beans?" })).await;
    assert!(others.status == 200 && !others.text.contains("behind the shed"), "{}", others.text);
    let base = app.post(ada, "/api/knowledge-bases", json!({ "name": "garden" })).await;
    let base = base.json["id"].as_str().unwrap_or_else(|| panic!("{}", base.text)).to_owned();
    let form = reqwest::multipart::Part::bytes(b"Cut the roses in March.".as_slice()).file_name("roses.md");
    let form = reqwest::multipart::Form::new().part("file", form);
    let request = app.request(ada, Method::POST, "/api/sources/upload").multipart(form);
    let source = Answer::of(request.send().await.unwrap()).await.json["id"].as_str().unwrap().to_owned();
    until(app, ada, &format!("/api/sources/{source}"), "extraction_status", "extracted").await;
    let place = format!("/api/knowledge-bases/{base}/sources");
    let added = app.post(ada, &place, json!({ "source_id": source })).await;
    let added = added.json["id"].as_str().unwrap_or_else(|| panic!("{}", added.text)).to_owned();
    until(app, ada, &format!("{place}/{added}"), "index_status", "indexed").await;
    for method in ["vector_search", "hybrid", "full_text"] {
        let body = json!({ "query": "When do I cut the roses?", "retrieval_method": method });
        let found = app.post(ada, &format!("/api/knowledge-bases/{base}/search"), body).await;
        assert!(found.text.contains("Cut the roses in March"), "{method}: {}", found.text);
    }
}

/// Asks until a field has this value.
pub(super) async fn until(app: &App, user: &User, path: &str, field: &str, wanted: &str) {
    for _ in 0..1_200 {
        let answer = app.get(user, path).await;
        match answer.json[field].as_str() {
            Some(value) if value == wanted => return,
            Some("pending" | "extracting" | "indexing") => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => panic!("{path}: {}", answer.text),
        }
    }
    panic!("{path} is not {wanted}");
}

/// Moves the project as the page says; returns what the commands printed.
async fn moved(project: &Project, new: &NewServer, page: &mut Page) -> String {
    let files = behalf_tests::projects::repository().join("tests/moving/files");
    for (name, value) in [
        ("OLD", project.url()),
        ("NEW", new.url()),
        ("ADMIN", new.admin_url()),
        ("FILES", files.display().to_string()),
        ("BEHALF_STORAGE", page.storage()),
    ] {
        page.set(name, value);
    }
    page.run(MOVED, UNCHANGED, &new.database()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_project_works_for_its_users_as_before() {
    let (project, new) = (Project::start("supabase.sql").await, NewServer::start().await);
    let database = new.database();
    let mut page = Page::open("from-supabase.md", &database);
    let printed = moved(&project, &new, &mut page).await;
    assert!(page.commands() >= 6);
    for line in [
        "users: 5 added, 0 kept, 0 left out",
        "identities: 5 added, 0 kept, 0 left out",
        "second factors: 1 added, 0 kept, 0 left out",
        "buckets: 3 added, 0 kept, 0 left out",
        "objects: 4 added, 0 kept, 1 left out",
        "0b1ec700-0000-4000-8000-000000000005: there is no file for it",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    // Once more: everything is there.
    let again = page.sh("behalf auth import platform.sql && behalf storage import platform.sql \"$FILES\"").await;
    assert!(
        again.contains("users: 0 added, 5 kept") && again.contains("objects: 0 added, 4 kept, 1 left out"),
        "{again}"
    );
    database.execute("grant usage on schema public to supabase_auth_admin").await;
    let settings = [("storage", page.storage()), ("auth_token_hook", "public.custom_access_token_hook".to_owned())];
    let app = host(&database, &settings).await;
    let (ada, bob, eve) = (
        sign_in(&app, "ada@example.com").await,
        sign_in(&app, "bob@example.com").await,
        sign_in(&app, "eve@example.com").await,
    );
    assert_eq!((ada.id(), bob.id(), eve.id()), (ADA, BOB, EVE));
    assert_eq!((&ada.claims["teams"], &ada.claims["app_metadata"]["tenant"]), (&json!(1), &json!("blue")));
    users_are_as_before(&app, &ada, &eve).await;
    rows_are_as_before(&app, &ada, &bob).await;
    what_was_closed_is_closed(&app, &ada).await;
    files_are_as_before(&app, [&ada, &bob, &eve]).await;
    channels_are_as_before(&app, &ada, &bob).await;
    let query = json!({ "query": "select title from tasks order by title" });
    let seen = app.call(&bob.user, "database_query", query).await;
    assert_eq!(seen.result(), &json!([{ "title": "Sharpen the saw" }]));
    Client::Node22.walks("moved", &app, &[("PASSWORD", "correct-Horse-7-battery".to_owned())]).await;
    app.stop().await;
    project.discard().await;
    new.discard().await;
}

async fn users_are_as_before(app: &App, ada: &SignedIn, eve: &SignedIn) {
    let user = app.get(&ada.user, "/auth/v1/user").await.json;
    assert_eq!(
        (&user["user_metadata"]["full_name"], &user["identities"][0]["provider"]),
        (&json!("Ada"), &json!("email"))
    );
    let cleo = "select i.provider || ' ' || i.provider_id from auth.identities i join auth.users u on u.id = i.user_id
        where u.email = 'cleo@example.com'";
    assert_eq!(app.database.value::<String>(cleo).await, "google 110169484474386276334");
    // Sessions are not moved, whatever signed their tokens.
    let refresh = json!({ "refresh_token": "adas2old0refresh" });
    let refused = app.post(&User::Anon, "/auth/v1/token?grant_type=refresh_token", refresh).await;
    assert_eq!(refused.json["error_code"], "refresh_token_not_found", "{}", refused.text);
    let old = app.get(&token_of_before(Some(OLD_SESSION)), "/rest/v1/notes").await;
    assert_eq!(old.status, 401, "{}", old.text);
    // The trigger on new users runs for those who come from now on. It has not run for those who were moved.
    let made = json!({ "email": "fay@example.com", "email_confirm": true, "user_metadata": { "full_name": "Fay" } });
    let fay = app.post(&User::Service, "/auth/v1/admin/users", made).await;
    assert_eq!(fay.status, 200, "{}", fay.text);
    let names = rows(app, &ada.user, "profiles?select=full_name&order=full_name").await;
    let expected = ["Ada L.", "Bob", "Cleo", "Dan", "Eve", "Fay"].map(|name| json!({ "full_name": name }));
    assert_eq!(names, json!(expected));
    second_factor(app, eve).await;
}

/// The authenticator app of before raises a session here.
async fn second_factor(app: &App, eve: &SignedIn) {
    assert_eq!(eve.claims["aal"], "aal1");
    let user = app.get(&eve.user, "/auth/v1/user").await.json;
    let factor = user["factors"][0]["id"].as_str().unwrap_or_else(|| panic!("{user}")).to_owned();
    let challenge = app.post(&eve.user, &format!("/auth/v1/factors/{factor}/challenge"), json!({})).await;
    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    while seconds() % 30 > 25 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let secret = Secret::try_from_base32(EVES_SECRET).unwrap();
    let code = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(30).with_secret(secret);
    let code = code.build().unwrap().generate(seconds()).to_string();
    let body = json!({ "challenge_id": challenge.json["id"], "code": code });
    let raised = app.post(&eve.user, &format!("/auth/v1/factors/{factor}/verify"), body).await;
    let raised = SignedIn::of(&raised.json);
    assert_eq!(raised.claims["aal"], "aal2");
}

async fn rows_are_as_before(app: &App, ada: &SignedIn, bob: &SignedIn) {
    let notes = rows(app, &ada.user, "notes?select=id,title,body,created_at").await;
    let expected = json!([{
        "id": 1, "title": "Seeds", "body": "Tomatoes\nand a \\ backslash,\ta tab", "created_at": "2025-02-02T10:00:00+00:00"
    }]);
    assert_eq!(notes, expected);
    // Sequences go on, generated columns and triggers work.
    let added = add(app, &ada.user, "notes", json!({ "title": "Shed", "body": "Paint the shed" })).await;
    assert!(added["id"].as_i64().unwrap() > 2 && added["words"].as_str().unwrap().contains("shed"), "{added}");
    let change = app.request(&ada.user, Method::PATCH, "/rest/v1/notes?id=eq.1").json(&json!({ "body": "Peas" }));
    assert_eq!(change.send().await.unwrap().status(), 204);
    let touched = "select updated_at > now() - interval '1 hour' from public.notes where id = 1";
    assert!(app.database.value::<bool>(touched).await);
    assert_eq!(rows(app, &bob.user, "notes?select=title").await, json!([{ "title": "Safe" }]));
    for (user, tenant, tasks, near) in [(&ada.user, "blue", 1, "about beans"), (&bob.user, "red", 1, "about saws")] {
        assert_eq!(rows(app, user, "invoices?select=tenant").await, json!([{ "tenant": tenant }]));
        assert_eq!(rows(app, user, "rpc/open_task_count").await, json!(tasks));
        assert_eq!(rows(app, user, "open_tasks?select=title").await.as_array().unwrap().len(), 1);
        let body = json!({ "query_embedding": "[1,0,0]", "match_count": 1 });
        let found = app.post(user, "/rest/v1/rpc/match_documents", body).await;
        assert_eq!(found.json[0]["content"], near, "{}", found.text);
    }
    let stolen = app.post(&bob.user, "/rest/v1/tasks", json!({ "team_id": 1, "title": "mine" })).await;
    assert_eq!((stolen.status, &stolen.json["code"]), (403, &json!("42501")), "{}", stolen.text);
    let embedded = rows(app, &ada.user, "teams?select=name,tasks(title),team_members(role)").await;
    assert_eq!(embedded[0]["tasks"], json!([{ "title": "Water the beans" }]), "{embedded}");
}

/// The project kept callers from a table by giving them no rights, and so does the new database, also for tables that come later.
async fn what_was_closed_is_closed(app: &App, ada: &SignedIn) {
    for user in [&User::Anon, &ada.user] {
        let refused = app.get(user, "/rest/v1/internal_settings").await;
        assert_eq!(refused.json["code"], "42501", "{}", refused.text);
    }
    assert_eq!(rows(app, &User::Service, "internal_settings?select=key").await, json!([{ "key": "billing_key" }]));
    let rights = "select string_agg(distinct privilege_type, ',' order by privilege_type) from information_schema.role_table_grants
        where table_schema = 'public' and grantee in ('anon', 'authenticated')";
    assert_eq!(app.database.value::<String>(rights).await, "DELETE,INSERT,SELECT,UPDATE");
    app.database
        .execute("create table public.later (id integer); alter table public.later enable row level security")
        .await;
    let later = "select has_table_privilege('authenticated', 'public.later', 'select, insert, update, delete')";
    assert!(app.database.value::<bool>(later).await);
}

async fn read(app: &App, user: &User, path: &str) -> (u16, String) {
    let answer = app.get(user, &format!("/storage/v1/object/{path}")).await;
    (answer.status, answer.text)
}

async fn files_are_as_before(app: &App, [ada, bob, eve]: [&SignedIn; 3]) {
    let avatar = read(app, &User::Nobody, &format!("public/avatars/{ADA}/ada.svg")).await;
    assert!(avatar.0 == 200 && avatar.1.contains("<circle"), "{avatar:?}");
    let letter = format!("authenticated/documents/{ADA}/letters/to%20bob.txt");
    assert_eq!(read(app, &ada.user, &letter).await, (200, "Dear Bob\n".to_owned()));
    assert_eq!(read(app, &bob.user, &letter).await.0, 400);
    let info = app.get(&ada.user, &format!("/storage/v1/object/info/documents/{ADA}/letters/to%20bob.txt")).await.json;
    assert_eq!(
        (&info["id"], &info["metadata"]),
        (&json!("0b1ec700-0000-4000-8000-000000000002"), &json!({ "drawer": "left" }))
    );
    assert_eq!((&info["size"], &info["content_type"]), (&json!(9), &json!("text/plain")), "{info}");
    assert!(info["created_at"].as_str().unwrap().starts_with("2025-02-04T10:00:00"), "{info}");
    // A team's files by membership, and deletions by owner.
    for (user, status) in [(ada, 200), (eve, 200), (bob, 400)] {
        assert_eq!(read(app, &user.user, "authenticated/team-files/1/beds.csv").await.0, status);
    }
    let remove = async |user: &User| {
        app.send(user, Method::DELETE, "/storage/v1/object/team-files", json!({ "prefixes": ["1/beds.csv"] }))
            .await
            .json
    };
    assert_eq!(remove(&ada.user).await, json!([]));
    assert_eq!(remove(&eve.user).await.as_array().map(Vec::len), Some(1));
    // The bucket's limits hold for what comes.
    let upload = app.request(&ada.user, Method::POST, &format!("/storage/v1/object/avatars/{ADA}/new.txt"));
    let refused = Answer::of(upload.header("content-type", "text/plain").body("x").send().await.unwrap()).await;
    assert_eq!(refused.json["error"], "invalid_mime_type", "{}", refused.text);
    let upload = app.request(&ada.user, Method::POST, &format!("/storage/v1/object/documents/{ADA}/new.txt"));
    assert_eq!(upload.header("content-type", "text/plain").body("x").send().await.unwrap().status(), 200);
}

async fn channels_are_as_before(app: &App, ada: &SignedIn, bob: &SignedIn) {
    let mut hers = RealtimeSocket::connect(app, &ada.user, Vsn::Two).await;
    let mut his = RealtimeSocket::connect(app, &bob.user, Vsn::Two).await;
    let private = json!({ "private": true });
    let join = hers.joined("team:1", private.clone()).await;
    let refused = his.refused("team:1", json!({ "config": private })).await;
    assert!(refused.contains("Unauthorized"), "{refused}");
    // The trigger of the app.
    let task = app.post(&ada.user, "/rest/v1/rpc/add_task", json!({ "team": 1, "task_title": "Weed" })).await;
    assert_eq!(task.status, 200, "{}", task.text);
    let told = hers.event("broadcast").await;
    assert_eq!((&told.payload["event"], &told.payload["payload"]["title"]), (&json!("task_added"), &json!("Weed")));
    hers.broadcast(&join, "team:1", "said", json!({ "words": "hello" })).await;
    hers.heartbeat().await;
    let published = "select string_agg(schemaname || '.' || tablename, ',') from pg_publication_tables where pubname = 'supabase_realtime'";
    assert_eq!(app.database.value::<String>(published).await, "public.messages");
    assert_eq!(rows(app, &ada.user, "messages?select=body").await, json!([{ "body": "Hello garden" }]));
}

/// What `doctor` says of a project before somebody has read its functions, which keeps a host from starting.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_with_its_owners_rights_is_named_until_somebody_has_read_it() {
    let project = Project::start("supabase.sql").await;
    let database: TestDatabase = project.database();
    let mut page = Page::open("from-supabase.md", &database);
    page.set("BEHALF_AUTH", "off");
    page.set("BEHALF_STORAGE", "off");
    page.set("BEHALF_REALTIME", "off");
    page.sh("behalf migrate").await;
    let found = page.sh("behalf doctor --json 2>/dev/null || true").await;
    let found: Value = serde_json::from_str(&found).unwrap();
    let errors: Vec<_> = found.as_array().unwrap().iter().filter(|one| one["level"] == "error").collect();
    assert!(
        matches!(errors.as_slice(), [one] if one["check"] == "definer-functions" && one["found"].to_string().contains("is_member")),
        "{errors:#?}"
    );
    project.discard().await;
}
