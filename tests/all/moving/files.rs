//! `behalf storage import`: files of another project's dump.

use std::path::Path;

use behalf_tests::projects::{Printed, behalf_with};
use behalf_tests::{App, Options, User};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

const HEAD: &str = "COPY storage.buckets (id, name, owner, created_at, public, file_size_limit, allowed_mime_types, owner_id, type) FROM stdin;\n";
const OBJECTS: &str = "COPY storage.objects (id, bucket_id, name, owner, created_at, updated_at, metadata, version, owner_id, user_metadata) FROM stdin;\n";

/// A host, its folder of bytes, and a folder with a dump and files to import.
struct Bed {
    app: App,
    folder: TempDir,
}

impl Bed {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = format!("file://{}", folder.path().join("bytes").display());
        let app = App::with(Options { settings: vec![("storage", place)] }).await;
        std::fs::create_dir(folder.path().join("files")).unwrap();
        Self { app, folder }
    }

    fn file(&self, name: &str, bytes: &str) {
        let path = self.folder.path().join("files").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    async fn import(&self, dump: &str, more: &[&str]) -> Printed {
        let file = self.folder.path().join("dump.sql");
        std::fs::write(&file, dump).unwrap();
        self.import_from(&file, &self.folder.path().join("files"), more).await
    }

    async fn import_from(&self, dump: &Path, files: &Path, more: &[&str]) -> Printed {
        let place = format!("file://{}", self.folder.path().join("bytes").display());
        let settings = [("host_database_url", self.app.database.host_url()), ("storage", place)];
        let mut arguments = vec!["storage", "import", dump.to_str().unwrap(), files.to_str().unwrap()];
        arguments.extend(more);
        behalf_with(&settings, &arguments).await
    }

    async fn count(&self, table: &str) -> i64 {
        self.app.database.value(&format!("select count(*) from {table}")).await
    }
}

fn bucket(id: &str) -> String {
    format!("{id}\t{id}\t\\N\t2024-01-02 03:04:05+00\tf\t\\N\t\\N\t\\N\tSTANDARD\n")
}

fn object(number: u32, bucket: &str, name: &str, size: usize) -> String {
    let id = Uuid::from_u128(u128::from(number));
    format!(
        "{id}\t{bucket}\t{name}\t\\N\t2024-01-02 03:04:05+00\t2024-01-03 03:04:05+00\t{{\"size\": {size}, \"mimetype\": \"text/plain\"}}\tv{number}\t\\N\t\\N\n"
    )
}

