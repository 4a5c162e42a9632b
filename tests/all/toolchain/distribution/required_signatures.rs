//! Hosts that require signatures: they take exactly what a trusted key has signed.

use behalf_config::{Settings, environment};
use behalf_sandbox::{Grants, inspect};
use behalf_tests::registry::digest;
use behalf_tests::{Answer, App, Options, TestDatabase, User, components, guests, read_grants, write_grants};
use behalf_tools::{Envelope, SigningKey, Statement};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

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

/// The number of registered plugins that are not bundled with the host.
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
    // An upload without a form has no signature.
    let bare = app.request(&User::Service, Method::POST, "/api/plugins").body(probe.clone()).send().await.unwrap();
    assert_eq!(bare.status(), 403);
    assert_eq!(app.database.value::<i64>(UPLOADED).await, 0);

    assert_eq!(upload(&app, &probe, Some(&good), &usual).await.status, 201);
    // Bundled plugins are part of the host and need no signature.
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
    // Name and version default to the signed ones; grants default to none.
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
    let component = components::tool("versioned", &json!({"type": "object"}));
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
    // An operator can go back to it by deleting the plugin first.
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
    let (first, second) = (
        components::tool("by_the_old", &json!({"type": "object"})),
        components::tool("by_both", &json!({"type": "object"})),
    );
    // A host that does not require signatures accepts any plugin, and stores a signature that it cannot check.
    let app = App::start().await;
    let unsigned = components::tool("by_nobody", &json!({"type": "object"}));
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
    // Rows that were changed in the database directly are checked as well.
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
    let component = components::tool("sent", &json!({"type": "object"}));
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

/// The finding of the doctor about signatures.
async fn doctor(variables: &[(&str, &str)]) -> Value {
    let program = environment("BEHALF_TEST_BIN").expect("BEHALF_TEST_BIN is not set: run the tests with `./dev test`");
    let dir = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new(program);
    command.args(["doctor", "--json"]).current_dir(dir.path()).envs(variables.iter().copied());
    let done = command.output().await.unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&done.stdout).unwrap();
    findings.into_iter().find(|one| one["check"] == "plugin-signatures").unwrap()
}
