//! Runs one program of `tests/recipes` against a host of its own, and checks what it says of itself.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use behalf_tests::app::{anon_key, service_key};
use behalf_tests::projects::repository;
use behalf_tests::{App, Options, ScriptedModel, TestDatabase};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::{CHATBOT_DIRECT, MIRROR, MODELS, RETRIEVAL, UPLOADS, UPLOADS_DIRECT, gossip};
use crate::protocols::clients::{clients, node, words};

/// How long a program may take beside other tests; the first document waits until the reader is compiled.
const PATIENCE: Duration = Duration::from_mins(5);

/// A recipe in one of its variants.
pub(super) struct Recipe {
    pub(super) name: &'static str,
    pub(super) variant: &'static str,
    /// What the app's owner runs before, in `tests/recipes/sql`.
    pub(super) sql: &'static [&'static str],
    /// Which of two patterns the database is set up for, where a recipe has two.
    pub(super) pattern: &'static str,
    pub(super) steps: Steps,
}

/// The steps that a program has to do, in their order.
pub(super) struct Steps {
    pub(super) before: &'static [&'static str],
    /// With each model.
    pub(super) with_model: &'static [&'static str],
    pub(super) after: &'static [&'static str],
}

impl Steps {
    fn names(&self) -> Vec<String> {
        let of_models =
            MODELS.iter().flat_map(|model| self.with_model.iter().map(move |step| format!("{step}, with {model}")));
        let owned = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>();
        [owned(self.before), of_models.collect(), owned(self.after)].concat()
    }
}

/// With what a program speaks to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// The newest supabase-js.
    Newest,
    /// The newest supabase-js that Node.js 20 runs. That Node.js reads no TypeScript, so a newer one runs it here.
    OfNode20,
    /// supabase-py.
    Python,
}

impl Client {
    /// The version that `tests/clients` pins.
    fn version(self) -> String {
        let pinned = |file: &str| std::fs::read_to_string(repository().join("tests/clients").join(file)).unwrap();
        let of_js = |file: &str| {
            let package: Value = serde_json::from_str(&pinned(file)).unwrap();
            package["dependencies"]["@supabase/supabase-js"].as_str().unwrap().to_owned()
        };
        match self {
            Self::Newest => of_js("package.json"),
            Self::OfNode20 => of_js("node-20/package.json"),
            Self::Python => {
                let all = pinned("requirements.txt");
                all.lines().find_map(|line| line.strip_prefix("supabase==")).unwrap().to_owned()
            }
        }
    }

    /// The program of a recipe, in a folder as an app has it.
    fn program(self, recipe: &Recipe, folder: &TempDir) -> Command {
        let walk = format!("walk_{}", recipe.variant);
        if self == Self::Python {
            let mut python = Command::new(clients().join("python/bin/python"));
            // Nothing is written beside the sources.
            python.arg("-B").arg("-m").arg(format!("{}.{walk}", recipe.name));
            python.current_dir(sources("python"));
            return python;
        }
        copy(&sources("typescript"), folder.path());
        link_packages(self, folder.path());
        let mut node = node();
        node.arg(format!("{}/{walk}.ts", recipe.name)).current_dir(folder);
        node
    }
}

pub(super) fn sources(language: &str) -> PathBuf {
    repository().join("tests/recipes").join(language)
}

