//! The Postgres that `tool run` and `tool check` keep between commands: a command finds nothing of another one.

use std::path::{Path, PathBuf};

use behalf_tests::ALICE;
use behalf_tests::projects::{Printed, behalf_bin, command, template};

/// Calls a component as alice, with a cache of its own.
async fn run(file: &Path, cache: &Path, search: &str, more: &[&str]) -> Printed {
    let mut program = command(&behalf_bin(), Path::new("."));
    let arguments = format!(r#"{{"search": "{search}"}}"#);
    program
        .env("XDG_CACHE_HOME", cache)
        .args(["tool", "run"])
        .arg(file)
        .args(["my_tool", &arguments, "--sub", "alice"]);
    let done = program.args(more).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Printed { ok: done.status.success(), out: text(done.stdout), err: text(done.stderr) }
}

/// The clusters that are kept.
fn clusters(cache: &Path) -> Vec<PathBuf> {
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries(cache.join("behalf/postgres")).flat_map(entries).collect()
}

#[tokio::test]
async fn commands_share_a_cluster_and_nothing_in_it() {
    let file = template("c").await;
    let folder = tempfile::tempdir().unwrap();
    let (cache, fixture) = (folder.path().join("cache"), folder.path().join("fixture.sql"));
    let note =
        |title: &str| format!("insert into public.notes (owner_id, title, body) values ('{ALICE}', '{title}', '');");
    std::fs::write(&fixture, note("Of one command")).unwrap();
    let with = ["--fixture", fixture.to_str().unwrap()];

    let first = run(&file, &cache, "Of one command", &with).await;
    assert!(first.ok && first.out.contains("Of one command"), "{}{}", first.out, first.err);
    let kept = clusters(&cache);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let second = run(&file, &cache, "Of one command", &[]).await;
    assert!(second.ok && !second.out.contains("Of one command"), "{}{}", second.out, second.err);
    assert_eq!(clusters(&cache), kept, "it was used again");

    // Roles belong to the cluster, so one in which a fixture made some is not kept.
    std::fs::write(&fixture, format!("create role of_a_fixture; {}", note("With a role"))).unwrap();
    for _ in 0..2 {
        let made = run(&file, &cache, "With a role", &with).await;
        assert!(made.ok && made.out.contains("With a role"), "{}{}", made.out, made.err);
        assert_eq!(clusters(&cache), [] as [PathBuf; 0]);
    }

    // Commands at once have a cluster each.
    let (one, two) = tokio::join!(run(&file, &cache, "Garden", &[]), run(&file, &cache, "Garden", &[]));
    assert!(one.ok && two.ok && one.out == two.out, "{}{}{}{}", one.out, one.err, two.out, two.err);
    // One that was not finished is made anew.
    let kept = clusters(&cache);
    assert!((1..=2).contains(&kept.len()), "{kept:?}");
    for cluster in &kept {
        std::fs::remove_file(cluster.join("logins")).unwrap();
    }
    let again = run(&file, &cache, "Garden", &[]).await;
    assert!(again.ok && again.out == one.out, "{}{}", again.out, again.err);

    // Where the tests run as root, the data lie outside of the cache.
    for cluster in clusters(&cache) {
        if let Ok(place) = std::fs::read_to_string(cluster.join("place")) {
            std::fs::remove_dir_all(place.trim()).unwrap();
        }
    }
}
