//! `behalf sources`: what it uploads, what it says, and its exit codes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use behalf_tests::app::service_key;
use behalf_tests::projects::{Printed, behalf_bin, command};
use behalf_tests::{ALICE, App, BOB, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::bed::{Bed, alice, bob};
use super::documents::{docx, pdf, words};

/// `behalf sources …` in a folder, with the key in its environment.
async fn sources(app: &App, folder: &Path, arguments: &[&str]) -> Printed {
    let mut command = command(&behalf_bin(), folder);
    command.arg("sources").args(arguments).args(["--url", &app.url]).env("BEHALF_SERVICE_ROLE_KEY", service_key());
    let done = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Printed { ok: done.status.success(), out: text(done.stdout), err: text(done.stderr) }
}

/// A folder with documents, and with what is left out.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("docs/more")).unwrap();
    std::fs::write(at("docs/a.txt"), words("a", 1)).unwrap();
    std::fs::write(at("docs/b.pdf"), pdf("b", 3)).unwrap();
    std::fs::write(at("docs/more/c.docx"), docx("c")).unwrap();
    std::fs::write(at("docs/.hidden.txt"), "hidden").unwrap();
    std::os::unix::fs::symlink(at("docs/a.txt"), at("docs/link.txt")).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_uploaded_for_a_user_and_read() {
    let (bed, folder) = (Bed::start().await, folder());
    let added = sources(&bed, folder.path(), &["add", "docs", "--as", &ALICE.to_string()]).await;
    assert!(added.ok, "{} {}", added.out, added.err);
    assert!(added.out.ends_with("3 read, 0 there already, 0 failed\n"), "{}", added.out);
    assert!(added.out.contains("docs/b.pdf: read, 3 pages, source "), "{}", added.out);
    assert_eq!(added.out.lines().count(), 4, "{}", added.out);
    assert!(!added.out.contains('\u{1b}') && added.err.is_empty(), "no terminal, no bars: {} {}", added.out, added.err);
    let list = bed.get(&alice(), "/api/sources?sort=name&order=asc").await;
    let names: Vec<&str> =
        list.json["sources"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.txt", "b.pdf", "c.docx"]);
    for source in list.json["sources"].as_array().unwrap() {
        let name = source["name"].as_str().unwrap();
        let text = bed.texts(&alice(), source["id"].as_str().unwrap()).await.concat();
        assert!(text.contains(&words(&name[..1], 1)), "{name}: {text}");
    }
    assert_eq!(bed.get(&bob(), "/api/sources").await.json["total"], 0);

    // Again: everything is there, which is no failure.
    let again = sources(&bed, folder.path(), &["add", "docs", "--as", &ALICE.to_string()]).await;
    assert!(again.ok && again.out.ends_with("0 read, 3 there already, 0 failed\n"), "{} {}", again.out, again.err);
    assert!(again.out.contains("docs/b.pdf: there already as b.pdf, extracted, source "), "{}", again.out);

    let listed = sources(&bed, folder.path(), &["list", "--as", &ALICE.to_string()]).await;
    assert!(listed.ok && listed.out.lines().count() == 3, "{} {}", listed.out, listed.err);
    assert!(listed.out.lines().any(|line| line.contains("extracted") && line.ends_with(" 3  b.pdf")), "{}", listed.out);
    let listed = sources(&bed, folder.path(), &["list", "--as", &ALICE.to_string(), "--json"]).await;
    assert_eq!(listed.json().as_array().map(Vec::len), Some(3));
    let failed = sources(&bed, folder.path(), &["list", "--as", "alice", "--status", "failed"]).await;
    assert!(failed.ok && failed.out.is_empty(), "{} {}", failed.out, failed.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said_and_the_others_are_uploaded() {
    let (bed, folder) = (Bed::start().await, folder());
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("docs/broken.pdf"), "%PDF-1.4\nand no more").unwrap();
    std::fs::write(at("docs/tool.exe"), "MZ").unwrap();
    let added = sources(&bed, folder.path(), &["add", "docs", "--as", &BOB.to_string()]).await;
    assert!(!added.ok && added.out.ends_with("3 read, 0 there already, 2 failed\n"), "{} {}", added.out, added.err);
    let line =
        |name: &str| added.out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{}", added.out));
    assert!(line("docs/broken.pdf").contains("failed: "), "{}", added.out);
    assert!(line("docs/tool.exe").contains("the host answered 4"), "{}", added.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_their_addresses() {
    let (bed, folder) = (Bed::start().await, folder());
    for email in ["anna@people.example", "johanna@people.example"] {
        let body = json!({ "email": email, "email_confirm": true });
        let made = bed.post(&behalf_tests::User::Service, "/auth/v1/admin/users", body).await;
        assert_eq!(made.status, 200, "{}", made.text);
    }
    let added = sources(&bed, folder.path(), &["add", "docs/a.txt", "--as", "Anna@people.example"]).await;
    assert!(added.ok, "{} {}", added.out, added.err);
    let owner: String =
        bed.database.value("select u.email::text from ai.sources s join auth.users u on u.id = s.owner_id").await;
    assert_eq!(owner, "anna@people.example");
    for (unknown, said) in [
        ("nobody@people.example", "no user has the address"),
        ("nna@people.example", "no user has the address"),
        ("somebody", "neither an id nor an e-mail address"),
    ] {
        let refused = sources(&bed, folder.path(), &["add", "docs/a.txt", "--as", unknown]).await;
        assert!(!refused.ok && refused.err.contains(said), "{unknown}: {} {}", refused.out, refused.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_work_says_why_and_changes_nothing() {
    let (bed, folder) = (Bed::start().await, folder());
    let alice = ALICE.to_string();
    for (arguments, said) in [
        (vec!["add", "docs", "--as", &alice, "--knowledge-base", "handbook"], "there is no knowledge base"),
        (vec!["add", "none", "--as", &alice], "none cannot be read; check the path"),
        (vec!["add", "docs", "--as", &alice, "--service-key", "wrong"], "the host answered 401"),
    ] {
        let refused = sources(&bed, folder.path(), &arguments).await;
        let words = format!("{}{}", refused.out, refused.err);
        assert!(!refused.ok && words.contains(said), "{arguments:?}: {words}");
    }
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.sources").await, 0);
    // Nobody listens there.
    let mut nowhere = command(&behalf_bin(), folder.path());
    nowhere.args(["sources", "list", "--as", &alice, "--url", "http://127.0.0.1:9", "--service-key", "k"]);
    let done = nowhere.output().await.unwrap();
    let error = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success() && error.contains("no host answers at http://127.0.0.1:9; start it"), "{error}");
    let mut without = command(&behalf_bin(), folder.path());
    without.args(["sources", "list", "--as", &alice]);
    let error = String::from_utf8(without.output().await.unwrap().stderr).unwrap();
    assert!(error.contains("no host is named; give its address with --url"), "{error}");
}

/// A name that a user chose is printed, and steers no terminal.
#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_list_stay_on_their_lines() {
    let (bed, folder) = (Bed::start().await, folder());
    let id = bed.read(&alice(), "a.txt", words("a", 1)).await;
    bed.database.execute(&format!("update ai.sources set name = e'a\\n\\x1b[2Jb' where id = '{id}'")).await;
    let listed = sources(&bed, folder.path(), &["list", "--as", "alice"]).await;
    assert!(listed.ok && listed.out.lines().count() == 1, "{:?} {}", listed.out, listed.err);
    assert!(!listed.out.trim_end().contains(char::is_control), "{:?}", listed.out);
}

/// Ctrl-C ends the command. What the host has it keeps, and goes on to read.
#[tokio::test(flavor = "multi_thread")]
async fn who_stops_waiting_leaves_what_was_uploaded() {
    let bed = Bed::with(vec![("sources_workers", "1".to_owned())]).await;
    let folder = tempfile::tempdir().unwrap();
    for document in 0..40 {
        let name = format!("{document:02}.pdf");
        std::fs::write(folder.path().join(name), pdf(&document.to_string(), 60)).unwrap();
    }
    let mut command = command(&behalf_bin(), folder.path());
    command.args(["sources", "add", ".", "--as", "alice", "--url", &bed.url, "--service-key", &service_key()]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let count = "select count(*) from ai.sources";
    eventually("nothing is uploaded", async || bed.database.value::<i64>(count).await >= 4).await;
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let done = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await.expect("it ends").unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(1), "{out}");
    assert!(out.contains("not waited for; what was uploaded stays"), "{out}");
    let list: Value = bed.get(&alice(), "/api/sources?limit=100").await.json;
    let sources = list["sources"].as_array().unwrap();
    assert!(sources.len() >= 4, "{list}");
    for source in sources {
        let ended = bed.ended(&alice(), source["id"].as_str().unwrap()).await;
        assert_eq!(ended["extraction_status"], "extracted", "{ended}");
    }
    bed.has_no_other_bytes().await;
}
