//! Agents: makes one, and asks it.

use serde_json::{Value, json};

use crate::{App, ScriptedModel, User, eventually};

impl App {
    /// Makes an agent with the host's default model and these tools, and returns its id.
    pub async fn agent(&self, tools: &[&str]) -> String {
        let made = self.post(&User::Service, "/api/agents", json!({"name": "helper", "system_prompt": "Help."})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = made.json["id"].as_str().unwrap().to_owned();
        for tool in tools {
            let body = json!({"tool_type": "builtin", "tool_name": tool});
            let assigned = self.post(&User::Service, &format!("/api/agents/{id}/tools"), body).await;
            assert_eq!(assigned.status, 201, "{}", assigned.text);
        }
        id
    }

    /// Asks an agent and waits for the answer.
    pub async fn ask(&self, user: &User, agent: &str, message: &str) -> crate::Answer {
        self.post(user, &format!("/api/agents/{agent}/run"), json!({ "message": message })).await
    }

    /// Waits until a run asks this user whether it may call this tool, and returns the run's id.
    pub async fn run_that_asks(&self, user: &User, tool: &str) -> String {
        let mut run = String::new();
        eventually("a run asks", async || {
            let waiting = self.get(user, "/api/approvals?status=pending").await;
            let first = &waiting.json["approvals"][0];
            first["run_id"].as_str().unwrap_or_default().clone_into(&mut run);
            first["tool_name"] == tool
        })
        .await;
        run
    }

    /// Says as this user whether the call may be made for which the run waits.
    pub async fn decide(&self, user: &User, run: &str, decision: Value) {
        let decided = self.post(user, &format!("/api/agents/runs/{run}/approve"), decision).await;
        assert_eq!(decided.status, 200, "{}", decided.text);
    }
}

impl ScriptedModel {
    /// Settings that make this the default model of a host.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("model_base_url", self.url.clone()),
            ("model_api_key", "a-key".to_owned()),
            ("model_default", "openai/scripted".to_owned()),
        ]
    }
}
