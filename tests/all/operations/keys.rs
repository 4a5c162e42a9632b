//! Replacing keys: the commands of the runbook, and what clients hear meanwhile.

use std::collections::BTreeMap;
use std::path::Path;

use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::projects::{Printed, behalf_with};
use behalf_tests::{ALICE, Answer, App, Options, ScriptedModel, TestDatabase, User};
use reqwest::Method;
use serde_json::{Value, json};

const PROVIDER_KEY: &str = "sk-agents-own-key-0123456789";

/// The lines that `behalf keys` printed, by the settings' names in `behalf.toml`.
fn lines(printed: &Printed) -> BTreeMap<String, String> {
    assert!(printed.ok, "{}", printed.err);
    let line = |line: &str| {
        let (name, value) = line.split_once('=').unwrap();
        (name.strip_prefix("BEHALF_").unwrap().to_lowercase(), value.to_owned())
    };
    printed.out.lines().map(line).collect()
}

fn environment(keys: &BTreeMap<String, String>) -> Vec<(&str, String)> {
    keys.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

#[tokio::test]
async fn keys_makes_new_secrets_unless_it_is_asked_for_the_present_one() {
    let first = lines(&behalf_with(&[], &["keys"]).await);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["anon_key", "jwt_secret", "secrets_key", "service_role_key"]);
    let printed = behalf_with(&environment(&first), &["keys"]).await;
    let second = lines(&printed);
    assert!(second.keys().eq(first.keys()));
    for (name, value) in &second {
        assert_ne!(value, &first[name], "{name} is new");
    }
    assert!(printed.err.contains("--rotate") && printed.err.contains("--from-current"), "{}", printed.err);
    let derived = behalf_with(&environment(&first), &["keys", "--from-current"]).await;
    assert!(derived.err.contains("stays as it is"), "{}", derived.err);
    let derived = lines(&derived);
    assert_eq!(derived["jwt_secret"], first["jwt_secret"]);
    assert!(!derived.contains_key("secrets_key"), "the key of stored secrets is no key that is made from another");
    assert!(!behalf_with(&[], &["keys", "--from-current"]).await.ok);
    let rotated = lines(&behalf_with(&environment(&first), &["keys", "--rotate"]).await);
    for name in first.keys() {
        assert_ne!(rotated[name], first[name], "{name} is new");
        assert_eq!(rotated[&format!("{name}_previous")], first[name]);
    }
    let again = lines(&behalf_with(&environment(&rotated), &["keys", "--rotate"]).await);
    assert_eq!(
        again["secrets_key_previous"],
        format!("{},{}", rotated["secrets_key"], first["secrets_key"]),
        "whatever was sealed before still opens"
    );
}

/// A host with these keys.
async fn host(database: &TestDatabase, keys: &BTreeMap<String, String>, model: &ScriptedModel) -> App {
    let mut settings = model.settings();
    for name in [
        "anon_key",
        "anon_key_previous",
        "jwt_secret",
        "jwt_secret_previous",
        "secrets_key",
        "secrets_key_previous",
        "service_role_key",
        "service_role_key_previous",
    ] {
        settings.extend(keys.get(name).map(|value| (name, value.clone())));
    }
    App::on(database.clone(), Options { settings }).await
}

/// A request as a client sends it that has these keys.
async fn send(app: &App, (apikey, bearer): (&str, &str), method: Method, path: &str, body: Value) -> Answer {
    let request = app.request(&User::Nobody, method, path).header("apikey", apikey).bearer_auth(bearer);
    Answer::of(request.json(&body).send().await.unwrap()).await
}

fn provider_key() -> Value {
    json!({"provider": "openai", "api_key": PROVIDER_KEY})
}

