//! `behalf tool push` and `behalf tool pull` with a real registry: a plugin arrives byte for byte, with its signature.

use behalf_sandbox::inspect;
use behalf_tests::registry::{REGISTRY_PASSWORD, REGISTRY_USER, digest};
use behalf_tests::{Registry, guests};
use serde_json::{Value, json};

use super::Project;

#[tokio::test]
async fn what_was_pushed_is_pulled_byte_for_byte() {
    let (registry, project) = (Registry::start().await, Project::new());
    let reference = format!("{}/team/prober:1.2.3", registry.host);
    let pinned = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    let (name, pushed) = pinned.split_once('@').unwrap();
    assert_eq!(name, format!("{}/team/prober", registry.host));

    // Pulled by digest: the component, and the manifest beside it.
    assert_eq!(project.says(&["tool", "pull", &pinned, "-o", "out/it.wasm"]).await, pinned);
    let component = std::fs::read(guests::PROBE).unwrap();
    assert_eq!(std::fs::read(project.path("out/it.wasm")).unwrap(), component);
    assert_eq!(project.out(), ["it.toml", "it.wasm"]);
    let manifest = std::fs::read_to_string(project.path("out/it.toml")).unwrap();
    for part in ["name = \"prober\"", "version = \"1.2.3\"", "license = \"MIT\"", "tables = [\"public.notes\"]"] {
        assert!(manifest.contains(part), "{manifest}");
    }
    assert!(!manifest.contains("api_key"), "settings are the operator's: {manifest}");

    // Pulled by tag: the same, with a warning and the digest.
    let printed = project.behalf(&["tool", "pull", &reference, "--json", "-o", "out/tag.wasm"]).await;
    assert!(printed.ok && printed.err.contains("a tag may be moved"), "{}", printed.err);
    let shown: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!((&shown["digest"], &shown["reference"]), (&json!(pushed), &json!(pinned)));
    assert_eq!(shown["component"]["digest"], json!(digest(&component)));
    assert_eq!((&shown["name"], &shown["grants"]["database"]["access"]), (&json!("prober"), &json!("read")));

    // Existing files are kept without `--force`. With it, the old signature is removed too.
    std::fs::write(project.path("out/it.wasm"), "mine").unwrap();
    std::fs::write(project.path("out/it.sig.json"), "of another").unwrap();
    let error = project.fails(&["tool", "pull", &pinned, "-o", "out/it.wasm"]).await;
    assert!(error.contains("is there already") && error.contains("--force"), "{error}");
    assert_eq!(std::fs::read(project.path("out/it.wasm")).unwrap(), b"mine");
    project.says(&["tool", "pull", &pinned, "-o", "out/it.wasm", "--force"]).await;
    assert_eq!(std::fs::read(project.path("out/it.wasm")).unwrap(), component);
    assert!(!project.path("out/it.sig.json").exists());

    // The digest still names the old component after the tag has moved.
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
    assert_eq!(config["component"]["exports"], json!(["behalf:tool/tool@0.1.1"]));
    assert_eq!(config["component"]["target"], "behalf:tool/tool-plugin@0.1.1");
    assert!(config["component"]["imports"].as_array().unwrap().contains(&json!("behalf:tool/database@0.1.1")));
    // The same input gives the same artifact.
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
    // A pulled plugin can be pushed to another place, and its signature is still valid.
    let copy = format!("{}/copy/prober:1", registry.host);
    let copied = project.says(&["tool", "push", &copy, "out/it.wasm"]).await;
    project.says(&["tool", "pull", &copied, "-o", "out/copy.wasm", "--verify", trusted]).await;

    // A signature that does not fit is refused before the push.
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
    // The file that `docker login` writes.
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
    // The password comes from standard input, or from the environment.
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
