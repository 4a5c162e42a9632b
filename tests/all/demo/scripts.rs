//! The scripts of the page are what the compiler makes of its TypeScript.
//!
//! After a change of `host/console/chat/*.ts`: `UPDATE_GOLDEN=1 ./dev test -E 'test(/^demo::scripts::/)'`.

use behalf_config::environment;
use behalf_tests::projects::repository;

use crate::protocols::clients::{clients, node, run, words};

#[tokio::test]
async fn the_scripts_are_what_the_compiler_makes_of_the_types() {
    let sources = repository().join("host/console/chat");
    let made = tempfile::tempdir().unwrap();
    let mut compiler = node();
    compiler.arg(clients().join("node_modules/.bin/tsc")).arg("--project").arg(&sources);
    let output = run(compiler.arg("--outDir").arg(made.path())).await;
    assert!(output.status.success(), "{}", words(&output));
    let mut seen = 0;
    for entry in std::fs::read_dir(&sources).unwrap() {
        let source = entry.unwrap().path();
        if source.extension().is_none_or(|ending| ending != "ts") {
            continue;
        }
        seen += 1;
        let kept = source.with_extension("js");
        let text = std::fs::read_to_string(made.path().join(kept.file_name().unwrap())).unwrap();
        if environment("UPDATE_GOLDEN").is_some() {
            std::fs::write(&kept, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&kept).unwrap_or_default();
        assert!(stored == text, "{} is not what the compiler makes of {}", kept.display(), source.display());
    }
    assert!(seen > 1, "the sources are where they should be");
}
