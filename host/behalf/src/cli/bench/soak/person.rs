//! A user: who they are, what they have, and what is known of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::Rng;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use super::canary;
use super::channel::{Device, Owner};
use super::client::{Client, Request};
use super::outside::{Outside, TOOL};
use super::stage::Stage;
use super::tally::Tally;
use crate::cli::bench::killed_hosts::Addresses;

/// Users refresh their sessions so often, and more often than tokens end.
const REFRESH: Duration = Duration::from_mins(4);
const PASSWORD: &str = "mauve lantern 7 xq";

/// What all users share: the agents of one model each, the base, and what others know of each user.
pub(super) struct World {
    pub(super) agents: Vec<Agents>,
    pub(super) knowledge_base: String,
    pub(super) service_key: String,
    /// By the numbers of their users.
    known: Mutex<Vec<Known>>,
}

/// The agents with one model.
pub(super) struct Agents {
    /// Searches the base.
    pub(super) reader: String,
    /// Reads articles.
    pub(super) librarian: String,
    /// Tells its runs to its users' channels.
    pub(super) writer: String,
}

/// Things of a user whose names others learn, as names do become known.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) file: String,
    pub(super) run: String,
    pub(super) session: String,
}

/// A user.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) canary: String,
    pub(super) number: u32,
    pub(super) client: Client,
    pub(super) device: Device,
    /// Sessions by their agents, and how many runs each has.
    pub(super) sessions: HashMap<String, (String, u32)>,
    pub(super) articles: Vec<Uuid>,
    token: watch::Sender<String>,
    refresh_token: String,
    refreshed: Instant,
}

impl World {
    /// What an operator sets up.
    pub(super) async fn make(stage: &Stage, outside: &Outside, tally: &Arc<Tally>, users: u32) -> anyhow::Result<Self> {
        let client = Client::new(stage.hosts(), &stage.anon_key, tally, 0)?;
        let make = async |path: String, body: Value| {
            let made = client.send(Request::post("set-up", path, &stage.service_key, body)).await?;
            made.text_of("id")
        };
        let base = json!({ "name": "files", "contributors": "authenticated" });
        let knowledge_base = make("/api/knowledge-bases".to_owned(), base).await?;
        let query = json!({ "type": "object", "properties": { "query": { "type": "string" } }, "required": ["query"] });
        let config =
            json!({ "endpoint": format!("http://{}/search-articles", outside.address), "read_only": "declared" });
        let tool = json!({ "name": TOOL, "description": "Searches articles.", "type": "http", "input_schema": query, "config": config });
        make("/api/tools".to_owned(), tool).await?;
        let mut agents = Vec::new();
        for model in ["openai/scripted", "builtin/extractive"] {
            let agent = async |name: &str, settings: Value, tools: &[(&str, &str)]| {
                let id = make("/api/agents".to_owned(), json!({ "name": name, "model": model, "settings": settings }))
                    .await?;
                for (kind, tool) in tools {
                    make(format!("/api/agents/{id}/tools"), json!({ "tool_type": kind, "tool_name": tool })).await?;
                }
                anyhow::Ok(id)
            };
            let reader = agent("reader", json!({}), &[]).await?;
            make(format!("/api/agents/{reader}/knowledge-bases"), json!({ "knowledge_base_id": knowledge_base }))
                .await?;
            let librarian = agent("librarian", json!({}), &[("builtin", "database_query"), ("custom", TOOL)]).await?;
            let writer = agent("writer", json!({ "mirror_to_channel": true }), &[("builtin", "echo")]).await?;
            agents.push(Agents { reader, librarian, writer });
        }
        let known = Mutex::new(vec![Known::default(); usize::try_from(users)?]);
        Ok(Self { agents, knowledge_base, service_key: stage.service_key.clone(), known })
    }

    /// Changes what is known of a user.
    pub(super) fn tell(&self, number: u32, tell: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = usize::try_from(number).ok().and_then(|number| known.get_mut(number)) {
            tell(known);
        }
    }

    /// Somebody else, by chance.
    pub(super) fn other_than(&self, number: u32) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let others = u32::try_from(known.len()).ok()?.checked_sub(1).filter(|others| *others > 0)?;
        let chosen = (number + 1 + rand::rng().random_range(0..others)) % (others + 1);
        known.get(usize::try_from(chosen).ok()?).cloned()
    }

    /// The agents of one model, by chance.
    pub(super) fn agents(&self) -> anyhow::Result<&Agents> {
        self.agents.get(rand::rng().random_range(0..self.agents.len().max(1))).context("no agents")
    }
}

/// What a user is before they have signed in.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) number: u32,
    pub(super) id: String,
    email: String,
}

impl Account {
    /// Signs a user up, by the app's back end.
    pub(super) async fn make(number: u32, world: &World, stage: &Stage, tally: &Arc<Tally>) -> anyhow::Result<Self> {
        let client = Client::new(stage.hosts(), &stage.anon_key, tally, number)?;
        let email = format!("user-{number}@example.com");
        let body = json!({ "email": email, "password": PASSWORD, "email_confirm": true });
        let made = client.send(Request::post("set-up", "/auth/v1/admin/users", &world.service_key, body)).await?;
        let id = made.text_of("id")?;
        world.tell(number, |known| known.id.clone_from(&id));
        Ok(Self { number, id, email })
    }

    /// Signs in. `other` is the user at whose public topic the device listens.
    pub(super) async fn sign_in(
        &self,
        hosts: Addresses,
        anon_key: &str,
        tally: &Arc<Tally>,
        other: &str,
    ) -> anyhow::Result<Person> {
        // The device finds out by itself which host is there, and so does the client.
        let elsewhere = Client::new(hosts.clone(), anon_key, tally, self.number)?;
        let client = Client::new(hosts, anon_key, tally, self.number)?;
        let body = json!({ "email": self.email, "password": PASSWORD });
        let path = "/auth/v1/token?grant_type=password";
        let session = client.send(Request::post("session.sign_in", path, anon_key, body)).await?;
        let (token, present) = watch::channel(session.text_of("access_token")?);
        let owner = Owner { id: self.id.clone(), number: self.number, other: other.to_owned(), token: present };
        let device = Device::start(elsewhere, owner);
        Ok(Person {
            id: self.id.clone(),
            canary: canary::word(self.number),
            number: self.number,
            client,
            device,
            sessions: HashMap::new(),
            articles: (0..5).map(|_| Uuid::new_v4()).collect(),
            token,
            refresh_token: session.text_of("refresh_token")?,
            refreshed: Instant::now(),
        })
    }
}

impl Person {
    /// The present token.
    pub(super) fn token(&self) -> String {
        self.token.borrow().clone()
    }

    /// Whether the session is to be refreshed.
    pub(super) fn is_due(&self) -> bool {
        self.refreshed.elapsed() > REFRESH
    }

    /// Gets another token for the session, as clients do before the present one ends.
    pub(super) async fn refresh(&mut self) -> anyhow::Result<()> {
        let body = json!({ "refresh_token": self.refresh_token });
        let path = "/auth/v1/token?grant_type=refresh_token";
        let anon_key = self.client.anon_key().to_owned();
        let session = self.client.send(Request::post("session.refresh", path, &anon_key, body)).await?;
        self.refresh_token = session.text_of("refresh_token")?;
        self.token.send_replace(session.text_of("access_token")?);
        self.refreshed = Instant::now();
        Ok(())
    }
}
