//! Plugins travel through registries whole or not at all, and a host that asks for signatures takes what was vouched for.

use std::path::PathBuf;
use std::process::Stdio;

use behalf::config::{Settings, environment};
use behalf::sandbox::{Grants, inspect};
use behalf::tools::{Envelope, SigningKey, Statement};
use behalf_tests::registry::{Lie, REGISTRY_PASSWORD, REGISTRY_USER, digest, files};
use behalf_tests::{
    Answer, App, LyingRegistry, Options, Registry, TestDatabase, User, guests, made, read_grants, write_grants,
};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

const MANIFEST: &str = r#"
name = "prober"
version = "1.2.3"
description = "Probes."
license = "MIT"
source = "https://example.com/prober"
author = "Tests"

[settings]
api_key = "not for anybody else"

[grants.database]
access = "read"
schemas = ["public"]
tables = ["public.notes"]
"#;

/// What a command printed, and whether it went well.
struct Printed {
    ok: bool,
    out: String,
    err: String,
}

/// A folder with a plugin in it, and a user without credentials.
struct Project {
    dir: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Project {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["dist", "docker", "out"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        std::fs::copy(guests::PROBE, dir.path().join("dist/prober.wasm")).unwrap();
        std::fs::write(dir.path().join("plugin.toml"), MANIFEST).unwrap();
        Self { dir, variables: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn out(&self) -> Vec<String> {
        files(&self.path("out"))
    }

    async fn behalf(&self, arguments: &[&str]) -> Printed {
        self.behalf_told(arguments, "").await
    }

    /// The same with something on standard input.
    async fn behalf_told(&self, arguments: &[&str], input: &str) -> Printed {
        let program =
            environment("BEHALF_TEST_BIN").expect("BEHALF_TEST_BIN is not set: run the tests with `./dev test`");
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).current_dir(self.dir.path()).env("DOCKER_CONFIG", self.path("docker"));
        command.env_remove("BEHALF_REGISTRY_USERNAME").env_remove("BEHALF_REGISTRY_PASSWORD");
        command.envs(self.variables.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let done = child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Printed { ok: done.status.success(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// The first line of what a command that goes well prints.
    async fn says(&self, arguments: &[&str]) -> String {
        let printed = self.behalf(arguments).await;
        assert!(printed.ok, "{arguments:?}: {}", printed.err);
        printed.out.lines().next().unwrap_or_default().to_owned()
    }

    /// What a command that fails says.
    async fn fails(&self, arguments: &[&str]) -> String {
        let printed = self.behalf(arguments).await;
        assert!(!printed.ok && printed.out.is_empty(), "{arguments:?}: {}", printed.out);
        printed.err
    }
}

// --- A real registry ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn what_was_pushed_is_pulled_byte_for_byte() {
    let (registry, project) = (Registry::start().await, Project::new());
    let reference = format!("{}/team/prober:1.2.3", registry.host);
    let pinned = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    let (name, pushed) = pinned.split_once('@').unwrap();
    assert_eq!(name, format!("{}/team/prober", registry.host));

    // By digest, and what comes beside it.
    assert_eq!(project.says(&["tool", "pull", &pinned, "-o", "out/it.wasm"]).await, pinned);
    let component = std::fs::read(guests::PROBE).unwrap();
    assert_eq!(std::fs::read(project.path("out/it.wasm")).unwrap(), component);
    assert_eq!(project.out(), ["it.toml", "it.wasm"]);
    let manifest = std::fs::read_to_string(project.path("out/it.toml")).unwrap();
    for part in ["name = \"prober\"", "version = \"1.2.3\"", "license = \"MIT\"", "tables = [\"public.notes\"]"] {
        assert!(manifest.contains(part), "{manifest}");
    }
    assert!(!manifest.contains("api_key"), "settings are the operator's: {manifest}");

    // By tag: the same, with a warning and the digest.
    let printed = project.behalf(&["tool", "pull", &reference, "--json", "-o", "out/tag.wasm"]).await;
    assert!(printed.ok && printed.err.contains("a tag may be moved"), "{}", printed.err);
    let shown: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!((&shown["digest"], &shown["reference"]), (&json!(pushed), &json!(pinned)));
    assert_eq!(shown["component"]["digest"], json!(digest(&component)));
    assert_eq!((&shown["name"], &shown["grants"]["database"]["access"]), (&json!("prober"), &json!("read")));

    // What is there stays, unless that is asked for; then nothing old is left beside what is new.
    std::fs::write(project.path("out/it.wasm"), "mine").unwrap();
    std::fs::write(project.path("out/it.sig.json"), "of another").unwrap();
    let error = project.fails(&["tool", "pull", &pinned, "-o", "out/it.wasm"]).await;
    assert!(error.contains("is there already") && error.contains("--force"), "{error}");
    assert_eq!(std::fs::read(project.path("out/it.wasm")).unwrap(), b"mine");
    project.says(&["tool", "pull", &pinned, "-o", "out/it.wasm", "--force"]).await;
    assert_eq!(std::fs::read(project.path("out/it.wasm")).unwrap(), component);
    assert!(!project.path("out/it.sig.json").exists());

    // A tag that moves does not move a digest.
    std::fs::copy(guests::DEFINITIONS_QUERY, project.path("dist/prober.wasm")).unwrap();
    assert_ne!(project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await, pinned);
    project.says(&["tool", "pull", &pinned, "-o", "out/it.wasm", "--force"]).await;
    assert_eq!(std::fs::read(project.path("out/it.wasm")).unwrap(), component);
}

#[tokio::test]
async fn the_artifact_has_the_cncf_s_layout() {
    let (registry, mut project) = (Registry::start().await, Project::new());
    project.variables.push(("SOURCE_DATE_EPOCH", "1700000000".to_owned()));
    let reference = format!("{}/prober", registry.host);
    let pinned = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    let component = std::fs::read(guests::PROBE).unwrap();
    let manifest = registry.manifest("prober", "latest").await;
    let config = registry.blob("prober", manifest["config"]["digest"].as_str().unwrap()).await;
    assert_eq!(
        (&manifest["schemaVersion"], &manifest["mediaType"]),
        (&json!(2), &json!("application/vnd.oci.image.manifest.v1+json"))
    );
    assert_eq!(
        manifest["config"],
        json!({"mediaType": "application/vnd.wasm.config.v0+json", "digest": digest(&config), "size": config.len()})
    );
    assert_eq!(
        manifest["layers"],
        json!([{"mediaType": "application/wasm", "digest": digest(&component), "size": component.len()}])
    );
    let mut annotations = manifest["annotations"].clone();
    let grants: Value = serde_json::from_str(annotations["vnd.behalf.plugin.grants"].take().as_str().unwrap()).unwrap();
    assert_eq!(grants["database"]["tables"], json!(["public.notes"]));
    assert_eq!(
        annotations,
        json!({
            "org.opencontainers.image.authors": "Tests", "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
            "org.opencontainers.image.description": "Probes.", "org.opencontainers.image.licenses": "MIT",
            "org.opencontainers.image.source": "https://example.com/prober",
            "org.opencontainers.image.title": "prober", "org.opencontainers.image.version": "1.2.3",
            "vnd.behalf.plugin.grants": null,
        })
    );
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["layerDigests"], json!([digest(&component)]));
    assert_eq!((&config["created"], &config["author"]), (&json!("2023-11-14T22:13:20Z"), &json!("Tests")));
    assert_eq!(config["component"]["exports"], json!(["behalf:tool/tool@0.1.0"]));
    assert_eq!(config["component"]["target"], "behalf:tool/tool-plugin@0.1.0");
    assert!(config["component"]["imports"].as_array().unwrap().contains(&json!("behalf:tool/database@0.1.0")));
    // The same input is the same artifact.
    assert_eq!(project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await, pinned);
}

#[tokio::test]
async fn a_component_alone_and_a_core_module_can_be_pushed() {
    let (registry, project) = (Registry::start().await, Project::new());
    std::fs::copy(guests::CORE_MODULE, project.path("core.wasm")).unwrap();
    std::fs::remove_file(project.path("plugin.toml")).unwrap();
    let reference = format!("{}/core", registry.host);
    project.says(&["tool", "push", &reference, "core.wasm"]).await;
    project.says(&["tool", "pull", &reference, "-o", "out/core.wasm"]).await;
    let made = inspect(&std::fs::read(guests::CORE_MODULE).unwrap()).unwrap().component;
    assert_eq!(std::fs::read(project.path("out/core.wasm")).unwrap(), made, "a component travels");
    let manifest = std::fs::read_to_string(project.path("out/core.toml")).unwrap();
    assert!(manifest.contains("name = \"core\"") && manifest.contains("version = \"0.0.0\""), "{manifest}");
}

#[tokio::test]
async fn signatures_travel_with_the_component() {
    let (registry, project) = (Registry::start().await, Project::new());
    let trusted = project.says(&["keys", "--signing", "my.key"]).await;
    let trusted = trusted.strip_prefix("BEHALF_PLUGIN_KEYS=").unwrap();
    project.says(&["keys", "--signing", "other.key"]).await;
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(project.path("my.key")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(project.fails(&["keys", "--signing", "my.key"]).await.contains("is there already"));

    let reference = format!("{}/prober:1", registry.host);
    let unsigned = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    let error = project.fails(&["tool", "pull", &unsigned, "-o", "out/it.wasm", "--verify", trusted]).await;
    assert!(error.contains("it is not signed"), "{error}");

    let written = project.says(&["tool", "sign", "dist/prober.wasm", "--key", "my.key"]).await;
    assert_eq!(written, "dist/prober.sig.json");
    let pinned = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    assert_ne!(pinned, unsigned, "the digest pins the signature as well");
    let error = project.fails(&["tool", "pull", &pinned, "-o", "out/it.wasm", "--verify", "other.key.pub"]).await;
    assert!(error.contains("was not made with a key"), "{error}");
    assert_eq!(project.out(), Vec::<String>::new());
    for key in [trusted, "my.key.pub"] {
        let printed = project.behalf(&["tool", "pull", &pinned, "-o", "out/it.wasm", "--verify", key, "--force"]).await;
        assert!(printed.ok && printed.err.contains("signed by sha256:"), "{}", printed.err);
    }
    assert_eq!(project.out(), ["it.sig.json", "it.toml", "it.wasm"]);
    assert_eq!(
        std::fs::read(project.path("out/it.sig.json")).unwrap(),
        std::fs::read(project.path("dist/prober.sig.json")).unwrap()
    );
    // What was pulled can be pushed on, and is signed still.
    let copy = format!("{}/copy/prober:1", registry.host);
    let copied = project.says(&["tool", "push", &copy, "out/it.wasm"]).await;
    project.says(&["tool", "pull", &copied, "-o", "out/copy.wasm", "--verify", trusted]).await;

    // A signature that no longer fits is noticed before the push.
    for (file, from, to, words) in [
        ("plugin.toml", "1.2.3", "1.2.4", "not for \"prober\" \"1.2.4\""),
        ("plugin.toml", "access = \"read\"", "access = \"write\"", "beyond what was signed"),
        ("dist/prober.sig.json", "\"payload\": \"", "\"payload\": \"!", "not base64"),
    ] {
        let before = std::fs::read_to_string(project.path(file)).unwrap();
        std::fs::write(project.path(file), before.replace(from, to)).unwrap();
        let error = project.fails(&["tool", "push", &reference, "dist/prober.wasm"]).await;
        assert!(error.contains(words), "{error}");
        std::fs::write(project.path(file), before).unwrap();
    }
    std::fs::copy(guests::DEFINITIONS_QUERY, project.path("dist/prober.wasm")).unwrap();
    let error = project.fails(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    assert!(error.contains("the signature is for the component"), "{error}");
}

#[tokio::test]
async fn a_registry_that_asks_who_is_there_is_told() {
    let (registry, mut project) = (Registry::with_user().await, Project::new());
    let reference = format!("{}/prober:1", registry.host);
    let push = ["tool", "push", &reference, "dist/prober.wasm"];
    let error = project.fails(&push).await;
    assert!(error.contains("wants to know who asks") && error.contains("BEHALF_REGISTRY_USERNAME"), "{error}");
    // What `docker login` leaves.
    let login = |password: &str| {
        json!({"auths": {&registry.host: {"username": REGISTRY_USER, "password": password}}}).to_string()
    };
    std::fs::write(project.path("docker/config.json"), login("wrong")).unwrap();
    assert!(project.fails(&push).await.contains("wants to know who asks"));
    std::fs::write(project.path("docker/config.json"), login(REGISTRY_PASSWORD)).unwrap();
    let pinned = project.says(&push).await;
    std::fs::remove_file(project.path("docker/config.json")).unwrap();
    let pull = ["tool", "pull", &pinned, "-o", "out/it.wasm", "--force"];
    assert!(project.fails(&pull).await.contains("wants to know who asks"));
    // The password on standard input, or in the environment.
    let told = [&pull[..], &["--username", REGISTRY_USER, "--password-stdin"]].concat();
    let printed = project.behalf_told(&told, &format!("{REGISTRY_PASSWORD}\n")).await;
    assert!(printed.ok, "{}", printed.err);
    project.variables.push(("BEHALF_REGISTRY_USERNAME", REGISTRY_USER.to_owned()));
    assert!(project.fails(&pull).await.contains("there is a user name and no password"));
    project.variables.push(("BEHALF_REGISTRY_PASSWORD", REGISTRY_PASSWORD.to_owned()));
    project.says(&pull).await;
    let missing = format!("{}/nothing:1", registry.host);
    assert!(project.fails(&["tool", "pull", &missing]).await.contains("the registry has no such thing"));
}

// --- A registry that lies -------------------------------------------------------------------------------------------

type Change = fn(&mut Value, &mut Value);

#[tokio::test]
async fn what_is_no_sound_component_is_refused_and_nothing_is_written() {
    let (registry, project) = (LyingRegistry::start().await, Project::new());
    let reference = format!("{}/tool:1", registry.host);
    let probe = std::fs::read(guests::PROBE).unwrap();
    let pull = ["tool", "pull", &reference, "-o", "out/it.wasm", "--force"];
    registry.artifact(&probe, |_, _| ());
    project.says(&pull).await;
    for name in project.out() {
        std::fs::remove_file(project.path("out").join(name)).unwrap();
    }
    let cases: &[(Change, &str)] = &[
        (|m, _| m["manifests"] = json!([]), "an index of several artifacts"),
        (
            |m, _| m["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json"),
            "no WebAssembly artifact",
        ),
        (|m, _| m["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar"), "its layer is"),
        (|m, _| m["layers"] = json!([m["layers"][0], m["layers"][0]]), "it has 2 layers"),
        (|m, _| m["layers"] = json!([]), "it has 0 layers"),
        (|m, _| m["layers"][0]["size"] = json!(50_000_000), "are allowed"),
        (|m, _| m["layers"][0]["size"] = json!(-1), "are allowed"),
        (|m, _| m["layers"][0]["size"] = json!(1000), "larger than its manifest says"),
        (|m, _| m["layers"][0]["size"] = json!(1_000_000), "its manifest says 1000000"),
        (|m, _| m["layers"][0]["digest"] = json!("sha256:../../../etc/passwd"), "sha256 is expected"),
        (|m, _| m["layers"][0]["digest"] = json!(format!("sha256:{}", "0".repeat(64))), "that of another component"),
        (|m, _| m["config"]["size"] = json!(5_000_000), "are allowed"),
        (|m, _| m["config"]["digest"] = json!(format!("sha256:{}", "0".repeat(64))), "no such thing"),
        (|_, c| c["layerDigests"] = json!([]), "that of another component"),
        (|_, c| c["os"] = json!("wasip1"), "components are \"wasm\" on \"wasip2\""),
        (|_, c| *c = json!([]), "its configuration cannot be read"),
        (|m, _| m["annotations"]["vnd.behalf.plugin.grants"] = json!("{\"root\": true}"), "unknown field `root`"),
        (
            |m, _| m["annotations"]["vnd.behalf.plugin.grants"] = json!("{\"http\":{\"hosts\":[\"a.test\"]}}"),
            "does not import",
        ),
        (|m, _| m["annotations"]["vnd.behalf.plugin.signature"] = json!("{}"), "no DSSE envelope"),
    ];
    for (number, (change, words)) in cases.iter().enumerate() {
        registry.forget();
        registry.artifact(&probe, change);
        let error = project.fails(&pull).await;
        assert!(error.contains(words), "case {number}: no {words:?} in {error}");
        assert_eq!(project.out(), Vec::<String>::new(), "case {number}");
    }
    for (component, words) in [
        (std::fs::read(guests::WRONG_WORLD).unwrap(), "is no plugin"),
        (std::fs::read(guests::CORE_MODULE).unwrap(), "is a core module"),
        (b"MZ this is another program".to_vec(), "not a WebAssembly component"),
    ] {
        registry.forget();
        registry.artifact(&component, |_, _| ());
        let error = project.fails(&pull).await;
        assert!(error.contains(words), "{error}");
        assert_eq!(project.out(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_was_tampered_with_is_refused_and_nothing_is_written() {
    let (registry, project) = (LyingRegistry::start().await, Project::new());
    let probe = std::fs::read(guests::PROBE).unwrap();
    let other = std::fs::read(guests::HOSTILE).unwrap();
    let mut flipped = probe.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let pinned = registry.artifact(&probe, |_, _| ());
    let by_digest = format!("{}/tool@{pinned}", registry.host);
    let by_tag = format!("{}/tool:1", registry.host);
    let blob = format!("blobs/{}", digest(&probe));
    let long = [&probe[..], b"more"].concat();
    for (path, lie, words) in [
        (blob.clone(), Lie::Bytes(flipped), "igest"),
        (blob.clone(), Lie::Bytes(other.clone()), "igest"),
        (blob.clone(), Lie::Bytes(long), "larger than its manifest says"),
        (blob.clone(), Lie::Endless, "larger than its manifest says"),
        (blob.clone(), Lie::CutOff(probe[..1000].to_vec()), "cannot pull"),
        (blob, Lie::Refusal(500, String::new()), "status 500"),
    ] {
        registry.artifact(&probe, |_, _| ());
        registry.say(&path, lie);
        for reference in [&by_digest, &by_tag] {
            let error = project.fails(&["tool", "pull", reference, "-o", "out/it.wasm"]).await;
            assert!(error.contains(words), "{error}");
            assert_eq!(project.out(), Vec::<String>::new());
        }
    }
    // A sound artifact that is not the one that was asked for.
    registry.artifact(&other, |_, _| ());
    registry.say(&format!("manifests/{pinned}"), registry.said("manifests/1"));
    let error = project.fails(&["tool", "pull", &by_digest, "-o", "out/it.wasm"]).await;
    assert!(error.contains("the registry sent something else than"), "{error}");
    assert_eq!(project.out(), Vec::<String>::new());
}

#[tokio::test]
async fn a_registry_cannot_steer_the_terminal_or_fill_the_memory() {
    let (registry, project) = (LyingRegistry::start().await, Project::new());
    let reference = format!("{}/tool:1", registry.host);
    let envelope = |text: &str| json!({"errors": [{"code": "DENIED", "message": text}]}).to_string();
    let long = "x".repeat(100_000);
    for (lie, words) in [
        (Lie::Refusal(403, envelope("\u{1b}[2Jgone\nbehalf: all is well")), "this user may not"),
        (Lie::Refusal(401, "\u{1b}]0;title\u{7}".to_owned()), "wants to know who asks"),
        (Lie::Refusal(404, String::new()), "no such thing"),
        (Lie::Refusal(429, String::new()), "too many requests"),
        (Lie::Refusal(503, long), "status 503"),
        (Lie::Refusal(204, String::new()), "status 204"),
        (Lie::Bytes(b"{\"schemaVersion\":2,\"mediaType\":\"\x1b[31m\"".to_vec()), "not JSON"),
        (Lie::Bytes(b"\"\"".to_vec()), "not of OCI's form"),
        (Lie::Endless, "more than 4194304 bytes"),
    ] {
        registry.say("manifests/1", lie);
        let error = project.fails(&["tool", "pull", &reference, "-o", "out/it.wasm"]).await;
        assert!(error.contains(words), "{error}");
        assert!(!error.contains(['\u{1b}', '\u{7}']) && error.len() < 2_000, "{error:?}");
        assert_eq!(error.lines().count(), 1, "{error:?}");
        assert_eq!(project.out(), Vec::<String>::new());
    }
    registry.artifact(&std::fs::read(guests::PROBE).unwrap(), |manifest, _| {
        manifest["annotations"]["org.opencontainers.image.title"] = json!("../../evil");
        manifest["annotations"]["org.opencontainers.image.version"] = json!("1\u{1b}[2J");
    });
    let printed = project.behalf(&["tool", "pull", &reference, "-o", "out/it.wasm", "--json"]).await;
    assert!(printed.ok && !printed.out.contains('\u{1b}'), "{} {}", printed.out, printed.err);
    assert!(std::fs::read_to_string(project.path("out/it.toml")).unwrap().contains("name = \"tool\""));
    registry.artifact(&std::fs::read(guests::PROBE).unwrap(), |manifest, _| {
        manifest["annotations"]["vnd.behalf.plugin.signature"] = json!("{\"\\u001b[2J\": 1}");
    });
    let error = project.fails(&["tool", "pull", &reference, "-o", "out/other.wasm"]).await;
    assert!(error.contains("unknown field") && !error.contains('\u{1b}'), "{error:?}");
    // Nobody is there, or nobody whom plain HTTP would be safe with.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = project.fails(&["tool", "pull", &format!("{free}/tool:1")]).await;
    assert!(error.contains("check the registry's name and the network"), "{error}");
    for (reference, words) in [
        ("tool:1", "names no registry"),
        ("localhost/Tool", "is no reference"),
        ("localhost/tool@sha512:00", "reference"),
    ] {
        let error = project.fails(&["tool", "pull", reference]).await;
        assert!(error.contains(words), "{error}");
    }
    let error = project.fails(&["tool", "push", &format!("localhost/tool@{}", digest(b"")), "dist/prober.wasm"]).await;
    assert!(error.contains("name a tag"), "{error}");
}

// --- A host that asks for signatures --------------------------------------------------------------------------------

fn required(keys: &[&SigningKey]) -> Options {
    let keys: Vec<_> = keys.iter().map(|key| key.public().to_string()).collect();
    Options {
        settings: vec![("plugin_signatures", "required".to_owned()), ("plugin_keys", format!("{:?}", keys.join(",")))],
    }
}

fn statement(component: &[u8], name: &str, version: &str, grants: &Value) -> Statement {
    Statement {
        name: name.to_owned(),
        version: version.parse().unwrap(),
        digest: Statement::digest(inspect(component).unwrap().digest),
        grants: Grants::from_json(grants.clone()).unwrap(),
    }
}

fn signed(statement: &Statement, key: &SigningKey) -> Value {
    serde_json::to_value(Envelope::sign(statement, std::slice::from_ref(key))).unwrap()
}

async fn upload(app: &App, component: &[u8], signature: Option<&Value>, more: &[(&'static str, String)]) -> Answer {
    let mut form = Form::new().part("component", Part::bytes(component.to_vec()).file_name("component.wasm"));
    if let Some(signature) = signature {
        form = form.text("signature", signature.to_string());
    }
    for (name, value) in more {
        form = form.text(*name, value.clone());
    }
    let request = app.request(&User::Service, Method::POST, "/api/plugins?replace=true").multipart(form);
    Answer::of(request.send().await.unwrap()).await
}

/// How many plugins that did not come with the host are registered.
const UPLOADED: &str = "select count(*) from ai.plugins where not bundled";

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_requires_signatures_takes_exactly_what_was_vouched_for() {
    let (key, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let app = App::with(required(&[&SigningKey::generate().unwrap(), &key])).await;
    let probe = std::fs::read(guests::PROBE).unwrap();
    let right = statement(&probe, "prober", "1.2.3", &read_grants());
    let good = signed(&right, &key);
    let fields = |name: &str, version: &str, grants: &Value| {
        vec![("name", name.to_owned()), ("version", version.to_owned()), ("grants", grants.to_string())]
    };
    let usual = fields("prober", "1.2.3", &read_grants());
    let mut bent = good.clone();
    bent["payload"] = signed(&statement(&probe, "prober", "1.2.3", &write_grants()), &stranger)["payload"].clone();
    let mut named = signed(&right, &stranger);
    named["signatures"][0]["keyid"] = good["signatures"][0]["keyid"].clone();
    let mut foreign = good.clone();
    foreign["payloadType"] = json!("application/vnd.in-toto+json");
    let other = std::fs::read(guests::HOSTILE).unwrap();
    let open = json!({"database": {"access": "read", "schemas": ["public", "ai"]}});
    let twice = vec![("grants", "{\"database\": null, \"database\": null}".to_owned())];
    for (what, component, signature, more, status, words) in [
        ("no signature", &probe, None, usual.clone(), 403, "takes signed plugins only"),
        ("a stranger's", &probe, Some(signed(&right, &stranger)), usual.clone(), 403, "a key that this host trusts"),
        ("a stranger's in our name", &probe, Some(named), usual.clone(), 403, "a key that this host trusts"),
        ("a changed payload", &probe, Some(bent), usual.clone(), 403, "a key that this host trusts"),
        ("another component", &other, Some(good.clone()), vec![], 403, "for the component \"sha256:"),
        ("another name", &probe, Some(good.clone()), fields("evil", "1.2.3", &read_grants()), 403, "not for \"evil\""),
        ("another version", &probe, Some(good.clone()), fields("prober", "1.2.4", &read_grants()), 403, "\"1.2.4\""),
        (
            "writing",
            &probe,
            Some(good.clone()),
            fields("prober", "1.2.3", &write_grants()),
            403,
            "writing to the database",
        ),
        (
            "another schema",
            &probe,
            Some(good.clone()),
            fields("prober", "1.2.3", &open),
            403,
            "schemas of the database",
        ),
        ("another type", &probe, Some(foreign), usual.clone(), 400, "payloadType"),
        ("no envelope", &probe, Some(json!({})), usual.clone(), 400, "missing field"),
        ("grants in two ways", &probe, Some(good.clone()), twice, 400, "duplicate field `database`"),
    ] {
        let answer = upload(&app, component, signature.as_ref(), &more).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
        assert!(answer.json["error"].as_str().unwrap().contains(words), "{what}: {}", answer.text);
    }
    // The component alone, without a form, has no signature either.
    let bare = app.request(&User::Service, Method::POST, "/api/plugins").body(probe.clone()).send().await.unwrap();
    assert_eq!(bare.status(), 403);
    assert_eq!(app.database.value::<i64>(UPLOADED).await, 0);

    assert_eq!(upload(&app, &probe, Some(&good), &usual).await.status, 201);
    // Bundled plugins are part of the host.
    assert_eq!(app.get(&User::Service, "/api/tools/database_query").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_may_shrink_and_come_back_but_never_grow() {
    let key = SigningKey::generate().unwrap();
    let app = App::with(required(&[&key])).await;
    let probe = std::fs::read(guests::PROBE).unwrap();
    let good = signed(&statement(&probe, "prober", "1.2.3", &read_grants()), &key);
    let answer = upload(&app, &probe, Some(&good), &[("grants", read_grants().to_string())]).await;
    assert_eq!((answer.status, &answer.json["signer"]), (201, &json!(key.public().id())), "{}", answer.text);
    assert!(answer.json.get("refused").is_none(), "{}", answer.text);
    let path = format!("/api/plugins/{}", answer.json["id"].as_str().unwrap());
    assert_eq!(app.get(&User::Service, &path).await.json["signer"], json!(key.public().id()));
    assert_eq!(app.call(&User::Is(behalf_tests::ALICE), "sql", json!({"sql": "select 1"})).await.status, 200);

    let few = json!({"database": {"access": "read", "schemas": ["public"], "tables": ["notes"], "max_rows": 5}});
    for (grants, status) in [
        (write_grants(), 403),
        (few.clone(), 200),
        (read_grants(), 200),
        (json!({"database": {"access": "read", "schemas": ["public"]}, "limits": {"timeout_ms": 60_000}}), 403),
        (json!({}), 200),
    ] {
        let answer = app.send(&User::Service, Method::PATCH, &path, json!({"grants": grants})).await;
        assert_eq!(answer.status, status, "{grants}: {}", answer.text);
        let said = answer.json["error"].as_str().unwrap_or_default();
        assert!(status == 200 || said.contains("beyond what was signed"), "{}", answer.text);
    }
    // Name and version are the signed ones where they are not given; grants are given or absent.
    let answer = upload(&app, &probe, Some(&good), &[]).await;
    assert_eq!(
        (answer.status, &answer.json["name"], &answer.json["version"], &answer.json["grants"]),
        (201, &json!("prober"), &json!("1.2.3"), &json!({})),
        "{}",
        answer.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_that_was_signed_once_does_not_come_back_by_itself() {
    let key = SigningKey::generate().unwrap();
    let app = App::with(required(&[&key])).await;
    let component = made::tool("versioned", &json!({"type": "object"}));
    let send = async |version: &str| {
        let signature = signed(&statement(&component, "versioned", version, &json!({})), &key);
        upload(&app, &component, Some(&signature), &[]).await
    };
    for (version, status) in
        [("1.10.0", 201), ("1.9.0", 409), ("1.10.0-rc.1", 409), ("1.10.0", 201), ("2.0.0", 201), ("1.10.0", 409)]
    {
        let answer = send(version).await;
        assert_eq!(answer.status, status, "{version}: {}", answer.text);
        assert!(status == 201 || answer.text.contains("is older"), "{}", answer.text);
    }
    // Going back is an act of its own.
    let list = app.get(&User::Service, "/api/plugins").await;
    let plugins = list.json["plugins"].as_array().unwrap();
    let id = plugins.iter().find(|one| one["name"] == "versioned").unwrap()["id"].as_str().unwrap().to_owned();
    app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{id}"), json!(null)).await;
    assert_eq!(send("1.10.0").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_the_component_that_a_core_module_becomes() {
    let key = SigningKey::generate().unwrap();
    let app = App::with(required(&[&key])).await;
    let module = std::fs::read(guests::CORE_MODULE).unwrap();
    let signature = signed(&statement(&module, "core", "0.1.0", &json!({})), &key);
    let component = inspect(&module).unwrap().component;
    for bytes in [&module, &component] {
        let answer = upload(&app, bytes, Some(&signature), &[]).await;
        assert_eq!((answer.status, &answer.json["digest"]), (201, &json!(&digest(&component)[7..])), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_change_change_what_is_served() {
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let (first, second) =
        (made::tool("by_the_old", &json!({"type": "object"})), made::tool("by_both", &json!({"type": "object"})));
    // Without signatures anything is taken, and one that cannot be checked is kept for later.
    let app = App::start().await;
    let unsigned = made::tool("by_nobody", &json!({"type": "object"}));
    assert_eq!(upload(&app, &unsigned, None, &[]).await.json["signer"], json!(null));
    let kept = upload(&app, &first, Some(&signed(&statement(&first, "old", "1.0.0", &json!({})), &old)), &[]).await;
    assert_eq!((kept.status, &kept.json["signer"]), (201, &json!(null)), "{}", kept.text);
    let both = Envelope::sign(
        &statement(&second, "both", "1.0.0", &json!({})),
        &[
            SigningKey::from_pem("old", old.pem().unwrap().as_bytes()).unwrap(),
            SigningKey::from_pem("new", new.pem().unwrap().as_bytes()).unwrap(),
        ],
    );
    upload(&app, &second, Some(&serde_json::to_value(both).unwrap()), &[]).await;
    let mut database = app.stop().await;
    for (keys, served) in [
        (vec![&old], ["by_both", "by_the_old"].as_slice()),
        (vec![&new], &["by_both"]),
        (vec![&new, &old], &["by_both", "by_the_old"]),
    ] {
        let app = App::on(database, required(&keys)).await;
        let tools = app.get(&User::Service, "/api/tools").await.json["tools"].clone();
        let names = tools.as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("by_")).map(str::to_owned).collect();
        names.sort();
        assert_eq!(names, served);
        assert_eq!(app.call(&User::Service, "by_nobody", json!({})).await.status, 404);
        let list = app.get(&User::Service, "/api/plugins").await.json["plugins"].clone();
        let nobody = list.as_array().unwrap().iter().find(|one| one["name"] == "by-nobody").unwrap();
        assert!(nobody["refused"].as_str().unwrap().contains("takes signed plugins only"), "{nobody}");
        database = app.stop().await;
    }
    // What somebody writes into the tables behind the host's back is judged as well.
    database
        .execute("update ai.plugins set grants = '{\"limits\": {\"timeout_ms\": 300000}}' where name = 'old'")
        .await;
    let app = App::on(database, required(&[&old])).await;
    assert_eq!(app.call(&User::Service, "by_the_old", json!({})).await.status, 404);
    assert_eq!(app.call(&User::Service, "by_both", json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_is_sent_is_checked_where_it_can_be() {
    let (key, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let settings = vec![("plugin_keys", format!("{:?}", key.public().to_string()))];
    let app = App::with(Options { settings }).await;
    let component = made::tool("sent", &json!({"type": "object"}));
    let right = statement(&component, "sent", "1.0.0", &json!({}));
    assert_eq!(upload(&app, &component, Some(&signed(&right, &stranger)), &[]).await.status, 403);
    assert_eq!(upload(&app, &component, None, &[]).await.status, 201);
    let answer = upload(&app, &component, Some(&signed(&right, &key)), &[]).await;
    assert_eq!(answer.json["signer"], json!(key.public().id()), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_could_trust_nobody_does_not_start() {
    let database = TestDatabase::create().await;
    for (keys, words) in [
        ("", "names no key"),
        ("ed25519:AAAA", "is no Ed25519 public key"),
        ("/no/such/file.pub", "cannot read the key file"),
    ] {
        let settings = Settings::from_pairs([
            ("host_database_url", database.host_url()),
            ("tool_database_url", database.tool_url()),
            ("jwt_secret", behalf_tests::SECRET.to_owned()),
            ("bind", "127.0.0.1:0".to_owned()),
            ("plugin_signatures", "required".to_owned()),
            ("plugin_keys", format!("{keys:?}")),
        ])
        .unwrap();
        let error = behalf::app::App::build(settings, None).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        let finding = doctor(&[("BEHALF_PLUGIN_SIGNATURES", "required"), ("BEHALF_PLUGIN_KEYS", keys)]).await;
        assert_eq!(finding["level"], "error", "{finding}");
        assert!(finding["found"].as_str().unwrap().contains(words), "{finding}");
    }
    let key = SigningKey::generate().unwrap().public().to_string();
    for (variables, level) in [
        (vec![], "ok"),
        (vec![("BEHALF_PLUGIN_KEYS", key.as_str())], "warning"),
        (vec![("BEHALF_PLUGIN_KEYS", key.as_str()), ("BEHALF_PLUGIN_SIGNATURES", "required")], "ok"),
    ] {
        let finding = doctor(&variables).await;
        assert_eq!(finding["level"], level, "{finding}");
    }
}

/// What the doctor says of signatures.
async fn doctor(variables: &[(&str, &str)]) -> Value {
    let program = environment("BEHALF_TEST_BIN").expect("BEHALF_TEST_BIN is not set: run the tests with `./dev test`");
    let dir = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new(program);
    command.args(["doctor", "--json"]).current_dir(dir.path()).envs(variables.iter().copied());
    let done = command.output().await.unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&done.stdout).unwrap();
    findings.into_iter().find(|one| one["check"] == "plugin-signatures").unwrap()
}
