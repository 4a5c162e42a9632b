//! Hosts and databases that are killed while documents are read, and two hosts on one database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use behalf_tests::{ALICE, Answer, App, BOB, HostProcess, KillableServer, Options, TestDatabase, User, eventually};
use reqwest::Method;
use serde_json::Value;

use super::bed::{alice, bob, form, has_no_other_bytes, settings};
use super::documents::{pdf, words};

/// Documents that are read while hosts and the database are killed.
const DOCUMENTS: usize = 24;
const PAGES: usize = 40;
/// Kills of hosts, and one of the database among them.
const KILLS: usize = 6;
const KILL_OF_DATABASE: usize = 3;
/// How long everything may take until it is read.
const PATIENCE: Duration = Duration::from_mins(2);

/// A row for each time that a source came to its end.
pub(super) const ENDS: &str = "
    create table public.source_ends (source_id uuid not null, status text not null);
    alter table public.source_ends enable row level security;
    create function public.note_end() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
        insert into public.source_ends values (new.id, new.extraction_status);
        return null;
    end
    $$;
    create trigger note_end after update of extraction_status on ai.sources for each row
        when (new.extraction_status not in ('pending', 'extracting')) execute function public.note_end();";

/// A row for each attempt of a job, with its kind. Kills come so soon one after the other that the usual number of attempts could run out.
pub(crate) const ATTEMPTS: &str = "
    create function public.allow_more() returns trigger language plpgsql as $$
    begin
        new.max_attempts := 30;
        return new;
    end
    $$;
    create trigger z_allow_more before insert on behalf.jobs for each row execute function public.allow_more();
    create table public.attempts (kind text not null);
    alter table public.attempts enable row level security;
    create function public.note_attempt() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
        insert into public.attempts values (new.kind);
        return null;
    end
    $$;
    create trigger note_attempt after update of epoch on behalf.jobs for each row
        when (new.epoch > old.epoch and new.state = 'running') execute function public.note_attempt();";

/// Settings of hosts one of which takes over what another left, after a few seconds.
pub(super) fn lent(files: &Path) -> Vec<(&'static str, String)> {
    let mut settings = settings(files);
    settings.push(("jobs_lease_seconds", "3".to_owned()));
    settings
}

fn owner_of(document: usize) -> User {
    User::Is(if document.is_multiple_of(2) { ALICE } else { BOB })
}

/// Uploads a document until a host says that it has it. The answer of one that was killed may be lost.
async fn upload(url: &str, document: usize) -> String {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let end = Instant::now() + PATIENCE;
    let User::Is(user) = owner_of(document) else { unreachable!("users upload") };
    loop {
        let name = format!("{document}.pdf");
        let request = http.post(format!("{url}/api/sources/upload")).bearer_auth(behalf_tests::app::token(user));
        if let Ok(answer) = request.multipart(form(&name, pdf(&document.to_string(), PAGES))).send().await {
            let answer = Answer::of(answer).await;
            match answer.status {
                201 => return answer.json["id"].as_str().unwrap().to_owned(),
                409 => return answer.json["duplicate"]["id"].as_str().unwrap().to_owned(),
                500.. => {}
                other => panic!("{other}: {}", answer.text),
            }
        }
        assert!(Instant::now() < end, "document {document} is not taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Each source's pages, by their numbers.
async fn pages(database: &TestDatabase) -> BTreeMap<String, BTreeMap<String, String>> {
    let rows: Value = database
        .value(
            "select coalesce(jsonb_object_agg(s.id, (select coalesce(jsonb_object_agg(p.page, p.text), '{}')
                                                     from ai.source_pages p where p.source_id = s.id)), '{}')
             from ai.sources s",
        )
        .await;
    serde_json::from_value(rows).unwrap()
}

