//! `behalf plugin install`, `update`, `list` and `remove`: from a registry onto a host, with the operator's word on every grant.

use behalf_tests::app::service_key;
use behalf_tests::{ALICE, App, Registry, User, guests};
use reqwest::Method;
use serde_json::{Value, json};

use super::Project;

/// The options that name a host.
fn host(app: &App) -> [String; 4] {
    ["--url".to_owned(), app.url.clone(), "--service-key".to_owned(), service_key()]
}

/// The arguments of a command about this host.
fn command<'a>(words: &[&'a str], host: &'a [String; 4]) -> Vec<&'a str> {
    words.iter().copied().chain(host.iter().map(String::as_str)).collect()
}

async fn plugin(app: &App, name: &str) -> Option<Value> {
    let list = app.get(&User::Service, "/api/plugins").await.json;
    list["plugins"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_shown_before_it_is_installed_and_gets_what_was_agreed_to() {
    let (registry, project, app) = (Registry::start().await, Project::new(), App::start().await);
    let host = host(&app);
    let reference = format!("{}/prober:1", registry.host);
    let pinned = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;

    // Who says no, or nothing, gets nothing; what it asks for was shown first.
    for told in ["y\nn\n", ""] {
        let refused = project.behalf_told(&command(&["plugin", "install", &pinned], &host), told).await;
        assert!(!refused.ok && refused.out.is_empty(), "{told:?}: {}", refused.out);
        for shown in
            ["prober 1.2.3", "signed   no", "Can never be given", "database.tables: \"public.notes\"", "Grant database"]
        {
            assert!(refused.err.contains(shown), "{told:?}, {shown}: {}", refused.err);
        }
    }
    assert_eq!(plugin(&app, "prober").await, None);

    let installed = project.behalf_told(&command(&["plugin", "install", &pinned], &host), "yes\ny\n").await;
    assert!(installed.ok && installed.out.starts_with("prober 1.2.3: "), "{} {}", installed.out, installed.err);
    let held = plugin(&app, "prober").await.unwrap();
    assert_eq!((&held["version"], &held["grants"]["database"]["tables"]), (&json!("1.2.3"), &json!(["public.notes"])));
    assert_eq!(app.sql(&User::Is(ALICE), "select 1 from notes limit 1").await.status, 200);
    let again = project.fails(&command(&["plugin", "install", &pinned, "--grants", "none", "--yes"], &host)).await;
    assert!(again.contains("is registered already") && again.contains("behalf plugin update"), "{again}");

    let listed = project.behalf(&command(&["plugin", "list"], &host)).await;
    let line = listed.out.lines().find(|line| line.starts_with("prober ")).unwrap_or_else(|| panic!("{}", listed.out));
    assert!(line.contains("1.2.3 (not signed by a trusted key): ") && line.contains("sql"), "{line}");
    assert!(listed.out.contains("echo ") && listed.out.contains("(comes with the host)"), "{}", listed.out);

    let kept = project.behalf_told(&command(&["plugin", "remove", "prober"], &host), "n\n").await;
    assert!(!kept.ok && plugin(&app, "prober").await.is_some(), "{}", kept.err);
    project.says(&command(&["plugin", "remove", "prober", "--yes"], &host)).await;
    assert_eq!(plugin(&app, "prober").await, None);
    let gone = project.fails(&command(&["plugin", "remove", "prober", "--yes"], &host)).await;
    assert!(gone.contains("no plugin named prober"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_shows_what_differs_and_widens_nothing_by_itself() {
    let (registry, project, app) = (Registry::start().await, Project::new(), App::start().await);
    let host = host(&app);
    let reference = format!("{}/prober:1", registry.host);
    let first = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    let none = project.fails(&command(&["plugin", "update", &first, "--grants", "keep", "--yes"], &host)).await;
    assert!(none.contains("behalf plugin install"), "{none}");
    project.says(&command(&["plugin", "install", &first, "--grants", "suggested", "--yes"], &host)).await;

    // The next version asks for more, and imports more.
    std::fs::copy(guests::HTTP, project.path("dist/prober.wasm")).unwrap();
    let manifest = "name = \"prober\"\nversion = \"2.0.0\"\n[grants.http]\nhosts = [\"api.example.com\"]\n\
        [[grants.http.secrets]]\nname = \"key\"\nhost = \"api.example.com\"\n";
    std::fs::write(project.path("plugin.toml"), manifest).unwrap();
    let second = project.says(&["tool", "push", &reference, "dist/prober.wasm"]).await;
    let update = command(&["plugin", "update", &second], &host);
    let refused = project.behalf_told(&update, "n\nn\n").await;
    assert!(!refused.ok, "{}", refused.out);
    for shown in [
        "+ wasi:http/outgoing-handler@",
        "- behalf:tool/database@",
        "- database.tables: \"public.notes\"",
        "+ http.hosts: \"api.example.com\"",
        "the grant database goes",
        "Grant http",
        "Replace prober 1.2.3 by 2.0.0",
    ] {
        assert!(refused.err.contains(shown), "{shown}: {}", refused.err);
    }
    assert_eq!(plugin(&app, "prober").await.unwrap()["version"], "1.2.3");
    let updated = project.behalf_told(&update, "n\ny\n").await;
    assert!(updated.ok, "{}", updated.err);
    let held = plugin(&app, "prober").await.unwrap();
    assert_eq!((&held["version"], &held["grants"]), (&json!("2.0.0"), &json!({})), "nobody agreed to more");
    let updated = project.behalf_told(&update, "y\ny\n").await;
    assert!(updated.ok && updated.err.contains("behalf plugin secret set prober key"), "{}", updated.err);
    assert_eq!(plugin(&app, "prober").await.unwrap()["grants"]["http"]["hosts"], json!(["api.example.com"]));

    // Grants are one thing, whether they were pulled or are sent: as a manifest to the command, and to the host.
    project.says(&["tool", "pull", &second, "-o", "out/it.wasm"]).await;
    let from_file = command(&["plugin", "update", &second, "--grants", "@out/it.toml", "--yes"], &host);
    let as_pulled = project.behalf(&from_file).await;
    assert!(as_pulled.ok, "{}", as_pulled.err);
    let granted = plugin(&app, "prober").await.unwrap()["grants"].clone();
    project.says(&command(&["plugin", "remove", "prober", "--yes"], &host)).await;
    let part = |name: &str| std::fs::read(project.path(name)).unwrap();
    let component = reqwest::multipart::Part::bytes(part("out/it.wasm")).file_name("it.wasm");
    let pulled = String::from_utf8(part("out/it.toml")).unwrap();
    let form = reqwest::multipart::Form::new().part("component", component).text("manifest", pulled);
    let sent = app.request(&User::Service, Method::POST, "/api/plugins").multipart(form).send().await.unwrap();
    let sent: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
    assert_eq!(
        (&sent["name"], &sent["version"], &sent["grants"]),
        (&json!("prober"), &json!("2.0.0"), &granted),
        "{sent}"
    );
    let wrong = project
        .fails(&command(&["plugin", "update", &second, "--grants", "{\"memory\": \"read\"}", "--yes"], &host))
        .await;
    assert!(wrong.contains("does not import"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_set_listed_and_removed_by_command() {
    let project = Project::new();
    let settings = vec![("secrets_key", "01".repeat(32))];
    let app = App::with(behalf_tests::Options { settings }).await;
    let host = host(&app);
    let grants =
        json!({"http": {"hosts": ["api.example.com"], "secrets": [{"name": "key", "host": "api.example.com"}]}});
    let bytes = std::fs::read(guests::HTTP).unwrap();
    let uploaded = app.upload_bytes(bytes, &grants, "?name=rates").await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.text);
    let list = project.says(&command(&["plugin", "secret", "list", "rates"], &host)).await;
    assert!(list.starts_with("key: for api.example.com in authorization, not set"), "{list}");
    let set = project
        .behalf_told(&command(&["plugin", "secret", "set", "rates", "key"], &host), "sk-0123456789abcdef\n")
        .await;
    assert!(set.ok && set.out.contains("ends in cdef") && !set.out.contains("sk-"), "{} {}", set.out, set.err);
    std::fs::write(project.path("key.txt"), "sk-from-a-file-9876\n").unwrap();
    let set = project.says(&command(&["plugin", "secret", "set", "rates", "key", "--file", "key.txt"], &host)).await;
    assert!(set.contains("ends in 9876"), "{set}");
    let wrong =
        project.behalf_told(&command(&["plugin", "secret", "set", "rates", "other"], &host), "sk-0123456789\n").await;
    assert!(!wrong.ok && wrong.err.contains("name no secret") && !wrong.err.contains("sk-"), "{}", wrong.err);
    project.says(&command(&["plugin", "secret", "remove", "rates", "key"], &host)).await;
    let list = project.says(&command(&["plugin", "secret", "list", "rates"], &host)).await;
    assert!(list.contains("not set"), "{list}");
}
