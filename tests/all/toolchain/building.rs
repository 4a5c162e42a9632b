//! `behalf tool build`: what compilers say, what makes `--watch` build, and code that was compiled before.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use behalf_tests::projects::{LANGUAGES, behalf, behalf_bin, behalf_ok, command, template};
use behalf_tests::{TestDatabase, eventually};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A new project `one` in a folder of its own, with the packages of the template's.
async fn project(language: &str) -> (TempDir, PathBuf) {
    let installed = template(language).await;
    let installed = installed.parent().unwrap().parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    behalf_ok(folder.path(), &["tool", "new", "one", "--lang", language]).await;
    let project = folder.path().join("one");
    match language {
        "js" => symlink(installed.join("node_modules"), project.join("node_modules")).unwrap(),
        "python" => {
            std::fs::create_dir(project.join("build")).unwrap();
            symlink(installed.join("build/site-packages"), project.join("build/site-packages")).unwrap();
            symlink(installed.join(".venv"), project.join(".venv")).unwrap();
        }
        _ => {}
    }
    (folder, project)
}

/// The file of a new project `one` that its tool is in.
fn source(language: &str) -> &'static str {
    match language {
        "rust" => "src/lib.rs",
        "python" => "src/one.py",
        "js" => "src/tool.ts",
        _ => "src/one.c",
    }
}

#[tokio::test]
async fn every_compiler_says_where_a_mistake_is() {
    for language in LANGUAGES {
        let (_folder, project) = project(language).await;
        let (source, mistake, place) = match language {
            "rust" => (source(language), "fn broken( {\n", "src/lib.rs:1:"),
            "python" => (source(language), "def broken(:\n", "one.py\", line 1"),
            "js" => (source(language), "const broken: = 1;\n", "src/tool.ts:1:"),
            _ => (source(language), "int broken( {\n", "src/one.c:1:"),
        };
        std::fs::write(project.join(source), mistake).unwrap();
        let printed = behalf(&project, &["tool", "build"]).await;
        assert!(!printed.ok && printed.err.contains(place), "{language}: {}", printed.err);
    }
}

/// What the compiler of a snapshot reads of clocks and chance, and where the project lies, is not in it.
#[tokio::test]
async fn the_same_sources_make_the_same_component_in_two_folders() {
    for language in ["js", "c"] {
        let (_first, own) = project(language).await;
        let (second, other) = project(language).await;
        let folder = second.path().join("a folder/with a longer path");
        std::fs::create_dir_all(&folder).unwrap();
        let elsewhere = folder.join("two");
        std::fs::rename(other, &elsewhere).unwrap();
        let mut built = Vec::new();
        for project in [&own, &own, &elsewhere] {
            behalf_ok(project, &["tool", "build"]).await;
            built.push(std::fs::read(project.join("dist/one.wasm")).unwrap());
        }
        assert!(built[0] == built[1], "{language}: another component of the same folder");
        assert!(built[0] == built[2], "{language}: another component of another folder");
    }
}

/// Each snapshot of Python is another one, so what has not changed keeps the one that it has.
#[tokio::test]
async fn unchanged_sources_in_python_keep_their_component() {
    let (_folder, project) = project("python").await;
    let build = async || {
        behalf_ok(&project, &["tool", "build"]).await;
        std::fs::read(project.join("dist/one.wasm")).unwrap()
    };
    let first = build().await;
    std::fs::write(project.join("notes.md"), "no part of the component").unwrap();
    assert!(build().await == first, "another component of the same sources");
    let source = project.join(source("python"));
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, format!("{text}\n# changed\n")).unwrap();
    assert!(build().await != first, "the changed source was not built");
}

#[tokio::test]
async fn a_build_with_wrong_types_or_definitions_leaves_no_component() {
    let (_folder, typed) = project("js").await;
    let source = typed.join(source("js"));
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, format!("{text}\nexport const wrong: number = \"text\";\n")).unwrap();
    let (_folder, defined) = project("c").await;
    let header = defined.join("src/one.h");
    let text = std::fs::read_to_string(&header).unwrap();
    assert!(text.contains("\"name\": \"one\","), "{text}");
    std::fs::write(&header, text.replacen("\"name\": \"one\",", "\"name\" \"one\",", 1)).unwrap();
    for (project, said) in
        [(typed, ["src/tool.ts", "TS2322"]), (defined, ["no JSON: expected `:`", "\n  [{ \"name\" \"one\""])]
    {
        let printed = behalf(&project, &["tool", "build"]).await;
        assert!(!printed.ok && said.iter().all(|said| printed.err.contains(said)), "{said:?}: {}", printed.err);
        assert!(!project.join("dist/one.wasm").exists(), "{said:?}");
    }
}

