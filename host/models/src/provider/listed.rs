//! The models that an endpoint lists. Many endpoints of `OpenAI`'s protocol do, and some list patterns or none.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use serde::Deserialize;

use super::Provider;
use crate::name::Family;

/// How long an operator who names a model waits for the list.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most bytes of a list: a gateway to all providers lists some hundred models.
const MAX_BYTES: usize = 4 << 20;

#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

impl Provider {
    /// The names of the deployment's own endpoint, as it calls its models. None where there is no such endpoint, where it lists none now,
    /// and where it lists patterns, which may stand for any name.
    pub(crate) async fn listed(&self) -> Option<Vec<String>> {
        let url = format!("{}models", self.base_url.as_ref()?.for_family(Family::OpenAi));
        let mut asked = self.http.get(url).timeout(PATIENCE);
        if let Some(key) = &self.api_key {
            asked = asked.header(AUTHORIZATION, format!("Bearer {}", key.expose()));
        }
        let mut response = asked.send().await.ok().filter(|response| response.status().is_success())?;
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.ok()? {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_BYTES {
                return None;
            }
        }
        let List { data } = serde_json::from_slice(&body).ok()?;
        let names: Vec<_> = data.into_iter().map(|one| one.id).collect();
        (!names.is_empty() && !names.iter().any(|name| name.contains('*'))).then_some(names)
    }
}
