//! Plugins in C: their native tests, and the core modules of C compilers, which the host turns into components.

use std::path::Path;
use std::process::Command;

use behalf_config::environment;
use behalf_sandbox::inspect;
use behalf_tests::{ALICE, App, User};
use serde_json::json;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const SDK: &str = "plugins/sdk-c";

/// Plugins with native tests.
const PLUGINS: [&str; 3] = ["plugins/templates/c", "plugins/merchant-duplicates", "tests/languages/c"];

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "c"))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "{} has no sources", folder.display());
    all
}

/// Builds the tests as the SDK's README says, with warnings as errors.
#[test]
fn native_tests_of_plugins_in_c_pass() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().unwrap();
    let cc = environment("CC").unwrap_or_else(|| "cc".to_owned());
    for plugin in PLUGINS {
        let (plugin, program) = (repository.join(plugin), folder.path().join("tests"));
        let compiled = Command::new(&cc)
            .args(["-std=gnu17", "-g", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(repository.join(SDK))
            .args(sources(&plugin.join("src")))
            .args(sources(&plugin.join("tests")))
            .arg(repository.join(SDK).join("mock/native.c"))
            .arg("-o")
            .arg(&program)
            .output()
            .unwrap_or_else(|error| panic!("{cc}: {error}; install a C compiler, or name one in CC"));
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let run = Command::new(&program).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success() && out.contains(" tests, 0 failed"), "{}: {out}{err}", plugin.display());
    }
}

/// A core module as a C compiler writes it: functions by the names of the canonical ABI, and WASI's first preview. Its tool
/// `chance` answers with the time and 16 random bytes, each byte as two letters from a to p.
const CHANCE: &str = r#"(module
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (memory (export "memory") 8)
    (global $next (mut i32) (i32.const 65536))
    (data (i32.const 0) "\80\00\00\00\5c\00\00\00")
    (data (i32.const 128)
      "[{\"name\":\"chance\",\"description\":\"made by a test\",\"inputSchema\":{\"type\":\"object\"}}]          ")
    ;; ok, and 50 bytes of JSON at 288
    (data (i32.const 256) "\00\00\00\00\20\01\00\00\32\00\00\00")
    (data (i32.const 288) "\"")
    (data (i32.const 337) "\"")
    (func $letters (param $from i32) (param $count i32) (param $to i32)
      (loop $next
        (i32.store8 (local.get $to)
          (i32.add (i32.const 97) (i32.shr_u (i32.load8_u (local.get $from)) (i32.const 4))))
        (i32.store8 (i32.add (local.get $to) (i32.const 1))
          (i32.add (i32.const 97) (i32.and (i32.load8_u (local.get $from)) (i32.const 15))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $next (local.get $count))))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "behalf:tool/tool@0.1.1#definitions") (result i32) (i32.const 0))
    (func (export "behalf:tool/tool@0.1.1#call") (param i32 i32 i32 i32) (result i32)
      (if (call $random_get (i32.const 1024) (i32.const 16)) (then unreachable))
      (if (call $clock (i32.const 0) (i64.const 1) (i32.const 1040)) (then unreachable))
      (call $letters (i32.const 1024) (i32.const 24) (i32.const 289))
      (i32.const 256)))"#;

/// The module with a description of its world, as the SDK's object file adds it.
fn described(text: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.packages[package].worlds["tool-plugin"];
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_module_has_time_and_randomness_of_its_own_in_each_call() {
    let module = described(CHANCE);
    let inspection = inspect(&module).unwrap();
    assert_eq!(inspection.wasi, "lite");
    let app = App::start().await;
    let answer = app.upload_bytes(module, &json!({}), "").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let result = app.call(&User::Is(ALICE), "chance", json!({})).await.result().as_str().unwrap().to_owned();
        let bytes: Vec<u8> = result.as_bytes().chunks(2).map(|two| (two[0] - b'a') << 4 | (two[1] - b'a')).collect();
        let (random, clock) = bytes.split_at(16);
        assert!(seen.insert(random.to_vec()), "{result} came twice");
        let seconds = u64::from_le_bytes(clock.try_into().unwrap()) / 1_000_000_000;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!(now.abs_diff(seconds) < 60, "{seconds} is not {now}");
    }
    app.settled().await;
}

#[test]
fn a_core_module_without_wasi_stays_without_it() {
    let without = CHANCE
        .replace(
            r#"(import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))"#,
            "",
        )
        .replace(
            r#"(import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))"#,
            "",
        )
        .replace("(if (call $random_get (i32.const 1024) (i32.const 16)) (then unreachable))", "")
        .replace("(if (call $clock (i32.const 0) (i64.const 1) (i32.const 1040)) (then unreachable))", "");
    let inspection = inspect(&described(&without)).unwrap();
    assert_eq!((inspection.wasi, inspection.imports.len()), ("none", 0));
}

#[test]
fn a_core_module_that_cannot_be_a_component_is_refused_with_what_is_missing() {
    let stranger = CHANCE.replace("wasi_snapshot_preview1", "env");
    let undescribed = wat::parse_str(CHANCE).unwrap();
    for (module, word) in [(described(&stranger), "`env`"), (undescribed, "it exports nothing")] {
        let reason = inspect(&module).unwrap_err().to_string();
        assert!(reason.contains(word), "{reason}");
    }
}
