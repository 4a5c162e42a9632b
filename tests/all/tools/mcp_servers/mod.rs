//! MCP servers as sources of an agent's tools: honest servers, which are told which user calls, and broken or hostile ones.

mod calls;
mod management;
mod server;
mod untrusted;

use behalf_tests::{App, Options, ScriptedModel, User};
use serde_json::{Value, json};
use server::Running;

async fn app_with(servers: &[&Running], model: Option<&ScriptedModel>) -> App {
    let hosts: Vec<_> = servers.iter().map(|server| server.host.clone()).collect();
    let mut settings = vec![("http_allow_private", hosts.join(","))];
    if let Some(model) = model {
        settings.push(("model_base_url", model.url.clone()));
        settings.push(("model_api_key", "a-key".to_owned()));
        settings.push(("model_default", "openai/scripted".to_owned()));
    }
    App::with(Options { settings }).await
}

async fn agent(app: &App) -> String {
    let made = app.post(&User::Service, "/api/agents", json!({"name": "helper"})).await;
    made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
}

async fn give(app: &App, agent: &str, name: &str, server: &Running, more: Value) -> String {
    let mut body = json!({"name": name, "url": server.url});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let made = app.post(&User::Service, &format!("/api/agents/{agent}/mcp-servers"), body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["id"].as_str().unwrap().to_owned()
}

async fn listed(app: &App, agent: &str, server: &str) -> behalf_tests::Answer {
    app.get(&User::Service, &format!("/api/agents/{agent}/mcp-servers/{server}/tools")).await
}
