//! `behalf tool check`: every bundled plugin keeps every promise, and each promise has a plugin that breaks it alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use behalf_tests::projects::{behalf_bin, command, project, repository, template};
use behalf_tests::{TestDatabase, guests};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Checks a component on a database of its own: the report, and whether the command succeeded.
async fn check(file: &Path, more: &[&str]) -> (Value, bool) {
    check_in(file, more, &[]).await
}

/// The same with these variables in its environment.
async fn check_in(file: &Path, more: &[&str], environment: &[(&str, &str)]) -> (Value, bool) {
    let database = TestDatabase::create().await;
    let (file, owner) = (file.display().to_string(), database.owner_url());
    let mut command = command(&behalf_bin(), Path::new("."));
    command.env("BEHALF_HOST_DATABASE_URL", database.host_url()).env("BEHALF_TOOL_DATABASE_URL", database.tool_url());
    command.args(["tool", "check", &file, "--json", "--database-url", &owner]).args(more);
    command.envs(environment.iter().copied());
    let done = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let report = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&done.stdout), text(&done.stderr)));
    (report, done.status.success())
}

/// Checks a component with this manifest.
async fn check_with(file: &str, manifest: &Path) -> (Value, bool) {
    let manifest = manifest.is_file().then(|| manifest.display().to_string());
    let more: Vec<_> = manifest.iter().flat_map(|manifest| ["--manifest", manifest]).collect();
    check(Path::new(file), &more).await
}

fn standing<'a>(report: &'a Value, standing: &str) -> Vec<&'a str> {
    let all = report["promises"].as_array().unwrap().iter();
    all.filter(|one| one["standing"] == standing).map(|one| one["id"].as_str().unwrap()).collect()
}

async fn broken_plugin(name: &str, file: &str, promise: &str) {
    let manifest = repository().join(format!("tests/conformance/faults/projects/{name}.toml"));
    let (report, good) = check_with(file, &manifest).await;
    assert_eq!(standing(&report, "broken"), [promise], "{name}: {report:#}");
    assert!(!good, "{name}");
    for one in report["promises"].as_array().unwrap().iter().filter(|one| one["standing"] == "broken") {
        assert!(one["fix"].is_string(), "{one:#}");
        assert!(one["broken"][0]["reproduce"].as_str().unwrap().starts_with("behalf tool "), "{one:#}");
    }
}

/// A test for each plugin that breaks a promise: it breaks this one, and all others are kept or do not apply.
macro_rules! faults {
    ($($name:ident => $promise:literal,)+) => {
        mod faults {
            $(#[tokio::test]
            async fn $name() {
                super::broken_plugin(stringify!($name), super::fault(stringify!($name)), $promise).await;
            })+
        }

        const FAULTS: &[(&str, &str)] = &[$((stringify!($name), $promise)),+];
    };
}