/// Makes an agent with a provider key of its own. Returns its id, and the path of its keys.
async fn agent_with_key(app: &App, service: (&str, &str)) -> (String, String) {
    let agent = json!({"name": "a", "system_prompt": "Help."});
    let made = send(app, service, Method::POST, "/api/agents", agent).await;
    let agent = made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let keys = format!("/api/agents/{agent}/provider-keys");
    assert_eq!(send(app, service, Method::POST, &keys, provider_key()).await.status, 201);
    (agent, keys)
}

async fn doctor(database: &TestDatabase, keys: &BTreeMap<String, String>, check: &str) -> Vec<(String, String)> {
    let mut settings = environment(keys);
    settings.extend([("host_database_url", database.host_url()), ("tool_database_url", database.tool_url())]);
    let printed = behalf_with(&settings, &["doctor", "--json"]).await;
    let findings: Value = serde_json::from_str(&printed.out).unwrap_or_else(|error| panic!("{error} {}", printed.err));
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let findings = findings.as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    findings.map(|finding| (text(finding, "level"), text(finding, "found"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_by_the_runbook_refuses_nobody_and_loses_no_secret() {
    let database = TestDatabase::create().await;
    let model = ScriptedModel::start([]).await;
    let before = lines(&behalf_with(&[], &["keys"]).await);
    let token = |keys: &BTreeMap<String, String>| {
        mint_token(&keys["jwt_secret"], &TokenRequest::for_user(&ALICE.to_string())).unwrap()
    };
    let (anon, service) = (before["anon_key"].as_str(), before["service_role_key"].as_str());
    let app = host(&database, &before, &model).await;
    let (_, keys) = agent_with_key(&app, (anon, service)).await;
    app.stop().await;

    let during = lines(&behalf_with(&environment(&before), &["keys", "--rotate"]).await);
    let app = host(&database, &during, &model).await;
    for keys_of in [&before, &during] {
        let (anon, service, user) =
            (keys_of["anon_key"].as_str(), keys_of["service_role_key"].as_str(), token(keys_of));
        for bearer in [service, &user] {
            let answer = send(&app, (anon, bearer), Method::GET, "/api/tools", Value::Null).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        assert_eq!(send(&app, (anon, service), Method::GET, &keys, Value::Null).await.status, 200);
    }
    let sealed = doctor(&database, &during, "sealed-secrets").await;
    assert_eq!(sealed, [("warning".to_owned(), "1 are sealed with an earlier key, 0 with the current one".to_owned())]);
    assert_eq!(doctor(&database, &during, "previous-keys").await[0].0, "warning");
    let mut settings = environment(&during);
    settings.push(("host_database_url", database.host_url()));
    let resealed = behalf_with(&settings, &["secrets", "reseal"]).await;
    assert!(resealed.ok && resealed.out.contains("sealed again with the current key: 1"), "{resealed:?}");
    let again = behalf_with(&settings, &["secrets", "reseal"]).await;
    assert!(again.ok && again.out.contains("key: 0\nsealed with the current key before: 1"), "{again:?}");
    app.stop().await;

    let mut after = during.clone();
    after.retain(|name, _| !name.ends_with("_previous"));
    assert_eq!(doctor(&database, &after, "sealed-secrets").await[0].0, "ok");
    assert_eq!(doctor(&database, &after, "previous-keys").await[0].0, "ok");
    let app = host(&database, &after, &model).await;
    let (anon, service, user) = (after["anon_key"].as_str(), after["service_role_key"].as_str(), token(&after));
    assert_eq!(send(&app, (anon, &user), Method::GET, "/api/tools", Value::Null).await.status, 200);
    assert_eq!(send(&app, (anon, service), Method::GET, &keys, Value::Null).await.status, 200);
    for (apikey, bearer) in [
        (before["anon_key"].as_str(), user.as_str()),
        (anon, &token(&before)),
        (anon, before["service_role_key"].as_str()),
    ] {
        assert_eq!(send(&app, (apikey, bearer), Method::GET, "/api/tools", Value::Null).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_key_opens_is_counted_left_alone_and_told_to_no_client_by_its_setting() {
    let database = TestDatabase::create().await;
    let model = ScriptedModel::start([]).await;
    let lost = lines(&behalf_with(&[], &["keys"]).await);
    let (anon, service) = (lost["anon_key"].as_str(), lost["service_role_key"].as_str());
    let app = host(&database, &lost, &model).await;
    let (agent, keys) = agent_with_key(&app, (anon, service)).await;
    let sealed = "select sealed from ai.provider_keys";
    let before: Vec<u8> = database.value(sealed).await;
    let mut found = lost.clone();
    found.insert("secrets_key".to_owned(), "ab".repeat(32));
    app.stop().await;

    let mut settings = environment(&found);
    settings.push(("host_database_url", database.host_url()));
    let refused = behalf_with(&settings, &["secrets", "reseal"]).await;
    assert!(!refused.ok && refused.out.contains("opened by no key: 1"), "{refused:?}");
    assert!(refused.err.contains(&format!("agent {agent} openai")), "{}", refused.err);
    assert_eq!(database.value::<Vec<u8>>(sealed).await, before);
    let closed = doctor(&database, &found, "sealed-secrets").await;
    assert!(closed[0].0 == "warning" && closed[0].1.contains("1 open with no key"), "{closed:?}");

    let app = host(&database, &found, &model).await;
    let user = mint_token(&lost["jwt_secret"], &TokenRequest::for_user(&ALICE.to_string())).unwrap();
    let failed =
        send(&app, (anon, &user), Method::POST, &format!("/api/agents/{agent}/run"), json!({"message": "hello"})).await;
    assert!(failed.text.contains("cannot be opened") && !failed.text.contains("BEHALF_"), "{}", failed.text);
    found.remove("secrets_key");
    let app = host(&database, &found, &model).await;
    let refused = send(&app, (anon, service), Method::POST, &keys, provider_key()).await;
    assert!(refused.status == 422 && !refused.text.contains("BEHALF_"), "{}", refused.text);
}

/// Sources whose texts only operators read, on a terminal or in the log: commands, `doctor`, and what ends a start.
const FOR_OPERATORS: [&str; 21] = [
    "/auth/src/start.rs",
    "/storage/src/start.rs",
    "/behalf/src/app/auth.rs",
    "/behalf/src/app/signing_keys.rs",
    "/behalf/src/cli/",
    "/behalf/src/app/error.rs",
    "/behalf/src/app/options.rs",
    "/bundled/build/",
    "/caller-db/src/doctor/",
    "/config/src/",
    "/host-db/src/lib.rs",
    "/embeddings/examples/",
    "/embeddings/src/local/tests.rs",
    "/host-db/src/logins.rs",
    "/host-db/src/migrate.rs",
    "/identity/src/jwks.rs",
    "/local-postgres/src/",
    "/sandbox/src/doctor.rs",
    "/sandbox/src/options.rs",
    "/telemetry/src/",
    "/toolchain/src/",
];

/// Whatever else a source says may reach a client, so it names no setting.
#[test]
fn no_text_that_may_reach_a_client_names_a_setting() {
    fn search(folder: &Path, hits: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                search(&path, hits);
                continue;
            }
            let shown = path.to_str().unwrap();
            let is_for_operators =
                FOR_OPERATORS.iter().any(|part| shown.contains(part)) || shown.contains("/tools/src/doctor/");
            if path.extension().is_none_or(|ending| ending != "rs") || is_for_operators {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let says = |line: &&str| line.contains("BEHALF_") && !line.trim_start().starts_with("//");
            hits.extend(code.lines().filter(says).map(|line| format!("{shown}: {}", line.trim())));
        }
    }
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host");
    for part in FOR_OPERATORS {
        assert!(host.join(part.trim_start_matches('/')).exists(), "{part} is where it was");
    }
    let mut hits = Vec::new();
    search(&host, &mut hits);
    assert!(hits.is_empty(), "{hits:#?}");
}