/// The packages that the app depends on.
fn link_packages(client: Client, folder: &Path) {
    let newest = clients().join("node_modules");
    let supabase = if client == Client::OfNode20 { clients().join("node-20/node_modules") } else { newest.clone() };
    let modules = folder.join("node_modules");
    std::fs::create_dir(&modules).unwrap();
    for (name, packages) in [("@supabase", &supabase), ("jose", &newest), ("@types", &newest)] {
        std::os::unix::fs::symlink(packages.join(name), modules.join(name)).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Walks through a recipe on a host of its own.
pub(super) async fn walk(recipe: &Recipe, client: Client) {
    let (ran, model) = run(recipe, client, "").await;
    let said = check(&ran, &recipe.steps, &client.version());
    told_of_one_user_alone(&model, &said["canaries"]);
}

/// Runs a program on a host of its own, whose database has this SQL as well.
async fn run(recipe: &Recipe, client: Client, more: &str) -> (Output, ScriptedModel) {
    let (model, files) = (ScriptedModel::answering(gossip::answer).await, tempfile::tempdir().unwrap());
    let database = TestDatabase::create().await;
    for file in recipe.sql {
        database.execute(&std::fs::read_to_string(sources("sql").join(file)).unwrap()).await;
    }
    database.execute(more).await;
    // Another program could take the port before this one binds it; then it says so, and the test fails.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut settings = model.settings();
    settings.extend([
        ("storage", format!("file://{}", files.path().display())),
        ("http_allow_private", format!("127.0.0.1:{port}")),
        ("rate_limit_user", "0".to_owned()),
        ("rate_limit_anon", "0".to_owned()),
        ("rate_limit_runs", "0".to_owned()),
        ("auth_tries_per_5_minutes", "0".to_owned()),
    ]);
    let app = App::on(database, Options { settings }).await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = client.program(recipe, &folder);
    program.env("BASE_URL", &app.url).env("ANON_KEY", anon_key()).env("SERVICE_ROLE_KEY", service_key());
    program.env("MODELS", MODELS.join(",")).env("BACK_END_PORT", port.to_string());
    program.env("PATTERN", recipe.pattern).env("RECIPE", format!("{} {}", recipe.name, recipe.variant));
    let ran = tokio::time::timeout(PATIENCE, program.kill_on_drop(true).output()).await.expect("it ends").unwrap();
    (ran, model)
}

/// What a program said of itself: that it is done with each step.
fn check(output: &Output, steps: &Steps, version: &str) -> Value {
    assert!(output.status.success(), "{}", words(output));
    let text = String::from_utf8_lossy(&output.stdout);
    let said: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {}", words(output)));
    assert_eq!(said["done"], true, "{said}");
    assert_eq!(said["client"], version);
    assert_eq!(said["steps"], json!(steps.names()));
    said
}

/// No request to the model had anything of both users.
fn told_of_one_user_alone(model: &ScriptedModel, canaries: &Value) {
    let (alices, bobs) = (canaries["alice"].as_str().unwrap(), canaries["bob"].as_str().unwrap());
    let (mut of_alice, mut of_bob) = (0, 0);
    for request in model.requests() {
        let request = request.to_string();
        let (hers, his) = (request.contains(alices), request.contains(bobs));
        assert!(!(hers && his), "the model was told of both: {request}");
        of_alice += usize::from(hers);
        of_bob += usize::from(his);
    }
    assert!(of_alice > 0 && of_bob > 0, "the model was told of alice {of_alice} times, of bob {of_bob} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_types_fit() {
    let folder = tempfile::tempdir().unwrap();
    for client in [Client::Newest, Client::OfNode20] {
        let folder = folder.path().join(format!("{client:?}"));
        std::fs::create_dir(&folder).unwrap();
        copy(&sources("typescript"), &folder);
        link_packages(client, &folder);
        let mut compiler = node();
        compiler.arg(clients().join("node_modules/.bin/tsc")).arg("--project").arg("tsconfig.json");
        let output = compiler.current_dir(&folder).kill_on_drop(true).output().await.unwrap();
        assert!(output.status.success(), "{client:?}: {}", words(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_dies_or_leaves_a_step_out_fails() {
    let steps = Steps { before: &["one"], with_model: &["two"], after: &[] };
    let names = steps.names();
    let run = async |said: Value, code: i32| {
        let script = format!("echo '{said}'; exit {code}");
        Command::new("/bin/sh").args(["-c", &script]).output().await.unwrap()
    };
    let whole = json!({"done": true, "client": "1", "steps": names});
    check(&run(whole.clone(), 0).await, &steps, "1");
    let mut left_out = whole.clone();
    left_out["steps"].as_array_mut().unwrap().pop();
    let mut other = whole.clone();
    other["steps"][1] = json!("two, with another model");
    let mut older = whole.clone();
    older["client"] = json!("0");
    for (said, code) in [(whole, 1), (left_out, 0), (other, 0), (older, 0), (json!({}), 0), (json!(null), 0)] {
        let output = run(said.clone(), code).await;
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&output, &steps, "1")));
        assert!(checked.is_err(), "{said} with {code} was taken");
    }
}

/// Each walk sees it where one policy of the app's lets everybody in.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_lets_everybody_in_fails_the_walk() {
    for (recipe, client, table) in [
        (&RETRIEVAL, Client::Newest, "ai.chunks"),
        (&CHATBOT_DIRECT, Client::Python, "public.articles"),
        (&UPLOADS, Client::Newest, "storage.objects"),
        (&UPLOADS_DIRECT, Client::Python, "ai.sources"),
        (&MIRROR, Client::Newest, "realtime.messages"),
    ] {
        let leak = format!("create policy leak on {table} for select to authenticated using (true)");
        let (ran, _) = run(recipe, client, &leak).await;
        let said = words(&ran);
        assert!(!ran.status.success() && !said.contains("\"done\""), "{} took a leak of {table}: {said}", recipe.name);
        // It failed at what it asserts, and not because it could not begin.
        assert!(said.contains("AssertionError"), "{}: {said}", recipe.name);
    }
}
