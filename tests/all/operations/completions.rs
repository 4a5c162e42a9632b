//! `behalf completions`: scripts that shells load.

use std::collections::BTreeSet;
use std::path::Path;

use behalf_tests::projects::{behalf, behalf_ok};

/// Loads the script, then prints what bash offers after `behalf` and a space.
const OFFER: &str =
    r#"source "$1"; COMP_WORDS=(behalf ""); COMP_CWORD=1; _behalf behalf "" behalf; echo "${COMPREPLY[@]}""#;

async fn bash(arguments: &[&str]) -> String {
    let done = tokio::process::Command::new("bash").args(arguments).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn bash_accepts_the_script_and_offers_every_command_that_is_not_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("behalf.bash");
    std::fs::write(&file, behalf_ok(Path::new("."), &["completions", "bash"]).await.out).unwrap();
    let file = file.to_str().unwrap();
    bash(&["-n", file]).await;
    let offered = bash(&["-c", OFFER, "bash", file]).await;
    let offered: BTreeSet<_> = offered.split_whitespace().filter(|word| !word.starts_with('-')).collect();
    let commands = [
        "auth",
        "bench",
        "completions",
        "dev",
        "doctor",
        "help",
        "jobs",
        "keys",
        "migrate",
        "plugin",
        "secrets",
        "serve",
        "sources",
        "storage",
        "token",
        "tool",
    ];
    assert_eq!(offered, BTreeSet::from(commands));
}

#[tokio::test]
async fn every_shell_has_a_script_and_another_name_is_refused() {
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = behalf_ok(Path::new("."), &["completions", shell]).await.out;
        assert!(script.contains("behalf") && script.contains("doctor"), "{shell}: {script}");
    }
    let refused = behalf(Path::new("."), &["completions", "tcsh"]).await;
    assert!(!refused.ok && refused.err.contains("possible values: bash"), "{}", refused.err);
}
