//! Projects of tool authors, made and built with the command line as an author does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use behalf_config::environment;
use sha2::{Digest, Sha256};

use crate::TestDatabase;

/// The four languages, as `behalf tool new` names them.
pub const LANGUAGES: [&str; 4] = ["rust", "python", "js", "c"];

/// The output of a command, and whether it succeeded.
#[derive(Clone, Debug)]
pub struct Printed {
    /// Exit code 0.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Printed {
    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

/// The path of the program `behalf` under test.
pub fn behalf_bin() -> PathBuf {
    environment("BEHALF_TEST_BIN").expect("BEHALF_TEST_BIN is not set: run the tests with `./dev test`").into()
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A command in a folder. Builds of Rust projects share the crates that they compile.
pub fn command(program: &Path, dir: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    command.current_dir(dir).stdin(Stdio::null()).env("CARGO_TARGET_DIR", scratch().join("cargo")).kill_on_drop(true);
    command
}

/// `behalf …` in a folder.
pub async fn behalf(dir: &Path, arguments: &[&str]) -> Printed {
    printed(command(&behalf_bin(), dir).args(arguments)).await
}

/// `behalf …` with the logins of a database in its environment.
pub async fn behalf_on(database: &TestDatabase, arguments: &[&str]) -> Printed {
    let mut command = command(&behalf_bin(), Path::new("."));
    command.env("BEHALF_HOST_DATABASE_URL", database.host_url()).env("BEHALF_TOOL_DATABASE_URL", database.tool_url());
    printed(command.args(arguments)).await
}

/// `behalf …` with these settings in its environment, given by their names in `behalf.toml`, and no others.
pub async fn behalf_with(settings: &[(&str, String)], arguments: &[&str]) -> Printed {
    let mut command = command(&behalf_bin(), Path::new("."));
    command.envs(settings.iter().map(|(name, value)| (format!("BEHALF_{}", name.to_uppercase()), value)));
    printed(command.args(arguments)).await
}

async fn printed(command: &mut tokio::process::Command) -> Printed {
    let done = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Printed { ok: done.status.success(), out: text(done.stdout), err: text(done.stderr) }
}

/// `behalf …` in a folder; it must succeed.
pub async fn behalf_ok(dir: &Path, arguments: &[&str]) -> Printed {
    let printed = behalf(dir, arguments).await;
    assert!(printed.ok, "behalf {}\n{}{}", arguments.join(" "), printed.out, printed.err);
    printed
}

/// The component of a fresh `behalf tool new` project in this language; the project is two folders above it.
pub async fn template(language: &str) -> PathBuf {
    let dir = scratch().join("templates").join(language);
    once(&format!("template-{language}"), &sources_of_templates(), async || {
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        std::fs::create_dir_all(&dir).unwrap();
        behalf_ok(&dir, &["tool", "new", "my-tool", "--lang", language]).await;
        behalf_ok(&dir, &["tool", "build", "my-tool", "--install"]).await;
    })
    .await;
    dir.join("my-tool/dist/my-tool.wasm")
}

/// The component of a project in the repository, given as its path there.
pub async fn project(path: &str) -> PathBuf {
    let dir = repository().join(path);
    let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
    let key = path.replace('/', "-");
    let mut sources = sources_of_templates();
    sources.push(dir.clone());
    once(&key, &sources, async || {
        behalf_ok(&repository(), &["tool", "build", path, "--install"]).await;
    })
    .await;
    let manifest = std::fs::read_to_string(dir.join("plugin.toml")).unwrap();
    let named =
        manifest.lines().find_map(|line| line.strip_prefix("name = ")).map(|name| name.trim_matches('"').to_owned());
    dir.join("dist").join(format!("{}.wasm", named.unwrap_or(name)))
}

/// The folder for builds of the tests; it stays between runs.
fn scratch() -> PathBuf {
    let dir = repository().join("target/authors");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// The sources of every project.
fn sources_of_templates() -> Vec<PathBuf> {
    let plugins = repository().join("plugins");
    let mut sources = vec![repository().join("wit"), plugins.join("templates"), behalf_bin()];
    sources.extend(["sdk", "sdk-python", "sdk-js", "sdk-c"].map(|sdk| plugins.join(sdk)));
    sources
}

/// Does the work, unless it was done for the same sources. Each test is a process, so a file is the lock.
async fn once(key: &str, sources: &[PathBuf], work: impl AsyncFnOnce()) {
    let (lock, stamp) = (scratch().join(format!("{key}.lock")), scratch().join(format!("{key}.stamp")));
    let lock = File::create(lock).unwrap();
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.unwrap().unwrap();
    let digest = digest(sources);
    if std::fs::read_to_string(&stamp).ok().as_deref() != Some(&digest) {
        std::fs::remove_file(&stamp).ok();
        work().await;
        std::fs::write(&stamp, digest).unwrap();
    }
    drop(lock);
}

fn digest(sources: &[PathBuf]) -> String {
    fn add(path: &Path, hash: &mut Sha256) {
        const OUTPUT: [&str; 6] = ["target", "build", "dist", "node_modules", ".venv", "__pycache__"];
        if path.file_name().is_some_and(|name| OUTPUT.iter().any(|output| name == *output)) {
            return;
        }
        if path.is_dir() {
            let mut entries: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort();
            entries.iter().for_each(|entry| add(entry, hash));
        } else {
            hash.update(path.as_os_str().as_encoded_bytes());
            hash.update(std::fs::read(path).unwrap_or_default());
        }
    }
    let mut hash = Sha256::new();
    sources.iter().for_each(|source| add(source, &mut hash));
    hex::encode(hash.finalize())
}