/// Every document is uploaded by somebody who does not know of the kills, and is read once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_hosts_and_databases_lose_no_document_and_read_none_twice() {
    let mut server = KillableServer::start().await;
    let database = TestDatabase::create_on(&server.owner_url()).await;
    database.execute(ENDS).await;
    database.execute(ATTEMPTS).await;
    let files = tempfile::tempdir().unwrap();
    let settings = lent(files.path());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut host = HostProcess::start_at(&database, &settings, port).await;
    let (url, taken) = (host.url.clone(), AtomicUsize::new(0));
    let uploads = async {
        let mut ids = Vec::new();
        for document in 0..DOCUMENTS {
            ids.push(upload(&url, document).await);
            taken.store(document + 1, Ordering::Relaxed);
            // So that some are read before the last is uploaded.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ids
    };
    let kills = async {
        for kill in 0..KILLS {
            let wanted = (kill + 1) * DOCUMENTS / (KILLS + 1);
            let end = Instant::now() + PATIENCE;
            while taken.load(Ordering::Relaxed) < wanted {
                assert!(Instant::now() < end, "nothing is uploaded");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if kill == KILL_OF_DATABASE {
                server = server.kill().await;
            } else {
                host.kill();
                host = HostProcess::start_at(&database, &settings, port).await;
            }
        }
        (host, server)
    };
    let (ids, (mut host, server)) = futures::join!(uploads, kills);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), DOCUMENTS, "two documents became one source");
    let (open, end) =
        ("select count(*) from ai.sources where extraction_status <> 'extracted'", Instant::now() + PATIENCE);
    while database.value::<i64>(open).await > 0 {
        assert!(Instant::now() < end, "{}", statuses(&database).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = pages(&database).await;
    assert_eq!(found.len(), DOCUMENTS, "a document is there twice");
    for (document, id) in ids.iter().enumerate() {
        let texts = &found[id];
        assert_eq!(texts.len(), PAGES, "document {document}: {texts:?}");
        for page in 1..=PAGES {
            let text = &texts[&page.to_string()];
            let wanted = words(&document.to_string(), page);
            assert_eq!(text.matches("document").count(), 1, "{text}");
            assert!(text.contains(&wanted), "{wanted}: {text}");
        }
    }
    each_ended_once(&database).await;
    has_no_other_bytes(&database, files.path()).await;
    host.kill();
    server.discard().await;
}

/// Each source came to its end once, and no job is left or counted.
async fn each_ended_once(database: &TestDatabase) {
    let ends: i64 = database.value("select count(*) from public.source_ends").await;
    let sources: i64 = database.value("select count(distinct source_id) from public.source_ends").await;
    assert_eq!((ends, sources), (i64::try_from(DOCUMENTS).unwrap(), i64::try_from(DOCUMENTS).unwrap()));
    let attempts: i64 = database.value("select count(*) from public.attempts where kind = 'sources.extract'").await;
    assert!(attempts > ends, "no kill met a document that was being read: the test has lost its object");
    eprintln!("{DOCUMENTS} documents, {KILLS} kills, {attempts} attempts");
    eventually("a job is left", async || database.value::<i64>("select count(*) from behalf.jobs").await == 0).await;
    let owners = "select count(*) from behalf.job_owners where ready <> 0 or running <> 0";
    assert_eq!(database.value::<i64>(owners).await, 0, "owners have jobs that are not there");
}

/// How far each source is, for a failure.
async fn statuses(database: &TestDatabase) -> String {
    let all =
        "select coalesce(string_agg(name || ' ' || extraction_status || coalesce(' ' || error_code, ''), ', '), '')
        from ai.sources";
    database.value(all).await
}

/// A host of its own beside another in a process, on one database and one folder.
struct Two {
    app: App,
    other: HostProcess,
    files: tempfile::TempDir,
}

async fn two(more: &[(&'static str, String)]) -> Two {
    let files = tempfile::tempdir().unwrap();
    let mut settings = lent(files.path());
    let database = TestDatabase::create().await;
    database.execute(ENDS).await;
    let app = App::on(database, Options { settings: settings.clone() }).await;
    settings.extend_from_slice(more);
    let other = HostProcess::start(&app.database, &settings).await;
    Two { app, other, files }
}

/// What the other host answers.
async fn ask(host: &HostProcess, user: &User, method: Method, path: &str) -> Answer {
    Answer::of(host.request(user, method, path).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_documents_and_read_each_once() {
    let Two { app, other, files } = two(&[]).await;
    let mut ids = Vec::new();
    for document in 0..12 {
        let form = form(&format!("{document}.pdf"), pdf(&document.to_string(), 2));
        let host = if document % 2 == 0 {
            app.request(&alice(), Method::POST, "/api/sources/upload")
        } else {
            other.request(&alice(), Method::POST, "/api/sources/upload")
        };
        let answer = Answer::of(host.multipart(form).send().await.unwrap()).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        ids.push(answer.json["id"].as_str().unwrap().to_owned());
    }
    let end = Instant::now() + PATIENCE;
    for (document, id) in ids.iter().enumerate() {
        // Each is asked of the host that it was not uploaded to.
        let ask_both = async |path: &str| {
            if document % 2 == 0 {
                ask(&other, &alice(), Method::GET, path).await
            } else {
                app.get(&alice(), path).await
            }
        };
        loop {
            let source = ask_both(&format!("/api/sources/{id}")).await;
            match source.json["extraction_status"].as_str().unwrap() {
                "extracted" => break,
                "pending" | "extracting" => assert!(Instant::now() < end, "{}", source.text),
                _ => panic!("{}", source.text),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let texts = ask_both(&format!("/api/sources/{id}/page-texts")).await;
        assert_eq!(texts.json["count"], 2, "{}", texts.text);
        assert!(texts.text.contains(&words(&document.to_string(), 2)), "{}", texts.text);
    }
    let ends: i64 = app.database.value("select count(*) from public.source_ends").await;
    assert_eq!(ends, 12);
    has_no_other_bytes(&app.database, files.path()).await;
}

/// The file may be gone before it is read, at whichever host; then nobody reads it, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_deletes_no_other_goes_on_to_read() {
    let Two { app, other, files } = two(&[]).await;
    for document in 0..8 {
        let form = form(&format!("{document}.pdf"), pdf(&document.to_string(), 40));
        let request = app.request(&alice(), Method::POST, "/api/sources/upload").multipart(form);
        let id = Answer::of(request.send().await.unwrap()).await.json["id"].as_str().unwrap().to_owned();
        // Some while they wait, some while they are read.
        tokio::time::sleep(Duration::from_millis(document * 10)).await;
        let gone = ask(&other, &alice(), Method::DELETE, &format!("/api/sources/{id}")).await;
        assert_eq!(gone.status, 200, "{}", gone.text);
        for answer in [
            app.get(&alice(), &format!("/api/sources/{id}")).await,
            ask(&other, &alice(), Method::GET, &format!("/api/sources/{id}/page-texts")).await,
        ] {
            assert_eq!(answer.status, 404, "{}", answer.text);
        }
    }
    eventually("a job is left", async || {
        app.database.value::<i64>("select count(*) from behalf.jobs where state not in ('dead', 'cancelled')").await
            == 0
    })
    .await;
    for left in ["select count(*) from ai.sources", "select count(*) from ai.source_pages"] {
        assert_eq!(app.database.value::<i64>(left).await, 0, "{left}");
    }
    has_no_other_bytes(&app.database, files.path()).await;
}

/// One user's many documents do not keep another's one waiting until they are read.
#[tokio::test(flavor = "multi_thread")]
async fn who_uploads_much_does_not_hold_up_who_uploads_little() {
    let bed = super::bed::Bed::with(vec![("sources_workers", "1".to_owned())]).await;
    bed.database.execute(ENDS).await;
    let mut many = Vec::new();
    for document in 0..30 {
        many.push(bed.added(&alice(), &format!("{document}.pdf"), pdf(&document.to_string(), 10)).await);
    }
    let one = bed.read(&bob(), "one.pdf", pdf("bob's", 1)).await;
    let open: i64 = bed
        .database
        .value("select count(*) from ai.sources where extraction_status in ('pending', 'extracting')")
        .await;
    assert!(open > 0, "there was nothing to wait for");
    assert!(bed.texts(&bob(), &one).await[0].contains(&words("bob's", 1)));
    for id in many {
        assert_eq!(bed.ended(&alice(), &id).await["extraction_status"], "extracted");
    }
}
