//! `behalf dev` on a database that is the app's: it starts whatever the app did with the demo's tables, and where work costs credits.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use behalf_tests::app::STATE_DIR;
use behalf_tests::projects::{Printed, behalf_bin, behalf_with};
use behalf_tests::{KillableServer, TestDatabase};

/// A cluster of its own, because `behalf dev` makes its logins, and the settings of a host on it.
async fn bed() -> (KillableServer, TestDatabase, tempfile::TempDir, Vec<(&'static str, String)>) {
    let server = KillableServer::start().await;
    let database = TestDatabase::named_on(&server.owner_url(), "app").await;
    let state = tempfile::tempdir().unwrap();
    // What all tests compile is compiled once.
    let compiled = format!("{STATE_DIR}/compiled");
    std::fs::create_dir_all(&compiled).unwrap();
    std::os::unix::fs::symlink(std::fs::canonicalize(compiled).unwrap(), state.path().join("compiled")).unwrap();
    let settings = vec![
        ("database_url", database.owner_url()),
        ("state_dir", state.path().display().to_string()),
        ("bind", "127.0.0.1:0".to_owned()),
        ("credits", "enforce".to_owned()),
    ];
    (server, database, state, settings)
}

async fn demo(settings: &[(&str, String)]) -> Printed {
    behalf_with(settings, &["dev", "--exit-after-demo"]).await
}

/// `behalf dev` until it says that it serves.
async fn serve(settings: &[(&'static str, String)]) -> (Child, Vec<String>) {
    serve_with(settings, Stdio::inherit()).await
}

#[expect(clippy::zombie_processes, reason = "where it does not serve, the test fails")]
async fn serve_with(settings: &[(&'static str, String)], errors: Stdio) -> (Child, Vec<String>) {
    let mut command = Command::new(behalf_bin());
    command.arg("dev").envs(settings.iter().map(|(name, value)| (format!("BEHALF_{}", name.to_uppercase()), value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
            if lines.last().unwrap().contains("Ctrl-C stops the host") {
                return (child, lines);
            }
        }
        panic!("it ended before it served: {lines:?}");
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_where_the_app_changed_or_dropped_the_demos_tables() {
    let (server, database, _state, settings) = bed().await;
    // With CREDITS=enforce, the demo's users have what the demo needs.
    let first = demo(&settings).await;
    assert!(first.ok && first.out.contains("One agent, two users"), "{}{}", first.out, first.err);
    let again = demo(&settings).await;
    assert!(again.ok, "{}{}", again.out, again.err);
    // The app makes the tables its own.
    database.execute("alter table notes rename column created_at to made_at; drop table budgets").await;
    let changed = demo(&settings).await;
    let said = "its tables (notes, expenses, budgets) were changed or dropped";
    assert!(!changed.ok && changed.err.contains(said), "{}{}", changed.out, changed.err);
    let (mut child, lines) = serve(&settings).await;
    let url = lines.iter().find_map(|line| line.strip_prefix("Behalf serves ")).expect("an address").trim();
    let health = reqwest::get(format!("{url}/healthz")).await.unwrap();
    assert!(health.status().is_success());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap();
    // What the app dropped or renamed does not come back.
    assert!(database.value::<bool>("select to_regclass('public.budgets') is null").await);
    let renamed =
        "select count(*) from information_schema.columns where table_name = 'notes' and column_name = 'made_at'";
    assert_eq!(database.value::<i64>(renamed).await, 1);
    server.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_tables_alone_that_had_these_names_before() {
    let (server, database, _state, settings) = bed().await;
    database.execute("create table public.notes (number integer primary key, text text)").await;
    let (mut child, _) = serve(&settings).await;
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap();
    assert_eq!(database.value::<i64>("select count(*) from notes").await, 0);
    // All of the demo or nothing: no table of it stands beside the app's.
    assert!(database.value::<bool>("select to_regclass('public.expenses') is null").await);
    server.discard().await;
}

/// The lines of a child's standard error, as they come.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (to, lines) = channel();
    let errors = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
    lines
}

/// The lines up to the first one that contains a text.
fn until(lines: &Receiver<String>, text: &str) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(30);
    let mut seen = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line contains {text:?}: {seen:#?}"));
        seen.push(line);
        if seen.last().unwrap().contains(text) {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_each_call_as_a_line_and_failures_with_their_whole_cause() {
    let (server, _database, state, mut settings) = bed().await;
    settings.retain(|(name, _)| *name != "credits");
    let (mut child, _) = serve_with(&settings, Stdio::piped()).await;
    let shown = lines_of(&mut child);
    let env = behalf_toolchain::DevEnv::read(state.path()).unwrap();
    let call = async |query: &str| {
        let body = serde_json::json!({"arguments": {"query": query}});
        let url = format!("{}/api/tools/database_query/call", env.base_url);
        let request = reqwest::Client::new().post(url).header("apikey", &env.service_role_key);
        request.json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(call("select title from notes").await, 200);
    let line = until(&shown, "database_query ok").pop().unwrap();
    assert!(line.contains("for service_role") && line.contains(" ms, 1 statement (call "), "{line}");
    assert_eq!(call("select titel from notes").await, 422);
    let lines = until(&shown, "behalf: database_query, tool_error: column").join("\n");
    for part in [
        "behalf: database_query, statement: invalid (SQLSTATE 42703): column \"titel\" does not exist",
        "behalf: database_query, statement:   1 | select titel from notes",
        &format!("behalf: database_query, statement:     | {}^", " ".repeat(7)),
        "behalf: database_query, statement:   hint: Perhaps you meant",
        "behalf: database_query tool_error for service_role: ",
    ] {
        assert!(lines.contains(part), "{part}:\n{lines}");
    }
    assert!(!lines.contains('\u{1b}'), "no colours where nobody sees them: {lines}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap();
    server.discard().await;
}