faults! {
    adds_every_time => "writes.idempotent",
    answers_beside_the_schema => "result.schema",
    answers_in_prose => "result.json",
    answers_to_any_name => "arguments.unknown_tool",
    asks_for_more_than_it_needs => "grants.needed",
    asks_for_too_little => "world.granted",
    asks_without_end => "limits.calls",
    changes_everybodys_rows => "isolation.rows",
    commits_between => "cancel.clean",
    commits_then_fails => "errors.clean",
    counts_everybody => "isolation.interference",
    crashes_for_nobody => "callers.handled",
    crashes_on_null => "arguments.fitting",
    crashes_on_wrong_type => "arguments.hostile",
    crashes_when_cut => "limits.rows",
    crashes_when_denied => "grants.missing",
    crashes_without_an_answer => "arguments.fitting",
    crashes_without_bucket => "grants.missing",
    cuts_characters => "arguments.fitting",
    definitions_count => "definitions.repeatable",
    definitions_crash => "definitions.answer",
    definitions_draw_lots => "definitions.stable",
    definitions_name_twice => "definitions.form",
    definitions_read_settings => "definitions.free",
    errs_with_a_trace => "errors.sentence",
    errs_without_words => "errors.sentence",
    example_misfits => "schema.examples",
    exports_nothing => "world.exports",
    fails_every_call => "calls.succeed",
    forgets_what_it_counted => "stores.failed",
    forgets_what_it_promised => "memories.failed",
    goes_on_without_title => "arguments.refused",
    hints_contradict => "annotations.consistent",
    ignores_a_failed_read => "statements.failed",
    ignores_a_failed_search => "searches.failed",
    ignores_a_failed_upload => "objects.failed",
    ignores_a_failed_write => "statements.failed",
    ignores_a_refused_statement => "statements.failed",
    ignores_that_it_is_there => "statements.failed",
    is_too_large => "measure.size",
    keeps_a_notice_board => "isolation.shared",
    keeps_the_first_answer => "state.fresh",
    keeps_the_first_search => "state.fresh",
    logs_every_row => "limits.log",
    needs_its_setting => "settings.missing",
    needs_too_much_memory => "measure.memory",
    never_ends => "limits.time",
    promised_call_fails => "calls.work",
    puts_sql_together => "statements.parameters",
    replaces_what_it_added => "writes.additive",
    returns_too_much => "limits.output",
    rewrites_what_is_there => "writes.additive",
    schema_of_no_type => "schema.input",
    schema_with_broken_pattern => "schema.output",
    sends_in_a_closed_world => "annotations.open_world",
    serves_once => "state.fresh",
    shares_its_store => "isolation.shared",
    shares_nested_arguments => "isolation.shared",
    shares_what_it_found => "isolation.shared",
    starts_too_slowly => "measure.start",
    takes_memory => "limits.memory",
    tells_in_errors => "isolation.errors",
    tells_in_logs => "isolation.logs",
    tells_in_progress => "isolation.progress",
    tells_in_results => "isolation.results",
    tells_unmarked_values => "isolation.results",
    writes_on_a_rare_pair => "writes.read_only",
    writes_on_a_rare_word => "writes.read_only",
    writes_while_reading => "writes.read_only",
}

/// Plugins that keep every promise, beside `sound`: each has something for which a check could blame it wrongly.
const SOUND: &[&str] = &["answers_with_rates", "returns_its_identity"];

fn fault(name: &str) -> &'static str {
    let found = guests::FAULTS.iter().find(|(other, _)| other.strip_prefix("fault_") == Some(name));
    found.unwrap_or_else(|| panic!("there is no fault {name}")).1
}

#[test]
fn every_promise_has_a_plugin_that_breaks_it() {
    let broken: BTreeSet<_> = FAULTS.iter().map(|(_, promise)| *promise).collect();
    let promised: BTreeSet<_> = behalf_conformance::promises().map(|promise| promise.id).collect();
    assert_eq!(broken, promised);
    let built: BTreeSet<_> = guests::FAULTS.iter().filter_map(|(name, _)| name.strip_prefix("fault_")).collect();
    let sound = SOUND.iter().copied().chain(["sound"]);
    let tested: BTreeSet<_> = FAULTS.iter().map(|(name, _)| *name).chain(sound).collect();
    assert_eq!(built, tested, "each fault is tested");
}

#[tokio::test]
async fn a_plugin_without_fault_keeps_every_promise() {
    let manifest = repository().join("tests/conformance/faults/projects/sound.toml");
    for seed in ["1", "2"] {
        let file = Path::new(fault("sound"));
        let (report, good) = check(file, &["--manifest", manifest.to_str().unwrap(), "--seed", seed]).await;
        assert_eq!((standing(&report, "broken"), good), (vec![], true), "{report:#}");
        // The plugin has no settings, and uses no HTTP, objects, knowledge bases, memories and store.
        assert_eq!(
            standing(&report, "not_applicable"),
            [
                "annotations.open_world",
                "settings.missing",
                "objects.failed",
                "searches.failed",
                "memories.failed",
                "stores.failed"
            ],
            "{report:#}"
        );
    }
}

