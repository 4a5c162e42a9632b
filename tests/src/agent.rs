//! Agents: makes one, and asks it.

use serde_json::json;

use crate::{App, ScriptedModel, User};

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
