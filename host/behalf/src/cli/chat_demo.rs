//! `behalf dev --demo chat`: makes what the page needs, and says where it is.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use url::Url;

use behalf_console::{ChatDemo, ChatSetup, ChatUser, TRIPS};
use behalf_toolchain::DevEnv;
use behalf_toolchain::demo::{ALICE_EMAIL, BOB_EMAIL};

use super::demo::Client;

/// The name of the agent and of its knowledge base.
const NAME: &str = "chat-demo";
/// The agent's tools, beside the search in its knowledge base.
const TOOLS: [&str; 2] = ["database_query", "spending_report"];

/// Lets the page begin, and prints its address.
pub(super) async fn begin(env: &DevEnv, signs_in: bool, demo: &ChatDemo) -> anyhow::Result<()> {
    ensure!(signs_in, "the chat demo signs users in at /auth/v1, which this host does not serve");
    let setup = prepare(env).await.context("the chat demo cannot be prepared")?;
    demo.begin(setup);
    println!("The chat demo, with two users side by side: {}", address(&env.base_url)?);
    Ok(())
}

async fn prepare(env: &DevEnv) -> anyhow::Result<ChatSetup> {
    let client = Client::new(env);
    let about = "Files of the demo's users. Each finds their own.";
    let base = json!({ "name": NAME, "description": about, "contributors": "authenticated" });
    let knowledge_base_id = named(&client, env, "/api/knowledge-bases", "knowledge_bases", base).await?;
    let prompt = "You answer questions about the user's own files, notes and expenses.";
    let agent = json!({ "name": NAME, "model": "builtin/extractive", "system_prompt": prompt });
    let agent_id = named(&client, env, "/api/agents", "agents", agent).await?;
    let tools = format!("/api/agents/{agent_id}/tools");
    for tool in TOOLS {
        let body = json!({ "tool_type": "builtin", "tool_name": tool });
        assigned(&client, env, (&tools, "tools"), ("tool_name", tool), body).await?;
    }
    let bases = format!("/api/agents/{agent_id}/knowledge-bases");
    let body = json!({ "knowledge_base_id": knowledge_base_id });
    let known = ("knowledge_base_id", knowledge_base_id.as_str());
    assigned(&client, env, (&bases, "knowledge_bases"), known, body).await?;
    let users = [("alice", ALICE_EMAIL, &env.alice_password), ("bob", BOB_EMAIL, &env.bob_password)];
    let user = |((name, email, password), sample): ((_, _, &String), _)| ChatUser {
        name,
        email,
        password: password.clone(),
        sample,
    };
    let users = users.into_iter().zip(TRIPS).map(user).collect();
    Ok(ChatSetup { anon_key: env.anon_key.clone(), agent_id, knowledge_base_id, users })
}

/// The id of what the service role has under this name at `path`; made where there is none.
async fn named(client: &Client<'_>, env: &DevEnv, path: &str, list: &str, new: Value) -> anyhow::Result<String> {
    let service = &env.service_role_key;
    let there = client.json(&format!("{path}?q={NAME}&limit=100"), service, None).await?;
    // A user's base of this name is theirs.
    let is_it = |one: &&Value| one["name"] == NAME && one["owner_id"].is_null();
    let id = |one: &Value| one["id"].as_str().map(str::to_owned);
    if let Some(known) = there[list].as_array().into_iter().flatten().find(is_it).and_then(id) {
        return Ok(known);
    }
    let made = client.json(path, service, Some(new)).await?;
    id(&made).with_context(|| format!("{path} gave no id"))
}

/// Gives the agent what is not among its things yet.
async fn assigned(
    client: &Client<'_>,
    env: &DevEnv,
    (path, list): (&str, &str),
    (field, value): (&str, &str),
    body: Value,
) -> anyhow::Result<()> {
    let there = client.json(path, &env.service_role_key, None).await?;
    if !there[list].as_array().into_iter().flatten().any(|one| one[field] == value) {
        client.json(path, &env.service_role_key, Some(body)).await?;
    }
    Ok(())
}

/// The address of the page, as a browser on this machine reaches it.
fn address(base_url: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(base_url)?;
    let is_every_address = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_unspecified(),
        Some(url::Host::Ipv6(ip)) => ip.is_unspecified(),
        _ => false,
    };
    if is_every_address && url.set_ip_host(IpAddr::V4(Ipv4Addr::LOCALHOST)).is_err() {
        anyhow::bail!("{base_url} cannot be opened in a browser");
    }
    url.set_path("/demo/chat");
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_one_that_a_browser_here_can_open() {
        let page = |base: &str| address(base).expect("an address");
        assert_eq!(page("http://127.0.0.1:8787"), "http://127.0.0.1:8787/demo/chat");
        assert_eq!(page("http://0.0.0.0:8787"), "http://127.0.0.1:8787/demo/chat");
        assert_eq!(page("http://[::]:8787"), "http://127.0.0.1:8787/demo/chat");
        assert_eq!(page("http://[::1]:8787"), "http://[::1]:8787/demo/chat");
        assert!(address("").is_err());
    }
}
