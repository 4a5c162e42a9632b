//! `behalf tool pull` from a registry that sends wrong or hostile answers: nothing of them is written to disk.

use behalf_tests::registry::digest;
use behalf_tests::{HostileRegistry, RegistryAnswer, guests};
use serde_json::{Value, json};

use super::Project;

type Change = fn(&mut Value, &mut Value);

#[tokio::test]
async fn what_is_no_sound_component_is_refused_and_nothing_is_written() {
    let (registry, project) = (HostileRegistry::start().await, Project::new());
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
        registry.clear();
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
        registry.clear();
        registry.artifact(&component, |_, _| ());
        let error = project.fails(&pull).await;
        assert!(error.contains(words), "{error}");
        assert_eq!(project.out(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_was_tampered_with_is_refused_and_nothing_is_written() {
    let (registry, project) = (HostileRegistry::start().await, Project::new());
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
        (blob.clone(), RegistryAnswer::Bytes(flipped), "igest"),
        (blob.clone(), RegistryAnswer::Bytes(other.clone()), "igest"),
        (blob.clone(), RegistryAnswer::Bytes(long), "larger than its manifest says"),
        (blob.clone(), RegistryAnswer::Endless, "larger than its manifest says"),
        (blob.clone(), RegistryAnswer::CutOff(probe[..1000].to_vec()), "cannot pull"),
        (blob, RegistryAnswer::Refusal(500, String::new()), "status 500"),
    ] {
        registry.artifact(&probe, |_, _| ());
        registry.set_answer(&path, lie);
        for reference in [&by_digest, &by_tag] {
            let error = project.fails(&["tool", "pull", reference, "-o", "out/it.wasm"]).await;
            assert!(error.contains(words), "{error}");
            assert_eq!(project.out(), Vec::<String>::new());
        }
    }
    // A valid artifact, but another one than the digest names.
    registry.artifact(&other, |_, _| ());
    registry.set_answer(&format!("manifests/{pinned}"), registry.answer_to("manifests/1"));
    let error = project.fails(&["tool", "pull", &by_digest, "-o", "out/it.wasm"]).await;
    assert!(error.contains("the registry sent something else than"), "{error}");
    assert_eq!(project.out(), Vec::<String>::new());
}

#[tokio::test]
async fn a_registry_cannot_steer_the_terminal_or_fill_the_memory() {
    let (registry, project) = (HostileRegistry::start().await, Project::new());
    let reference = format!("{}/tool:1", registry.host);
    let envelope = |text: &str| json!({"errors": [{"code": "DENIED", "message": text}]}).to_string();
    let long = "x".repeat(100_000);
    for (lie, words) in [
        (RegistryAnswer::Refusal(403, envelope("\u{1b}[2Jgone\nbehalf: all is well")), "this user may not"),
        (RegistryAnswer::Refusal(401, "\u{1b}]0;title\u{7}".to_owned()), "wants to know who asks"),
        (RegistryAnswer::Refusal(404, String::new()), "no such thing"),
        (RegistryAnswer::Refusal(429, String::new()), "too many requests"),
        (RegistryAnswer::Refusal(503, long), "status 503"),
        (RegistryAnswer::Refusal(204, String::new()), "status 204"),
        (RegistryAnswer::Bytes(b"{\"schemaVersion\":2,\"mediaType\":\"\x1b[31m\"".to_vec()), "not JSON"),
        (RegistryAnswer::Bytes(b"\"\"".to_vec()), "not of OCI's form"),
        (RegistryAnswer::Endless, "more than 4194304 bytes"),
    ] {
        registry.set_answer("manifests/1", lie);
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
    // No registry is there, or the reference is not one.
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