/// A program that goes on, and the lines of its standard error so far.
struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (mut read, to) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&lines));
        tokio::spawn(async move {
            while let Ok(Some(line)) = read.next_line().await {
                to.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    /// How many lines have this in them.
    fn count(&self, part: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }

    fn all(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

fn script(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The compiler is played by a script that goes on only once its first line was seen.
#[tokio::test]
async fn what_a_compiler_says_is_shown_while_it_works() {
    let folder = tempfile::tempdir().unwrap();
    behalf_ok(folder.path(), &["tool", "new", "one", "--lang", "rust"]).await;
    let (project, bin) = (folder.path().join("one"), folder.path().join("bin"));
    std::fs::create_dir_all(bin.join("lib")).unwrap();
    std::fs::write(bin.join("lib/libstd-0.rlib"), "").unwrap();
    script(&bin.join("rustc"), &format!("#!/bin/sh\necho {}\n", bin.join("lib").display()));
    let wait = "while [ ! -e seen ]; do sleep 0.05; done";
    script(
        &bin.join("cargo"),
        &format!("#!/bin/sh\necho 'warning: one' >&2\n{wait}\necho 'error: two' >&2\nexit 101\n"),
    );
    let mut paths = vec![bin];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let path = std::env::join_paths(paths).unwrap();
    let mut build = Running::start(command(&behalf_bin(), &project).args(["tool", "build"]).env("PATH", path));
    eventually("the first line is not shown", async || build.count("warning: one") == 1).await;
    std::fs::write(project.join("seen"), "").unwrap();
    assert!(!build.child.wait().await.unwrap().success());
    eventually("the last line is not shown", async || build.count("error: two") == 1).await;
}

/// The fastest of the languages builds, so that a build too many is soon seen.
#[tokio::test]
async fn only_another_content_makes_the_watch_build() {
    let (_folder, project) = project("c").await;
    let source = project.join(source("c"));
    let watch = Running::start(command(&behalf_bin(), &project).args(["tool", "build", "--watch"]));
    let built = async |times: usize| {
        let what = format!("build {times} did not come");
        eventually(&what, async || watch.count("waiting for changes in") == times).await;
    };
    built(1).await;
    let folder = project.canonicalize().unwrap().display().to_string();
    assert!(watch.count(&folder) > 0, "the folder has no name: {}", watch.all());

    // What the watch made is not where the published component is, and cannot be published.
    let (quick, component) = (project.join("dist/quick/one.wasm"), project.join("dist/one.wasm"));
    assert!(quick.is_file() && !component.exists(), "{}", watch.all());
    let pushed = behalf(&project, &["tool", "push", "localhost:1/one:0.1.0", "dist/quick/one.wasm"]).await;
    assert!(!pushed.ok && pushed.err.contains("quick build"), "{}", pushed.err);
    let inspected = behalf_ok(&project, &["tool", "inspect", "dist/quick/one.wasm", "--json"]).await;
    assert_eq!(inspected.json()["tools"][0]["name"], "one");

    // To read a source, to touch it, to write the same again, and what tools write beside it.
    let text = std::fs::read_to_string(&source).unwrap();
    for _ in 0..5 {
        std::fs::read(&source).unwrap();
        std::fs::File::open(&source).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
        std::fs::write(&source, &text).unwrap();
        std::fs::write(project.join("dist/other.txt"), "output").unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(watch.count("waiting for changes in"), 1, "{}", watch.all());
    std::fs::write(&source, format!("{text}\n/* changed */\n")).unwrap();
    built(2).await;
    // A mistake is shown, and what mends it is built.
    std::fs::write(&source, "int broken( {\n").unwrap();
    built(3).await;
    assert!(watch.count("src/one.c:1:") > 0, "{}", watch.all());
    std::fs::write(&source, text).unwrap();
    built(4).await;
}

#[tokio::test]
async fn a_component_is_compiled_once_for_all_commands() {
    let database = TestDatabase::create().await;
    let cache = tempfile::tempdir().unwrap();
    let file = template("c").await.display().to_string();
    let owner = database.owner_url();
    let run = async |most: &str| {
        let done = command(&behalf_bin(), Path::new("."))
            .env("BEHALF_HOST_DATABASE_URL", database.host_url())
            .env("BEHALF_TOOL_DATABASE_URL", database.tool_url())
            .env("BEHALF_COMPILED_MAX_MIB", most)
            .env("XDG_CACHE_HOME", cache.path())
            .args(["tool", "run", &file, "my_tool", "{}", "--database-url", &owner])
            .output()
            .await
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let dir = cache.path().join("behalf/compiled");
    // A file that is written anew is another one.
    let files = || {
        let entries = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().ino())).collect();
        files.sort();
        files
    };
    run("4096").await;
    let first = files();
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700, "others may write code that is run");
    run("4096").await;
    assert_eq!(files(), first, "it was compiled again");

    // What nobody loaded for longest makes room.
    let large = dir.join(format!("{}-0000000000000000.cwasm", "0".repeat(64)));
    std::fs::File::create(&large).unwrap().set_len(8 * 1024 * 1024).unwrap();
    let before = std::time::SystemTime::now() - Duration::from_mins(10);
    std::fs::File::open(&large).unwrap().set_modified(before).unwrap();
    run("4").await;
    assert_eq!(files(), first, "the larger one was to go");
}