/// An upsert that returns a number of the database's, and a tool that needs an answer of a server: recorded ones are enough.
#[tokio::test]
async fn plugins_that_could_be_blamed_wrongly_keep_every_promise() {
    for name in SOUND {
        let manifest = repository().join(format!("tests/conformance/faults/projects/{name}.toml"));
        let (report, good) = check_with(fault(name), &manifest).await;
        assert_eq!((standing(&report, "broken"), good), (vec![], true), "{name}: {report:#}");
        for promise in ["calls.succeed", "state.fresh", "isolation.interference"] {
            assert!(standing(&report, "kept").contains(&promise), "{name}, {promise}: {report:#}");
        }
    }
}

/// A server of rates on this machine: its port, and how many requests it got.
async fn rates() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).await.is_ok() {
                    head.extend_from_slice(&byte);
                }
                let answer =
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nset-cookie: a=b\r\ncontent-length: 4\r\n\r\n1.08";
                stream.write_all(answer.as_bytes()).await.ok();
            });
        }
    });
    (port, asked)
}

#[tokio::test]
async fn a_check_sends_no_request_unless_it_is_told_to() {
    let (port, asked) = rates().await;
    let folder = tempfile::tempdir().unwrap();
    let (manifest, recorded) = (folder.path().join("plugin.toml"), folder.path().join("rates.json"));
    let project = format!(
        "name = \"rates\"\nversion = \"0.1.0\"\n[settings]\nserver = \"127.0.0.1:{port}\"\n\
         [grants]\nhttp = {{ hosts = [\"127.0.0.1:{port}\"] }}\n\
         database = {{ access = \"write\", schemas = [\"public\"] }}\n\
         [[check.calls]]\ntool = \"find_notes\"\narguments = {{ search = \"garden\" }}\n"
    );
    std::fs::write(&manifest, project).unwrap();
    let private = format!("127.0.0.1:{port}");
    let run = async |more: &[&str]| {
        let all = [&["--manifest", manifest.to_str().unwrap()][..], more].concat();
        check_in(Path::new(fault("answers_with_rates")), &all, &[("BEHALF_HTTP_ALLOW_PRIVATE", private.as_str())]).await
    };

    // Nobody answers, so no call of the tool can work, and the report says what to do.
    let (report, good) = run(&[]).await;
    assert_eq!((standing(&report, "broken"), good), (vec!["calls.work", "calls.succeed"], false), "{report:#}");
    assert!(report.to_string().contains("(not_recorded)"), "{report:#}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "a request was sent");

    // The calls of the project are made once, and their answers are enough for the check.
    let file = ["--http", recorded.to_str().unwrap()];
    let (report, good) = run(&[&file[..], &["--record-http"][..]].concat()).await;
    assert_eq!((standing(&report, "broken"), good), (vec![], true), "{report:#}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let text = std::fs::read_to_string(&recorded).unwrap();
    assert!(text.contains("/rate?of=garden") && text.contains("1.08") && !text.contains("set-cookie"), "{text}");
    let (report, good) = run(&file).await;
    assert_eq!((standing(&report, "broken"), good), (vec![], true), "{report:#}");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a request was sent");

    let (report, good) = run(&["--allow-http"]).await;
    assert_eq!((standing(&report, "broken"), good), (vec![], true), "{report:#}");
    assert!(asked.load(Ordering::SeqCst) > 10, "{asked:?}");
}

/// A test for each bundled plugin.
macro_rules! plugins {
    ($($test:ident => $plugin:literal,)+) => {
        $(#[tokio::test]
        async fn $test() {
            bundled_plugin($plugin).await;
        })+

        const BUNDLED: &[&str] = &[$($plugin),+];
    };
}

plugins! {
    database_query_keeps_every_promise => "database-query",
    database_write_keeps_every_promise => "database-write",
    echo_keeps_every_promise => "echo",
    knowledge_search_keeps_every_promise => "knowledge-search",
    memory_keeps_every_promise => "memory",
    spending_report_keeps_every_promise => "spending-report",
    storage_read_keeps_every_promise => "storage-read",
    storage_write_keeps_every_promise => "storage-write",
}

async fn bundled_plugin(plugin: &str) {
    let found = guests::PLUGINS.iter().find(|(name, _)| name.strip_prefix("plugin_") == Some(plugin));
    let (_, file) = found.unwrap_or_else(|| panic!("there is no plugin {plugin}"));
    let (report, good) = check_with(file, &repository().join(format!("plugins/{plugin}/plugin.toml"))).await;
    assert_eq!((standing(&report, "broken"), good), (vec![], true), "{plugin}: {report:#}");
    assert!(standing(&report, "kept").contains(&"isolation.results"), "{plugin}: {report:#}");
}

#[test]
fn every_bundled_plugin_is_checked() {
    let built: Vec<_> = guests::PLUGINS.iter().filter_map(|(name, _)| name.strip_prefix("plugin_")).collect();
    assert_eq!(built, BUNDLED);
}

/// Templates and examples of all languages, one line each.
macro_rules! projects {
    ($($test:ident => $build:ident($name:literal),)+) => {
        $(#[tokio::test]
        async fn $test() {
            let file: PathBuf = $build($name).await;
            let (report, good) = check(&file, &[]).await;
            assert_eq!((standing(&report, "broken"), good), (vec![], true), "{report:#}");
        })+
    };
}

projects! {
    the_template_in_rust_keeps_every_promise => template("rust"),
    the_template_in_python_keeps_every_promise => template("python"),
    the_template_in_javascript_keeps_every_promise => template("js"),
    the_template_in_c_keeps_every_promise => template("c"),
    recurring_payments_keeps_every_promise => project("plugins/recurring-payments"),
    notes_export_keeps_every_promise => project("plugins/notes-export"),
    merchant_duplicates_keeps_every_promise => project("plugins/merchant-duplicates"),
}

#[tokio::test]
async fn a_check_writes_junit_and_can_look_at_one_promise_alone() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("report.xml");
    let file = Path::new(fault("crashes_on_null"));
    let more = ["--only", "arguments.fitting", "--only", "isolation.results", "--junit", junit.to_str().unwrap()];
    let (report, good) = check(file, &more).await;
    assert!(!good);
    assert_eq!(report["format"], json!(1));
    assert_eq!(standing(&report, "broken"), ["arguments.fitting"]);
    assert_eq!(report["promises"].as_array().unwrap().len(), 2, "{report:#}");
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("tests=\"2\"") && xml.contains("failures=\"1\""), "{xml}");
    assert!(xml.contains("behalf tool run"), "{xml}");
}

#[tokio::test]
async fn rows_of_strangers_are_not_replaced() {
    let database = TestDatabase::create().await;
    database
        .execute("insert into public.notes (owner_id, title, body) values (gen_random_uuid(), 'mine', 'keep')")
        .await;
    let owner = database.owner_url();
    let mut command = command(&behalf_bin(), Path::new("."));
    command.env("BEHALF_HOST_DATABASE_URL", database.host_url()).env("BEHALF_TOOL_DATABASE_URL", database.tool_url());
    let done = command.args(["tool", "check", fault("sound"), "--database-url", &owner]).output().await.unwrap();
    assert!(!done.status.success());
    assert!(String::from_utf8_lossy(&done.stderr).contains("public.notes holds rows of others"));
    assert_eq!(database.value::<i64>("select count(*) from public.notes where body = 'keep'").await, 1);
    assert_eq!(database.value::<i64>("select count(*) from pg_namespace where nspname = 'behalf_check'").await, 0);
}
