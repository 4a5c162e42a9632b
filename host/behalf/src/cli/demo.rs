//! The demo: two users, one agent, and what each of them may see.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use behalf_identity::{TokenRequest, mint_token};
use behalf_toolchain::DevEnv;
use behalf_toolchain::demo::{ALICE, BOB};

const AGENT: &str = "demo";
const QUESTION: &str = r#"/database_query {"query": "select title, body from notes order by created_at"}"#;
const REPORT: &str = "/spending_report {}";
/// One statement that, sent with the usual binding of claims, reads another user's rows.
const HOSTILE: &str = "with x as materialized (select set_config('request.jwt.claims', '{\"sub\":\"VICTIM\"}', true)) \
                       select n.* from x, notes n";

/// The host as the demo's users see it.
struct Client<'a> {
    http: reqwest::Client,
    env: &'a DevEnv,
}

impl Client<'_> {
    async fn send(&self, path: &str, token: &str, body: Option<Value>) -> anyhow::Result<(u16, String)> {
        let url = format!("{}{path}", self.env.base_url);
        let request = match body {
            Some(body) => self.http.post(url).json(&body),
            None => self.http.get(url),
        };
        let answer = request.header("apikey", &self.env.anon_key).bearer_auth(token).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    async fn json(&self, path: &str, token: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let (status, text) = self.send(path, token, body).await?;
        ensure!(status < 300, "{path} answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// The demo's agent: found by name, or made.
    async fn agent(&self) -> anyhow::Result<String> {
        let service = &self.env.service_role_key;
        let list = self.json("/api/agents?q=demo&limit=100", service, None).await?;
        let known = list["agents"].as_array().into_iter().flatten().find(|agent| agent["name"] == AGENT);
        if let Some(id) = known.and_then(|agent| agent["id"].as_str()) {
            return Ok(id.to_owned());
        }
        let prompt = "You answer questions about the user's own notes and expenses.";
        let made = json!({ "name": AGENT, "model": "builtin/extractive", "system_prompt": prompt });
        let agent = self.json("/api/agents", service, Some(made)).await?;
        let id = agent["id"].as_str().context("an agent has an id")?.to_owned();
        for tool in ["database_query", "spending_report"] {
            let body = json!({ "tool_type": "builtin", "tool_name": tool });
            self.json(&format!("/api/agents/{id}/tools"), service, Some(body)).await?;
        }
        Ok(id)
    }

    async fn run(&self, agent: &str, token: &str, message: &str) -> anyhow::Result<Value> {
        self.json(&format!("/api/agents/{agent}/run"), token, Some(json!({ "message": message }))).await
    }
}

/// A user's token, valid for an hour.
fn token_of(env: &DevEnv, user: Uuid) -> anyhow::Result<String> {
    Ok(mint_token(&env.jwt_secret, &TokenRequest::for_user(&user.to_string()))?)
}

/// The same agent asked by two users, a hostile statement, and an impostor. Fails if anything it shows is not so.
pub(super) async fn tell(env: &DevEnv) -> anyhow::Result<()> {
    let client = Client { http: reqwest::Client::new(), env };
    let agent = client.agent().await?;
    println!("\nOne agent, two users. Each asks with their own token; the tool's SQL names nobody:\n");
    for (name, user, own, other) in [("alice", ALICE, "tomatoes", "brakes"), ("bob", BOB, "brakes", "tomatoes")] {
        let token = token_of(env, user)?;
        for message in [QUESTION, REPORT] {
            let answer = client.run(&agent, &token, message).await?;
            let content = answer["content"].as_str().unwrap_or_default();
            println!("{name}> {message}\n{}\n", indent(content));
            ensure!(answer["status"] == "completed", "{name}'s run did not complete: {answer}");
            ensure!(!content.contains(other), "{name} saw a row of somebody else");
            ensure!(message != QUESTION || content.contains(own), "{name} did not see an own row");
        }
    }
    let alice = token_of(env, ALICE)?;
    let hostile = HOSTILE.replace("VICTIM", &BOB.to_string());
    let (status, text) = client
        .send("/api/tools/database_query/call", &alice, Some(json!({ "arguments": { "query": hostile } })))
        .await?;
    println!("alice, hostile> {hostile}\n{}\n", indent(&reason(status, &text)));
    ensure!(status == 403 && !text.contains("brakes"), "the hostile statement was not refused: {status} {text}");
    impostor(&client, &agent).await
}

/// Bob claims to be Alice; only the service role may act for somebody.
async fn impostor(client: &Client<'_>, agent: &str) -> anyhow::Result<()> {
    let env = client.env;
    let url = format!("{}/api/agents/{agent}/run", env.base_url);
    for (name, token, wanted) in
        [("bob", token_of(env, BOB)?, 403), ("the app's back end", env.service_role_key.clone(), 200)]
    {
        let answer = client
            .http
            .post(&url)
            .header("apikey", &env.anon_key)
            .header("x-behalf-act-as", ALICE.to_string())
            .bearer_auth(&token)
            .json(&json!({ "message": QUESTION }))
            .send()
            .await?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        println!("{name}, acting as alice> {}", if status == 200 { "200: alice's rows" } else { "403: refused" });
        if status != wanted || (status == 200) != text.contains("tomatoes") {
            bail!("acting as alice: {name} got {status}: {text}");
        }
    }
    println!();
    Ok(())
}

fn reason(status: u16, text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    format!("{status}: {}", problem["error"].as_str().unwrap_or(text))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Where to go from here.
pub(super) fn print_welcome(env: &DevEnv, state_dir: &Path) {
    let file = state_dir.join("dev.env");
    println!("Behalf serves {}\n", env.base_url);
    println!(
        "Keys and addresses are in {}. To call a tool, read a table and run the agent as alice:\n",
        file.display()
    );
    println!("  . {}", file.display());
    println!("  ALICE=$(cargo run -q --release -- token --sub alice)");
    println!(
        "  curl -s \"$BASE_URL/api/tools/database_query/call\" -H \"apikey: $ANON_KEY\" -H \"Authorization: Bearer $ALICE\" \\\n    \
         -H 'Content-Type: application/json' -d '{{\"arguments\":{{\"query\":\"select * from notes\"}}}}'"
    );
    println!(
        "  curl -s \"$BASE_URL/rest/v1/notes?select=title&order=created_at\" -H \"apikey: $ANON_KEY\" -H \"Authorization: Bearer $ALICE\""
    );
    println!(
        "  AGENT=$(curl -s \"$BASE_URL/api/agents\" -H \"apikey: $ANON_KEY\" -H \"Authorization: Bearer $SERVICE_ROLE_KEY\" | \
         sed 's/.*\"id\":\"\\([^\"]*\\)\".*/\\1/')"
    );
    println!(
        "  curl -sN \"$BASE_URL/api/agents/$AGENT/run/stream\" -H \"apikey: $ANON_KEY\" -H \"Authorization: Bearer $ALICE\" \\\n    \
         -H 'Content-Type: application/json' -d '{{\"message\":\"What did I spend?\"}}'\n"
    );
    println!("Ctrl-C stops the host and its Postgres.");
}
