//! The demo: two users who sign in, one agent, and what each of them may see.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use behalf_config::{CreditsAccount, CreditsMode, Settings};
use behalf_identity::{TokenRequest, mint_token};
use behalf_toolchain::DevEnv;
use behalf_toolchain::demo::{ALICE, ALICE_EMAIL, BOB, BOB_EMAIL, DemoState};

const AGENT: &str = "demo";
const QUESTION: &str = r#"/database_query {"query": "select title, body from notes order by created_at"}"#;
const REPORT: &str = "/spending_report {}";
/// One statement that, sent with the usual binding of claims, reads another user's rows.
const HOSTILE: &str = "with x as materialized (select set_config('request.jwt.claims', '{\"sub\":\"VICTIM\"}', true)) \
                       select n.* from x, notes n";

/// The host as the demo's users see it.
pub(super) struct Client<'a> {
    http: reqwest::Client,
    env: &'a DevEnv,
}

impl<'a> Client<'a> {
    /// A client of the host that `env` names.
    pub(super) fn new(env: &'a DevEnv) -> Self {
        Self { http: reqwest::Client::new(), env }
    }

    async fn send(&self, path: &str, token: &str, body: Option<Value>) -> anyhow::Result<(u16, String)> {
        let url = format!("{}{path}", self.env.base_url);
        let request = match body {
            Some(body) => self.http.post(url).json(&body),
            None => self.http.get(url),
        };
        let answer = request.header("apikey", &self.env.anon_key).bearer_auth(token).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// The JSON of an answer, which must be no failure.
    pub(super) async fn json(&self, path: &str, token: &str, body: Option<Value>) -> anyhow::Result<Value> {
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

/// The demo's users with their tokens.
struct Tokens {
    alice: String,
    bob: String,
}

impl Client<'_> {
    /// Tokens of both. Where another server signs users in, they are made here.
    async fn tokens(&self, signs_in: bool) -> anyhow::Result<Tokens> {
        let env = self.env;
        if !signs_in {
            let mint = |user: Uuid| mint_token(&env.jwt_secret, &TokenRequest::for_user(&user.to_string()));
            return Ok(Tokens { alice: mint(ALICE)?, bob: mint(BOB)? });
        }
        let alice = self.sign_in(ALICE, ALICE_EMAIL, &env.alice_password).await.context("alice cannot sign in")?;
        let bob = self.sign_in(BOB, BOB_EMAIL, &env.bob_password).await.context("bob cannot sign in")?;
        Ok(Tokens { alice, bob })
    }

    /// A token of this user, who gets an account where there is none.
    async fn sign_in(&self, user: Uuid, email: &str, password: &str) -> anyhow::Result<String> {
        let path = "/auth/v1/token?grant_type=password";
        let body = json!({ "email": email, "password": password });
        let (mut status, mut text) = self.send(path, &self.env.anon_key, Some(body.clone())).await?;
        if status == 400 {
            self.make_account(user, email, password).await?;
            (status, text) = self.send(path, &self.env.anon_key, Some(body)).await?;
        }
        ensure!(status == 200, "{path} answered {status}: {text}");
        let session: Value = serde_json::from_str(&text)?;
        let token = session["access_token"].as_str().context("a session has a token")?;
        ensure!(session["user"]["id"] == user.to_string(), "{email} belongs to another user");
        Ok(token.to_owned())
    }

    /// Adds the account, or gives the one that is there this password: a new `dev.env` has new ones.
    async fn make_account(&self, user: Uuid, email: &str, password: &str) -> anyhow::Result<()> {
        let service = &self.env.service_role_key;
        let account = json!({ "id": user, "email": email, "password": password, "email_confirm": true });
        let (status, text) = self.send("/auth/v1/admin/users", service, Some(account)).await?;
        if status != 422 {
            ensure!(status < 300, "the account {email} cannot be made: {status}: {text}");
            return Ok(());
        }
        let url = format!("{}/auth/v1/admin/users/{user}", self.env.base_url);
        let request = self.http.put(url).header("apikey", &self.env.anon_key).bearer_auth(service);
        let answer = request.json(&json!({ "password": password })).send().await?;
        ensure!(answer.status().is_success(), "the account {email} cannot be changed: {}", answer.text().await?);
        Ok(())
    }
}

/// Whether the host signs users in.
pub(super) async fn signs_in(env: &DevEnv) -> anyhow::Result<bool> {
    Ok(Client::new(env).send("/auth/v1/health", &env.anon_key, None).await?.0 == 200)
}

/// Whose credits the demo's runs need, where the host refuses work without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wallet(Option<CreditsAccount>);

impl Wallet {
    pub(super) fn of(settings: &Settings) -> Self {
        Self((settings.credits == CreditsMode::Enforce).then_some(settings.credits_account))
    }

    /// Grants what the demo may cost to accounts that have less.
    async fn fill(self, client: &Client<'_>) -> anyhow::Result<()> {
        let accounts: &[Option<Uuid>] = match self.0 {
            None => return Ok(()),
            Some(CreditsAccount::User) => &[Some(ALICE), Some(BOB)],
            Some(CreditsAccount::Project) => &[None],
        };
        for user in accounts {
            let path = user.map_or_else(|| "/api/credits".to_owned(), |user| format!("/api/credits?user_id={user}"));
            let account = client.json(&path, &client.env.service_role_key, None).await?;
            if account["available"].as_i64().is_some_and(|available| available >= ENOUGH) {
                continue;
            }
            let grant = json!({ "user_id": user, "amount": ENOUGH, "note": "behalf dev, for its demo" });
            client.json("/api/credits", &client.env.service_role_key, Some(grant)).await?;
        }
        Ok(())
    }
}

/// Milli-credits that the demo's runs do not use up: each is estimated with 1,000 where it has no price.
const ENOUGH: i64 = 100_000;

/// The same agent asked by two users, a hostile statement, and an impostor. Fails if anything it shows is not so.
pub(super) async fn tell(env: &DevEnv, state: DemoState, wallet: Wallet) -> anyhow::Result<()> {
    ensure!(state == DemoState::Intact, "its tables (notes, expenses, budgets) were changed or dropped");
    let client = Client::new(env);
    wallet.fill(&client).await.context("the demo's users get no credits")?;
    let tokens = client.tokens(signs_in(env).await?).await?;
    let agent = client.agent().await?;
    println!("\nOne agent, two users. Each asks with their own token; the tool's SQL names nobody:\n");
    for (name, token, own, other) in
        [("alice", &tokens.alice, "tomatoes", "brakes"), ("bob", &tokens.bob, "brakes", "tomatoes")]
    {
        for message in [QUESTION, REPORT] {
            let answer = client.run(&agent, token, message).await?;
            let content = answer["content"].as_str().unwrap_or_default();
            println!("{name}> {message}\n{}\n", indent(content));
            ensure!(answer["status"] == "completed", "{name}'s run did not complete: {answer}");
            ensure!(!content.contains(other), "{name} saw a row of somebody else");
            ensure!(message != QUESTION || content.contains(own), "{name} did not see an own row");
        }
    }
    let hostile = HOSTILE.replace("VICTIM", &BOB.to_string());
    let (status, text) = client
        .send("/api/tools/database_query/call", &tokens.alice, Some(json!({ "arguments": { "query": hostile } })))
        .await?;
    println!("alice, hostile> {hostile}\n{}\n", indent(&reason(status, &text)));
    ensure!(status == 403 && !text.contains("brakes"), "the hostile statement was not refused: {status} {text}");
    impostor(&client, &agent, &tokens.bob).await
}

/// Bob claims to be Alice; only the service role may act for somebody.
async fn impostor(client: &Client<'_>, agent: &str, bob: &str) -> anyhow::Result<()> {
    let env = client.env;
    let url = format!("{}/api/agents/{agent}/run", env.base_url);
    for (name, token, wanted) in [("bob", bob, 403), ("the app's back end", env.service_role_key.as_str(), 200)] {
        let answer = client
            .http
            .post(&url)
            .header("apikey", &env.anon_key)
            .header("x-behalf-act-as", ALICE.to_string())
            .bearer_auth(token)
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

/// Where to go from here. `letters` is the folder of the letters that the host sends, if it sends them to one.
pub(super) fn print_welcome(env: &DevEnv, state_dir: &Path, signs_in: bool, letters: Option<&Path>) {
    let file = state_dir.join("dev.env");
    println!("Behalf serves {}\n", env.base_url);
    if let Some(letters) = letters.filter(|_| signs_in) {
        println!("Letters to users are files in {}.\n", letters.display());
    }
    let passwords =
        if signs_in { format!(", and the passwords of {ALICE_EMAIL} and {BOB_EMAIL}") } else { String::new() };
    println!(
        "Keys and addresses{passwords} are in {}. To call a tool, read a table and run the agent as alice:\n",
        file.display()
    );
    println!("  . {}", file.display());
    if signs_in {
        println!(
            "  ALICE=$(curl -s \"$BASE_URL/auth/v1/token?grant_type=password\" -H \"apikey: $ANON_KEY\" -H 'Content-Type: application/json' \\\n    \
             -d \"{{\\\"email\\\":\\\"{ALICE_EMAIL}\\\",\\\"password\\\":\\\"$ALICE_PASSWORD\\\"}}\" | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')"
        );
    } else {
        println!("  ALICE=$(cargo run -q --release -- token --sub alice)");
    }
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
