//! Features do not import each other, foundations know no feature, and each dangerous act is done in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Crates that know no feature.
const FOUNDATIONS: [&str; 25] = [
    "blobs",
    "caller-db",
    "config",
    "contracts",
    "dump",
    "embeddings",
    "fair-queue",
    "gate",
    "host-db",
    "identity",
    "jobs",
    "local-postgres",
    "mail",
    "mcp",
    "models",
    "passwords",
    "pgwire",
    "problem",
    "queue",
    "replication",
    "rest-plan",
    "sandbox",
    "schema",
    "telemetry",
    "web",
];
/// Crates that own tables and routes.
const FEATURES: [&str; 11] =
    ["accounts", "agents", "auth", "console", "knowledge", "memory", "realtime", "rest", "sources", "storage", "tools"];
/// Crates that may import features.
const PROGRAMS: [&str; 2] = ["behalf", "toolchain"];
/// Crates with data, which import none of the project's crates.
const LEAVES: [&str; 1] = ["bundled"];
/// Crates that take their settings as plain options, so that a new setting compiles none of them anew.
const MAY_IMPORT_CONFIG: [&str; 2] = PROGRAMS;

/// Production lines of a file, at most.
const MAX_LINES: usize = 500;

fn host() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host")
}

/// Each crate under `host/` with the project's crates that it imports.
fn imports() -> BTreeMap<String, Vec<String>> {
    let mut crates = BTreeMap::new();
    for entry in std::fs::read_dir(host()).unwrap() {
        let folder = entry.unwrap().path();
        let manifest: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        let own = manifest["dependencies"].as_table().unwrap().keys();
        let own = own.filter_map(|name| name.strip_prefix("behalf-")).filter(|name| *name != "conformance");
        crates.insert(folder.file_name().unwrap().to_str().unwrap().to_owned(), own.map(str::to_owned).collect());
    }
    crates
}

#[test]
fn foundations_know_no_feature_and_features_do_not_know_each_other() {
    for (name, imported) in imports() {
        let is = |list: &[&str]| list.contains(&name.as_str());
        assert!(
            is(&FOUNDATIONS) || is(&FEATURES) || is(&PROGRAMS) || is(&LEAVES),
            "host/{name} is in no list of this test; say what it is"
        );
        for other in imported {
            let (feature, program) = (FEATURES.contains(&other.as_str()), PROGRAMS.contains(&other.as_str()));
            assert!(!program || is(&PROGRAMS), "{name} imports {other}, which is above it");
            assert!(!feature || is(&PROGRAMS), "{name} imports the feature {other}; use a trait of `contracts`");
            assert!(!is(&LEAVES), "{name} imports {other} and should import none of the project's crates");
            assert!(other != "config" || is(&MAY_IMPORT_CONFIG), "{name} imports config; take plain options instead");
        }
    }
}

/// Every source file under `host/` with its text.
pub(super) fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    for name in imports().keys() {
        collect(&host().join(name).join("src"), &mut found);
    }
    assert!(found.len() > 200, "the sources are where they should be");
    found
}