fn dump(buckets: &[String], objects: &[String]) -> String {
    // Objects first: the order of tables does not matter.
    format!("{OBJECTS}{}\\.\n\n{HEAD}{}\\.\n", objects.concat(), buckets.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_ended_early_is_begun_again_and_adds_nothing_twice() {
    let bed = Bed::start().await;
    let objects: Vec<String> = (1..=450).map(|number| object(number, "box", &format!("of/{number}.txt"), 3)).collect();
    let whole = dump(&[bucket("box")], &objects);
    for number in 1..=450 {
        bed.file(&format!("box/of/{number}.txt"), "abc");
    }
    let tried = bed.import(&whole, &["--dry-run"]).await;
    assert!(tried.ok && tried.out.contains("objects: 450 added, 0 kept, 0 left out\nbytes: 1350"), "{tried:?}");
    assert!(tried.out.contains("nothing was changed"), "{tried:?}");
    assert_eq!((bed.count("storage.buckets").await, bed.count("behalf.blobs").await), (0, 0));
    // It breaks in the last row of a batch that has others before it.
    let broken = whole.replace("of/430.txt\t\\N\t2024-01-02 03:04:05+00", "of/430.txt\t\\N\tyesterday");
    let stopped = bed.import(&broken, &[]).await;
    assert!(!stopped.ok && stopped.err.contains("line 431: created_at"), "{stopped:?}");
    let first = bed.count("storage.objects").await;
    assert!(first > 0 && first < 450, "{first}");
    let done = bed.import(&whole, &[]).await;
    assert!(done.ok && done.out.contains(&format!("objects: {} added, {first} kept", 450 - first)), "{done:?}");
    assert_eq!(
        (bed.count("storage.objects").await, bed.count("behalf.blobs where object_id is not null").await),
        (450, 450)
    );
    let again = bed.import(&whole, &[]).await;
    assert!(again.out.contains("buckets: 0 added, 1 kept") && again.out.contains("0 added, 450 kept"), "{again:?}");
    let read = bed.app.get(&User::Service, "/storage/v1/object/authenticated/box/of/17.txt").await;
    assert_eq!((read.status, read.text.as_str()), (200, "abc"));
    let times = "select count(*) from storage.objects
        where created_at = '2024-01-02 03:04:05+00' and updated_at = '2024-01-03 03:04:05+00'";
    assert_eq!(bed.app.database.value::<i64>(times).await, 450);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_named_and_nothing_outside_of_the_folder_is_read() {
    let bed = Bed::start().await;
    std::fs::write(bed.folder.path().join("secret.txt"), "mine").unwrap();
    bed.file("box/short.txt", "ab");
    bed.file("sources/a.txt", "abc");
    bed.file("box/good.txt", "abc");
    let objects = [
        object(1, "box", "../../secret.txt", 4),
        object(2, "box", "../secret.txt", 4),
        object(3, "box", "short.txt", 3),
        object(4, "box", "missing.txt", 3),
        object(5, "sources", "a.txt", 3),
        object(6, "box", "good.txt", 3),
        object(6, "box", "good.txt/x", 3),
    ];
    let said = bed.import(&dump(&[bucket("box"), bucket("sources")], &objects), &[]).await;
    assert!(said.ok && said.out.contains("buckets: 1 added, 0 kept, 1 left out"), "{said:?}");
    assert!(said.out.contains("objects: 1 added, 0 kept, 6 left out"), "{said:?}");
    for part in [
        "storage.buckets sources: the bucket sources is the host's own",
        "00000001: its name leads to no file of its own",
        "00000002: its name leads to no file of its own",
        "00000003: its file is not as long as its row says",
        "00000004: there is no file for it",
        "00000005: its bucket is not here",
    ] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    // Nothing of what was refused is kept.
    assert_eq!((bed.count("storage.objects").await, bed.count("behalf.blobs where released_at is null").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_here_already_stays_as_it_is() {
    let bed = Bed::start().await;
    let made = bed.app.post(&User::Service, "/storage/v1/bucket", json!({ "name": "box" })).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let upload = bed.app.request(&User::Service, Method::POST, "/storage/v1/object/box/a.txt").body("here");
    assert_eq!(upload.header("content-type", "text/plain").send().await.unwrap().status(), 200);
    bed.file("box/a.txt", "abc");
    bed.file("box/b.txt", "abc");
    let taken: Uuid = bed.app.database.value("select id from storage.objects").await;
    let other = object(7, "box", "b.txt", 3).replace(&Uuid::from_u128(7).to_string(), &taken.to_string());
    let said = bed.import(&dump(&[bucket("box")], &[object(1, "box", "a.txt", 3), other]), &[]).await;
    assert!(said.ok && said.out.contains("objects: 0 added, 1 kept, 1 left out"), "{said:?}");
    assert!(said.err.contains("another object has its id"), "{}", said.err);
    let read = bed.app.get(&User::Service, "/storage/v1/object/authenticated/box/a.txt").await;
    assert_eq!(read.text, "here");
    let listed = bed.app.post(&User::Service, "/storage/v1/object/list/box", json!({ "prefix": "" })).await;
    assert_eq!(listed.json.as_array().unwrap().len(), 1, "{}", listed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_or_folder_is_said() {
    let bed = Bed::start().await;
    let (dump_file, files) = (bed.folder.path().join("dump.sql"), bed.folder.path().join("files"));
    let missing = bed.import_from(&dump_file, &files, &[]).await;
    assert!(!missing.ok && missing.err.contains("the dump cannot be read"), "{missing:?}");
    for (dump, told) in [
        ("select 1;\n".to_owned(), "no rows of storage.buckets and storage.objects"),
        ("INSERT INTO storage.objects (id) VALUES ('x');\n".to_owned(), "pg_dump --data-only --schema=storage"),
        (format!("{OBJECTS}x\\.\n"), "line 2: the row has 1 values for 10 columns"),
        (
            dump(&[bucket("box")], &[object(1, "box", "a", 1)]).replace("{\"size\"", "[\"size\""),
            "metadata is not a JSON object",
        ),
    ] {
        let said = bed.import(&dump, &[]).await;
        assert!(!said.ok && said.err.contains(told), "{told}: {said:?}");
    }
    let nowhere = bed.import_from(&dump_file, Path::new("/nowhere/at/all"), &[]).await;
    assert!(!nowhere.ok && nowhere.err.contains("/nowhere/at/all is no folder with files"), "{nowhere:?}");
    let settings = [("host_database_url", bed.app.database.host_url()), ("storage", "off".to_owned())];
    let off =
        behalf_with(&settings, &["storage", "import", dump_file.to_str().unwrap(), files.to_str().unwrap()]).await;
    assert!(!off.ok && off.err.contains("BEHALF_STORAGE says that files are not kept here"), "{off:?}");
}
