//! The commands of a tool author in each language: a new project, its build, its tests, and reloading on the dev host.

use std::path::Path;
use std::time::Duration;

use behalf_tests::projects::{
    LANGUAGES, Printed, behalf, behalf_bin, behalf_ok, behalf_on, command, project, repository, template,
};
use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, TestDatabase, Turn, User, eventually};
use serde_json::{Value, json};

/// Calls a component once on an existing database.
async fn run(database: &TestDatabase, file: &Path, tool: &str, arguments: &Value, who: &[&str]) -> Printed {
    let (file, arguments, owner) = (file.display().to_string(), arguments.to_string(), database.owner_url());
    let line = [&["tool", "run", &file, tool, &arguments, "--database-url", &owner], who].concat();
    behalf_on(database, &line).await
}

#[tokio::test]
async fn a_new_project_in_each_language_is_the_same_tool() {
    let database = TestDatabase::create().await;
    for language in LANGUAGES {
        let file = template(language).await;
        let titles = async |arguments: Value, who: &[&str]| {
            let printed = run(&database, &file, "my_tool", &arguments, who).await;
            assert!(printed.ok, "{language}: {}", printed.err);
            let notes = printed.json()["notes"].as_array().unwrap().clone();
            notes.iter().map(|note| note["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(titles(json!({}), &["--sub", "alice"]).await, ["Safe", "Garden"], "{language}");
        assert_eq!(titles(json!({}), &["--sub", "bob"]).await, ["Car"], "{language}");
        assert_eq!(titles(json!({"search": "POT"}), &["--sub", "alice"]).await, ["Safe"], "{language}");
        assert_eq!(titles(json!({"search": "%"}), &["--sub", "alice"]).await, [""; 0], "{language}");
        assert_eq!(titles(json!({"limit": 1}), &["--sub", "alice"]).await, ["Safe"], "{language}");
        let wrong = run(&database, &file, "my_tool", &json!({"limit": 0}), &[]).await;
        assert!(!wrong.ok && wrong.err.contains("/limit"), "{language}: {}", wrong.err);
    }
}

#[tokio::test]
async fn a_component_says_what_to_expect_of_it_in_every_language() {
    for language in LANGUAGES {
        let file = template(language).await.display().to_string();
        let report = behalf_ok(Path::new("."), &["tool", "inspect", &file, "--json"]).await.json();
        let tool = &report["tools"][0];
        assert_eq!(tool["name"], "my_tool", "{language}: {report:#}");
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{language}");
        // The schema of an optional property differs by language: some also allow null.
        let limit = tool["inputSchema"]["properties"]["limit"].to_string();
        assert!(limit.contains(r#""maximum":100"#), "{language}: {tool:#}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{language}: {tool:#}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{language}: {tool:#}");
        assert!(report["error"].is_null(), "{language}");
    }
}

/// A snapshot of an interpreter, or a constant seed, would give every instance the same random numbers.
#[tokio::test]
async fn random_numbers_and_clocks_are_right_in_every_language() {
    let database = TestDatabase::create().await;
    for (language, tool, values) in [
        ("python", "values", &["random", "uuid", "bytes"][..]),
        ("js", "values", &["random", "uuid", "bytes"]),
        ("c", "chance", &["random", "realtime_ns"]),
    ] {
        let file = project(&format!("tests/languages/{language}")).await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let printed = run(&database, &file, tool, &json!({}), &[]).await;
            assert!(printed.ok, "{language}: {}", printed.err);
            seen.push(printed.json());
        }
        let now = unix_ms();
        for answer in &seen {
            let time = answer["now_ms"].as_f64().unwrap_or_else(|| answer["seconds"].as_f64().unwrap() * 1e3);
            assert!((now - time).abs() < 600_000.0, "{language}: {answer}, now {now}");
            // This number was drawn while the snapshot of the interpreter was taken; C has no snapshot.
            assert!(language == "c" || answer["built"].is_number(), "{language}: {answer}");
            assert_ne!(answer["built"], answer["random"], "{language}: {answer}");
        }
        for &value in values {
            let differs = seen[1..].iter().all(|other| !other[value].is_null() && other[value] != seen[0][value]);
            assert!(differs, "{language}: {value} is the same in every instance: {seen:#?}");
        }
    }
}

fn unix_ms() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() * 1e3
}

#[tokio::test]
async fn what_is_not_there_or_not_right_is_said_with_how_to_mend_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    for (arguments, reason) in [
        (vec!["tool", "new", "Wrong", "--lang", "c"], "small letters"),
        (vec!["tool", "new", "../up", "--lang", "c"], "small letters"),
        (vec!["tool", "new", "test", "--lang", "rust"], "another name"),
        (vec!["tool", "new", "one", "--lang", "cobol"], "possible values"),
        (vec!["tool", "build", "."], "plugin.toml"),
        (vec!["tool", "build", "nowhere"], "plugin.toml"),
    ] {
        let printed = behalf(at, &arguments).await;
        assert!(!printed.ok && printed.err.contains(reason), "{arguments:?}: {}", printed.err);
    }
    assert_eq!(std::fs::read_dir(at).unwrap().count(), 0, "a failed command left something behind");

    std::fs::create_dir(at.join("taken")).unwrap();
    std::fs::write(at.join("taken/mine"), "").unwrap();
    let printed = behalf(at, &["tool", "new", "taken", "--lang", "c"]).await;
    assert!(!printed.ok && printed.err.contains("is there already"), "{}", printed.err);

    // If the compiler of a language is not on the PATH, the build says what to install.
    for (language, missing) in [
        ("rust", "cargo is missing"),
        ("python", "componentize-py is missing"),
        ("js", "node is missing"),
        ("c", "clang-19"),
    ] {
        let name = format!("in-{language}");
        behalf_ok(at, &["tool", "new", &name, "--lang", language]).await;
        let done = command(&behalf_bin(), at).args(["tool", "build", &name]).env("PATH", at).output().await.unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        assert!(!done.status.success() && err.contains(missing), "{language}: {err}");
        assert!(!at.join(&name).join("dist").exists(), "{language}: a failed build left a component");
    }
}

#[tokio::test]
async fn a_saved_file_is_a_new_tool_on_the_dev_host() {
    let app = App::start().await;
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join(".behalf");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("dev.env"), app.dev_env()).unwrap();
    behalf_ok(dir.path(), &["tool", "new", "live", "--lang", "rust"]).await;
    let mut watch =
        command(&behalf_bin(), &dir.path().join("live")).args(["tool", "build", "--watch"]).spawn().unwrap();
    let title = async || {
        let tools = app.get(&User::Service, "/api/tools").await.json;
        let tool = tools["tools"].as_array().into_iter().flatten().find(|tool| tool["name"] == "live")?;
        Some(tool["description"].as_str()?.to_owned())
    };
    // The first build also compiles all dependencies.
    let end = std::time::Instant::now() + Duration::from_mins(5);
    while title().await.is_none() {
        assert!(std::time::Instant::now() < end && watch.try_wait().unwrap().is_none(), "the tool never came");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let source = dir.path().join("live/src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    let old = title().await.unwrap();
    let first = old.split(['.', '\n']).next().unwrap();
    assert!(text.contains(first), "the description {first:?} is not in the source");
    std::fs::write(&source, text.replace(first, "Changed while the host runs")).unwrap();
    let changed = async || title().await.is_some_and(|title| title.contains("Changed while the host runs"));
    eventually("the saved file is not a new tool", changed).await;
    let answer = app.call(&User::Is(BOB), "live", json!({})).await;
    assert_eq!(answer.result()["notes"][0]["title"], "Car", "{}", answer.text);
    watch.kill().await.unwrap();
}

#[tokio::test]
async fn the_examples_do_their_work_for_whoever_calls() {
    let app = App::start().await;
    for (path, tool, arguments) in [
        ("plugins/recurring-payments", "recurring_payments", json!({})),
        ("plugins/notes-export", "notes_export", json!({})),
        ("plugins/merchant-duplicates", "merchant_duplicates", json!({})),
    ] {
        let file = project(path).await.display().to_string();
        let manifest = repository().join(path).join("plugin.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
        let grants = serde_json::to_value(&manifest["grants"]).unwrap();
        app.install(&file, &grants).await;
        let (alice, bob) = (
            app.call(&User::Is(ALICE), tool, arguments.clone()).await,
            app.call(&User::Is(BOB), tool, arguments.clone()).await,
        );
        let (alice, bob) = (alice.result().to_string(), bob.result().to_string());
        for foreign in ["Motor Repairs", "Petrol Station", "Steak House", "brakes"] {
            assert!(!alice.contains(foreign), "{tool} as alice: {alice}");
        }
        for foreign in ["Green Grocer", "Railways", "tomatoes", "blue pot"] {
            assert!(!bob.contains(foreign), "{tool} as bob: {bob}");
        }
        let anonymous = app.call(&User::Anon, tool, arguments).await;
        assert!(matches!(anonymous.status, 200 | 403 | 422), "{tool} as nobody: {}", anonymous.text);
        assert!(!anonymous.text.contains("Grocer") && !anonymous.text.contains("Petrol"), "{}", anonymous.text);
    }
}

/// Runs a program in a folder; it must succeed.
async fn passes(program: &Path, arguments: &[&str], dir: &Path, variables: &[(&str, &Path)]) -> String {
    let mut command = command(program, dir);
    let done = command.args(arguments).envs(variables.iter().copied()).output().await.unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{} {arguments:?} in {}:\n{text}", program.display(), dir.display());
    text
}

#[tokio::test]
async fn native_tests_of_plugins_in_python_pass() {
    let example = project("plugins/recurring-payments").await;
    let example = example.parent().unwrap().parent().unwrap();
    let template = template("python").await;
    let template = template.parent().unwrap().parent().unwrap();
    let sdk = repository().join("plugins/sdk-python");
    // The SDK's tests need its dependencies, which `--install` has installed for the example.
    for (dir, python) in [(example, example), (template, template), (sdk.as_path(), example)] {
        let python = python.join(".venv/bin/python");
        let run = ["-m", "unittest", "discover", "tests"];
        let text = passes(&python, &run, dir, &[("PYTHONPATH", &dir.join("src"))]).await;
        assert!(text.contains("\nOK") && !text.contains("Ran 0 tests"), "{}: {text}", dir.display());
    }
}

#[tokio::test]
async fn native_tests_of_plugins_in_javascript_pass() {
    let example = project("plugins/notes-export").await;
    let template = template("js").await;
    for file in [example, template] {
        let dir = file.parent().unwrap().parent().unwrap();
        for script in ["test", "check"] {
            let text = passes("npm".as_ref(), &["run", script], dir, &[]).await;
            assert!(script == "check" || text.contains("# fail 0") || text.contains("fail 0"), "{text}");
        }
    }
}

/// The SDK for C has two functions where the others have a block.
#[tokio::test]
async fn a_failure_in_a_scope_does_not_end_a_call_in_c() {
    let app = App::start().await;
    let file = project("tests/languages/c").await.display().to_string();
    let storage = json!({ "buckets": ["files"], "access": "write" });
    let (database, http) = (json!({ "access": "read", "schemas": ["public"] }), json!({ "hosts": ["127.0.0.1"] }));
    app.install(&file, &json!({ "database": database, "storage": storage, "http": http })).await;
    let scoped = app.call(&User::Is(ALICE), "scoped", json!({})).await;
    assert_eq!(scoped.result(), &json!({ "code": "invalid", "after": 2 }), "{}", scoped.text);
}

/// Values are the same after their way to the database and back, and every failure becomes an error of the tool.
#[tokio::test]
async fn values_and_failures_are_those_of_the_language() {
    let app = App::start().await;
    let grants = json!({
        "database": { "access": "read", "schemas": ["public"], "tables": ["public.notes"] },
        "storage": { "buckets": ["files"], "access": "write" },
        "http": { "hosts": ["127.0.0.1"] },
    });
    let alice = User::Is(ALICE);
    for language in ["python", "js"] {
        let file = project(&format!("tests/languages/{language}")).await.display().to_string();
        let installed = app.install(&file, &grants).await;
        let types = app.call(&alice, "types", json!({})).await;
        assert_eq!(types.result()["returned"], true, "{language}: {}", types.text);
        let identity = app.call(&alice, "identity", json!({})).await;
        assert_eq!(identity.result()["subject"], ALICE.to_string(), "{language}: {}", identity.text);
        // A tool that goes on without a statement that failed outside a scope has no answer.
        for (how, status, key, code) in [
            ("tool", 403, "tool_code", "denied"),
            ("uncaught", 422, "tool_code", "failed"),
            ("result", 422, "tool_code", "failed"),
            ("caught", 422, "code", "commit_failed"),
        ] {
            let failed = app.call(&alice, "fails", json!({ "how": how })).await;
            assert_eq!((failed.status, &failed.json[key]), (status, &json!(code)), "{language} {how}: {}", failed.text);
            assert!(!failed.text.contains("swordfish"), "{language} {how}: {}", failed.text);
        }
        let scope = app.call(&alice, "fails", json!({ "how": "scope" })).await;
        assert_eq!(scope.result(), &json!({ "code": "invalid", "after": 2 }), "{language}: {}", scope.text);
        let id = installed.json["id"].as_str().unwrap();
        app.send(&User::Service, reqwest::Method::DELETE, &format!("/api/plugins/{id}"), json!({})).await;
    }
}

/// Content, parts of a result, a resource and a prompt are the same whatever the language.
#[tokio::test]
async fn results_that_are_more_than_json_arrive_from_every_language() {
    let model =
        ScriptedModel::answering(|request| {
            match request["messages"].as_array().unwrap().last().unwrap()["role"].as_str() {
                Some("tool") => Turn::Say("Seen."),
                _ => Turn::Call(vec![("shown", json!({ "name": "x" }))]),
            }
        })
        .await;
    let app = App::with(Options { settings: model.settings() }).await;
    let grants = json!({
        "database": { "access": "read", "schemas": ["public"] },
        "storage": { "buckets": ["files"], "access": "write" },
        "http": { "hosts": ["127.0.0.1"] },
    });
    let alice = User::Is(ALICE);
    for language in ["python", "js", "c"] {
        let file = project(&format!("tests/languages/{language}")).await.display().to_string();
        let installed = app.install(&file, &grants).await;
        let ask = async |method: &str, params: Value| {
            let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            app.post(&alice, "/mcp", message).await.json["result"].clone()
        };
        let shown = ask("tools/call", json!({ "name": "shown", "arguments": { "name": "x" } })).await;
        let blocks = json!([
            { "type": "text", "text": "It is x." },
            { "type": "image", "data": "AP8=", "mimeType": "image/png" },
            { "type": "resource", "resource": { "uri": "shown://file", "mimeType": "text/markdown", "text": "# é" } },
        ]);
        assert_eq!(shown["content"], blocks, "{language}: {shown}");
        let read = ask("resources/read", json!({ "uri": "shown://y" })).await;
        assert_eq!(read["contents"][0]["text"], "It is y.", "{language}: {read}");
        let prompt = ask("prompts/get", json!({ "name": "asked", "arguments": { "name": "z" } })).await;
        assert_eq!(prompt["messages"][0]["content"]["text"], "Tell me of z.", "{language}: {prompt}");
        let agent = app.agent(&["shown"]).await;
        let events = app.post(&alice, &format!("/api/agents/{agent}/run/stream"), json!({ "message": "show" })).await;
        assert!(events.text.contains(r#""parts": [{"name": "x"}]"#), "{language}: {}", events.text);
        let told = model.requests().pop().unwrap()["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        let image = "[an image, image/png, 2 bytes: the user sees it, you do not]";
        assert_eq!(told, json!(format!("It is x.\n\n{image}\n\n[shown://file]\n# é")), "{language}");
        app.send(&User::Service, reqwest::Method::DELETE, &format!("/api/agents/{agent}"), json!({})).await;
        let id = installed.json["id"].as_str().unwrap();
        app.send(&User::Service, reqwest::Method::DELETE, &format!("/api/plugins/{id}"), json!({})).await;
    }
}
