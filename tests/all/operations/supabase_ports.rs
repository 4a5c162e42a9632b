//! `behalf dev --supabase-ports`: programs for the Supabase CLI find the host, its keys and its database where they look for them, and
//! nobody else does.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use behalf_config::environment;
use behalf_tests::fences::fences;
use behalf_tests::projects::{Printed, behalf_bin, behalf_with, repository};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
const FLAG: [&str; 2] = ["dev", "--supabase-ports"];

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/supabase-clients.md")).unwrap()
}

/// `behalf dev --supabase-ports` in a folder of its own. It stops its Postgres when it is dropped.
struct Cli {
    folder: tempfile::TempDir,
    child: Child,
    /// The host's port; Postgres has the next one. Any program's connection may have the CLI's own ports for a while.
    port: u16,
}

/// A free port whose successor is free, below those that systems give to connections.
fn free_ports() -> u16 {
    let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = 20_000 + u16::try_from(std::process::id() % 5_000).unwrap() * 2;
    (first..32_000).step_by(2).find(|port| is_free(*port) && is_free(*port + 1)).unwrap()
}

impl Cli {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(behalf_bin());
        let port = free_ports();
        command.args(FLAG).env("BEHALF_BIND", format!("127.0.0.1:{port}"));
        command.current_dir(folder.path()).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut cli = Self { folder, child, port };
        let end = Instant::now() + Duration::from_mins(2);
        while !cli.log().contains("Ctrl-C stops the host") {
            assert!(cli.child.try_wait().unwrap().is_none(), "it ended: {}", cli.log());
            assert!(Instant::now() < end, "it does not serve: {}", cli.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        cli
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Runs a fence `sh` in a folder whose state is that of this host, at its ports, and returns what it prints.
    fn run(&self, script: &str) -> String {
        let script = script.replace("54321", &self.port.to_string()).replace("54322", &(self.port + 1).to_string());
        let mut path = std::env::split_paths(&environment("PATH").unwrap()).collect::<Vec<PathBuf>>();
        path.extend(environment("BEHALF_POSTGRES_BIN").map(PathBuf::from));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-eu", "-c", &script]).current_dir(self.folder.path());
        let done = shell.env("PATH", std::env::join_paths(path).unwrap()).output().unwrap();
        assert!(done.status.success(), "{script}\n{}\n{}", String::from_utf8_lossy(&done.stderr), self.log());
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        let stopped = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The keys that the page names are those of the CLI: everybody can check that its secret signed them.
fn keys_of_the_cli() -> [String; 2] {
    let page = page();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp"]);
    ["anon", "service_role"].map(|role| {
        let key = page
            .split(['`', ' ', '"', '\n'])
            .filter(|word| word.starts_with("eyJ"))
            .find(|word| {
                let read = decode::<Value>(word, &DecodingKey::from_secret(SECRET.as_bytes()), &validation);
                read.unwrap().claims == json!({"iss": "supabase-demo", "role": role, "exp": 1_983_812_996})
            })
            .unwrap_or_else(|| panic!("the page has no key for {role}"));
        key.to_owned()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_for_the_supabase_cli_find_its_addresses_keys_and_database() {
    let [anon, service] = keys_of_the_cli();
    let cli = Cli::start().await;
    let (mut printed, mut compared) = (String::new(), 0);
    for (language, content) in fences(&page()) {
        match language.as_str() {
            "sh" => printed = cli.run(&content),
            "json" => {
                let wanted: Value = serde_json::from_str(&content).unwrap();
                assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), wanted, "{printed}");
                compared += 1;
            }
            _ => {}
        }
    }
    assert!(compared >= 2, "{compared} compared");
    let kept = std::fs::read_to_string(cli.folder.path().join(".behalf/dev.env")).unwrap();
    for line in [
        format!("BASE_URL=http://127.0.0.1:{}", cli.port),
        format!("ANON_KEY={anon}"),
        format!("SERVICE_ROLE_KEY={service}"),
        format!("JWT_SECRET={SECRET}"),
    ] {
        assert!(kept.lines().any(|kept| kept == line), "{line}\n{kept}");
    }
    let told = format!("postgresql://postgres:postgres@127.0.0.1:{}/postgres", cli.port + 1);
    assert!(cli.log().contains(&told) && cli.log().contains("Everybody knows this password"), "{}", cli.log());
}

/// `behalf dev`, which has to refuse.
async fn refused(state: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut settings: Vec<_> = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    settings.push(("state_dir", state.to_str().unwrap().to_owned()));
    let Printed { ok, out, err } = behalf_with(&settings, arguments).await;
    assert!(!ok, "{out}\n{err}");
    err
}

#[tokio::test]
async fn keys_that_everybody_knows_are_refused_where_others_could_reach_the_host() {
    let folder = tempfile::tempdir().unwrap();
    for setting in [
        ("bind", "0.0.0.0:54321"),
        ("bind", "[::]:8787"),
        ("bind", "192.0.2.1:54321"),
        ("public_url", "https://agents.example.com"),
        ("public_url", "http://192.0.2.1:54321"),
    ] {
        let error = refused(folder.path(), &[setting], &FLAG).await;
        assert!(error.contains("for this machine alone") && error.contains(setting.1), "{setting:?}: {error}");
    }
    for name in ["JWT_SECRET", "ANON_KEY", "SERVICE_ROLE_KEY"] {
        let own = [(&*name.to_lowercase(), "a-secret-of-the-operator-with-many-characters")];
        let error = refused(folder.path(), &own, &FLAG).await;
        assert!(error.contains(&format!("unset BEHALF_{name}")), "{error}");
    }
    let error = refused(folder.path(), &[], &["serve", "--supabase-ports"]).await;
    assert!(error.contains("unexpected argument"), "{error}");
    let error = refused(folder.path(), &[("jwt_secret", SECRET)], &["serve"]).await;
    assert!(error.contains("which everybody knows"), "{error}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was begun");
}

#[tokio::test]
async fn a_state_folder_keeps_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.env");
    let names = ["ANON_KEY", "SERVICE_ROLE_KEY", "JWT_SECRET", "BASE_URL", "DATABASE_URL", "LOGIN_PASSWORD"];
    let keep = |secret: &str| {
        let lines = names.map(|name| format!("{name}={}\n", if name == "JWT_SECRET" { secret } else { "a" }));
        std::fs::write(&file, lines.concat()).unwrap();
    };
    keep("a-secret-of-its-own-with-very-many-characters");
    let before = std::fs::read(&file).unwrap();
    let error = refused(folder.path(), &[], &FLAG).await;
    assert!(error.contains("keys of its own") && error.contains("BEHALF_STATE_DIR"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);

    keep(SECRET);
    let error = refused(folder.path(), &[], &["dev"]).await;
    assert!(error.contains("start with --supabase-ports"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was begun");
}
