//! What the page needs to begin: the project's public key, the agent, and the two users with their passwords.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use utoipa::ToSchema;

/// A text that a user can upload without having a file at hand.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = DemoSample)]
pub struct Sample {
    /// The name of the file.
    pub name: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// Texts about the trips of two users: the same question has another answer in each.
pub const TRIPS: [Sample; 2] = [
    Sample { name: "trip-of-alice.md", text: include_str!("../chat/samples/trip-of-alice.md") },
    Sample { name: "trip-of-bob.md", text: include_str!("../chat/samples/trip-of-bob.md") },
];

/// A user of the demo.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = DemoUser)]
pub struct ChatUser {
    /// The name on the pane.
    pub name: &'static str,
    /// The address with which the user signs in.
    pub email: &'static str,
    /// The password.
    pub password: String,
    /// The text that is prepared for this user.
    pub sample: Sample,
}

/// What the page needs to begin.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = DemoSetup)]
pub struct ChatSetup {
    /// The project's public key.
    pub anon_key: String,
    /// The agent that both users ask.
    pub agent_id: String,
    /// The agent's knowledge base, to which both users add their files.
    pub knowledge_base_id: String,
    /// The users, from left to right.
    pub users: Vec<ChatUser>,
}

/// The demo of a host that is about to start. The page says that it is being prepared until [`ChatDemo::begin`] was called.
#[derive(Clone, Default)]
pub struct ChatDemo(Arc<OnceLock<ChatSetup>>);

impl ChatDemo {
    /// From now on the page can begin.
    pub fn begin(&self, setup: ChatSetup) {
        self.0.set(setup).ok();
    }

    /// What the page needs to begin, once it is there.
    pub(crate) fn setup(&self) -> Option<&ChatSetup> {
        self.0.get()
    }
}
