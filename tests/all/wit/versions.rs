//! Plugins of other versions: those that can run are accepted, and the others are refused with the versions that there are.

use behalf_sandbox::inspect;
use behalf_tests::{ALICE, App, User, guests, write_grants};
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use super::package::Sources;

/// A component of this world whose functions do nothing.
fn component(sources: &Sources, world: &str) -> Vec<u8> {
    let package = sources.package();
    encode(&package.resolve, package.world(world))
}

fn encode(resolve: &Resolve, world: wit_parser::WorldId) -> Vec<u8> {
    let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

fn refusal(component: &[u8]) -> String {
    inspect(component).unwrap_err().to_string()
}

#[test]
fn a_plugin_of_an_unknown_version_is_told_both() {
    for version in ["0.2.0", "1.0.0", "0.0.1", "0.1.1-draft"] {
        let reason = refusal(&component(&Sources::current().of_version(version), "tool-plugin"));
        assert_eq!(
            reason,
            format!(
                "the plugin was built for behalf:tool@{version}, and this host has behalf:tool@0.1.1; build the plugin \
                 against behalf:tool@0.1.1, or run it on a host that has behalf:tool@{version}"
            )
        );
    }
}

#[test]
fn a_newer_patch_that_uses_nothing_new_is_accepted() {
    for version in ["0.1.1", "0.1.7"] {
        let inspection = inspect(&component(&Sources::current().of_version(version), "tool-plugin")).unwrap();
        assert!(inspection.imports.iter().any(|import| import.name == format!("behalf:tool/database@{version}")));
    }
}

#[test]
fn what_only_a_newer_patch_has_is_named() {
    let newer = Sources::current().of_version("0.1.7");
    let interface = newer
        .clone()
        .with("tool.wit", "world tool-plugin {", "world tool-plugin {\n    import clock;")
        .with_file("clock.wit", "interface clock { now: func() -> u64; }");
    let function = newer.with("progress.wit", "report: func", "finish: func();\n report: func");
    let fix = "it has behalf:tool@0.1.1, and the plugin was built for behalf:tool@0.1.7; build it against \
                behalf:tool@0.1.1, or update the host";
    for (sources, import) in
        [(interface, "behalf:tool/clock@0.1.7"), (function, "`finish` of behalf:tool/progress@0.1.7")]
    {
        let reason = refusal(&component(&sources, "tool-plugin"));
        assert_eq!(reason, format!("the component imports {import}, which this host does not have: {fix}"));
    }
}

#[test]
fn what_no_version_ever_had_is_no_reason_to_update() {
    let invented = Sources::current().with("progress.wit", "report: func", "finish: func();\n report: func");
    let reason = refusal(&component(&invented, "tool-plugin"));
    assert!(reason.contains("behalf:tool@0.1.1 never had it"), "{reason}");
}

#[test]
fn imports_of_other_packages_are_refused_with_what_there_is() {
    let import = |package: &str, version: &str| {
        let mut resolve = Resolve::default();
        let other = format!("package {package}@{version};\ninterface root {{ run: func(); }}");
        resolve.push_source("other.wit", &other).unwrap();
        let line = format!("world tool-plugin {{\n    import {package}/root@{version};");
        let package = Sources::current().with("tool.wit", "world tool-plugin {", &line).push(&mut resolve);
        let world = resolve.packages[package].worlds["tool-plugin"];
        refusal(&encode(&resolve, world))
    };
    for (package, version, words) in [
        ("elsewhere:power", "0.1.0", "plugins import behalf:tool@0.1.1 and WASI 0.2; leave elsewhere:power"),
        ("behalf:other", "0.1.0", "leave behalf:other"),
        ("wasi:keyvalue", "0.2.0", "it has WASI 0.2 with cli, clocks,"),
        ("wasi:clocks", "0.3.0", "it has WASI 0.2 with cli, clocks,"),
    ] {
        let reason = import(package, version);
        assert!(
            reason.contains(&format!("imports {package}/root@{version}, which this host does not have")),
            "{reason}"
        );
        assert!(reason.contains(words), "{reason}");
    }
}

/// The same plugin, as if it had been built for another patch version.
fn as_patch(path: &str, number: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    let (present, other) = (b"@0.1.1", format!("@0.1.{number}"));
    assert_eq!(present.len(), other.len());
    let mut changed = 0;
    let name = b"behalf:tool/";
    for at in 0..bytes.len() - name.len() {
        if !bytes[at..].starts_with(name) {
            continue;
        }
        let interface = bytes[at + name.len()..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let version = at + name.len() + interface;
        if bytes[version..].starts_with(present) {
            bytes[version..version + other.len()].copy_from_slice(other.as_bytes());
            changed += 1;
        }
    }
    assert!(changed > 5, "only {changed} names were changed");
    bytes
}

/// A component that imports every function of the first version, as those in Python and JavaScript do.
#[test]
fn a_plugin_of_the_first_patch_is_accepted() {
    let first = Sources::read(&super::repository("tests/wit/0.1.0"));
    let inspection = inspect(&component(&first, "tool-plugin")).unwrap();
    let database = inspection.imports.iter().find(|import| import.name == "behalf:tool/database@0.1.0").unwrap();
    assert_eq!(database.functions, ["query", "execute", "commit", "describe"], "it knows no scopes");
}

/// The guest calls no function that the first version lacks, so its component is the one that the first version's SDK makes.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_the_first_patch_runs() {
    let app = App::start().await;
    let mut grants = write_grants();
    (grants["http"], grants["files"]) = (json!({"hosts": ["api.example.com"]}), json!({"workspace": "user"}));
    let answer = app.upload_bytes(as_patch(guests::EFFECTS, 0), &grants, "").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert!(answer.text.contains("behalf:tool/database@0.1.0") && !answer.text.contains("@0.1.1"), "{}", answer.text);
    for (mode, sql) in [("query", "select title from notes"), ("execute", "delete from notes where true")] {
        let answer = app.call(&User::Is(ALICE), "silent_sql", json!({"sql": sql, "mode": mode})).await;
        assert_eq!(answer.result(), &json!({"rows": 2, "committed": true}), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_a_newer_patch_runs() {
    let app = App::start().await;
    let probe = as_patch(guests::PROBE, 9);
    let answer = app.upload_bytes(probe, &write_grants(), "").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert!(answer.text.contains("behalf:tool/database@0.1.9"), "{}", answer.text);
    let answer = app.call(&User::Is(ALICE), "identity", json!({})).await;
    assert!(answer.text.contains(&ALICE.to_string()), "{}", answer.text);
    let answer = app.call(&User::Is(ALICE), "sql", json!({"sql": "select 1 as one"})).await;
    assert_eq!(answer.result()["rows"], json!([[1]]));
}