/// The part of a file before its unit tests.
pub(super) fn production(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// A dangerous act, and the files that may do it.
const DOORS: &[(&str, &[&str])] = &[
    ("Component::deserialize", &["sandbox/src/compiled.rs"]),
    ("unsafe {", &["sandbox/src/compiled.rs"]),
    ("std::env::var(", &["config/src/lib.rs"]),
    (".begin_with(", &["host-db/src/tx.rs"]),
    ("AssertSqlSafe(", &["host-db/src/tx.rs", "host-db/src/migrate.rs"]),
    ("SET LOCAL ROLE anon", &["host-db/src/bind.rs"]),
    ("SET LOCAL ROLE supabase_auth_admin", &["host-db/src/tx.rs"]),
    ("SET LOCAL ROLE supabase_storage_admin", &["host-db/src/tx.rs"]),
    // The tokens of signed addresses are no callers'.
    (
        "DecodingKey::",
        &["identity/src/verify.rs", "identity/src/key_set.rs", "sources/src/token.rs", "storage/src/url_signer.rs"],
    ),
    ("Principal::from_text(", &["identity/src/principal_seal.rs"]),
    (".restore_principal(", &["agents/src/run/starter.rs", "queue/src/identity.rs"]),
    (".seal_principal(", &["agents/src/run/starter.rs", "queue/src/identity.rs"]),
    ("impl DelegationStore for", &["accounts/src/delegations.rs"]),
    (".with_delegations(", &["behalf/src/app/mod.rs"]),
    // A verifier with secrets of its own makes callers of its own: for temporary databases, and for doctor's checks.
    (
        "Verifier::new(",
        &[
            "behalf/src/app/options.rs",
            "behalf/src/cli/doctor/secrets.rs",
            "caller-db/src/doctor/logins.rs",
            "identity/src/issuer/tests.rs",
            "identity/src/verify_tests.rs",
            "sandbox/src/capabilities/files/tests.rs",
            "sandbox/src/capabilities/knowledge/tests.rs",
            "sandbox/src/capabilities/memory/tests.rs",
            "sandbox/src/capabilities/storage/tests.rs",
            "toolchain/src/callers.rs",
        ],
    ),
    // Statements that no gate has seen, and what the server says of them.
    (".run_plan(", &["rest/src/answer.rs"]),
    (
        ".run_fixed(",
        &[
            "knowledge/src/search/run.rs",
            "knowledge/src/store/read.rs",
            "memory/src/store/mod.rs",
            "realtime/src/rights.rs",
            "sources/src/store/read.rs",
            "storage/src/store/statement.rs",
        ],
    ),
    // Whose store a call reaches.
    (".with_kv(", &["tools/src/call/runtime.rs"]),
    ("SET LOCAL behalf.kv", &["caller-db/src/kv.rs"]),
    // A statement whose text is no constant: that of reaches, which is made of policies.
    (".run_work(", &["caller-db/src/fixed.rs", "caller-db/src/reach/run.rs", "caller-db/src/visible/run.rs"]),
    // And those that look for rows, which are made of names of the catalogue.
    ("VisibleText(", &["caller-db/src/visible/statement.rs"]),
    // Whoever reads the server's log reads every row of every published table.
    ("Replication::connect(", &["replication/src/reader.rs"]),
    // What was read there is judged before anybody gets it.
    ("Source::parse(", &["realtime/src/changes/mod.rs"]),
    (".to_be_judged()", &["realtime/src/changes/leader.rs"]),
    ("ReachText(", &["caller-db/src/reach/statement.rs"]),
    // A function with the rights of the owner of the tables of objects.
    ("behalf.look_at_object(", &["storage/src/store/objects.rs"]),
    (".for_app()", &["rest/src/error.rs", "storage/src/error.rs"]),
    (".for_author()", &["caller-db/src/failed_statement.rs"]),
    (".execute_again(", &["tools/src/conformance_hooks.rs"]),
    (".try_call(", &["toolchain/src/check/test_bed.rs"]),
    (".try_calls_in_one_instance(", &["toolchain/src/check/test_bed.rs"]),
    ("Fixture::open(", &["toolchain/src/check/mod.rs"]),
    ("StatusCode::FORBIDDEN", &["web/src/error.rs"]),
    // A label's value that strangers choose would make the list of series grow.
    ("metrics::counter!", &["telemetry/src/metric.rs"]),
    ("metrics::histogram!", &["telemetry/src/metric.rs"]),
    ("metrics::gauge!", &["telemetry/src/metric.rs"]),
    // The server that bounds what its clients may take their time for.
    ("auto::Builder", &["web/src/serve/connection.rs"]),
];

#[test]
fn each_danger_has_one_door() {
    for (danger, files) in DOORS {
        let mut seen = 0;
        for (path, text) in sources() {
            let code = production(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            if code.clone().any(|line| line.contains(danger)) {
                seen += 1;
                let fine = files.iter().any(|file| path.ends_with(file));
                assert!(fine, "{danger} stands in {}; its door is {files:?}", path.display());
            }
        }
        assert!(seen > 0, "{danger} is nowhere: the check has lost its object");
    }
}

#[test]
fn every_file_says_first_what_it_holds_and_is_short_enough_to_read() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} does not open with a `//!` sentence", path.display());
        let own = path.strip_prefix(host()).unwrap();
        let is_test = own.components().any(|part| part.as_os_str() == "tests") || own.ends_with("tests.rs");
        let lines = production(&text).lines().count();
        assert!(is_test || lines <= MAX_LINES, "{} has {lines} lines; split it by its nouns", path.display());
    }
}

#[test]
fn only_the_crate_of_the_metrics_can_record_one() {
    for entry in std::fs::read_dir(host()).unwrap() {
        let folder = entry.unwrap().path();
        let manifest: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        let records = manifest["dependencies"].as_table().unwrap().contains_key("metrics");
        assert_eq!(records, folder.ends_with("telemetry"), "{}", folder.display());
    }
}
