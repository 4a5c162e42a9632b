//! The body of a request that makes a session.

use behalf_identity::Principal;
use behalf_web::ApiError;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::uuid_field;
use crate::ids;
use crate::store::Seed;

/// Messages that a session may begin with.
const MAX_SEEDS: usize = 200;
/// Characters of one of them.
const MAX_SEED_CHARS: usize = 20_000;

/// A session to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct CreateSession {
    /// The user whose session it is; for the service role.
    #[schema(value_type = Option<Uuid>)]
    user_id: Option<Value>,
    /// Messages that the session begins with: questions of the user and answers of the agent in turn.
    #[schema(value_type = Option<Vec<SeedMessage>>)]
    initial_messages: Option<Value>,
}

/// A message that a session begins with.
#[derive(Debug, Deserialize, ToSchema)]
struct SeedMessage {
    /// `user` or `assistant`.
    role: String,
    /// 1 to 20000 characters.
    content: String,
}

impl CreateSession {
    /// Takes a body apart.
    pub(super) fn read(body: &Value) -> Result<Self, ApiError> {
        if !body.is_object() {
            return Err(ApiError::bad_request("send a JSON object"));
        }
        Self::deserialize(body).map_err(|error| ApiError::bad_request(error.to_string()))
    }

    /// The user whose session it is to be, and the questions and answers that it begins with.
    pub(super) fn check(self, principal: &Principal) -> Result<(Option<Uuid>, Vec<Seed>), ApiError> {
        let seeds = self.seeds()?;
        let owner = self.owner(principal, seeds.is_empty())?;
        Ok((owner, seeds))
    }

    /// The caller, or the user whom the service role names.
    fn owner(self, principal: &Principal, is_empty: bool) -> Result<Option<Uuid>, ApiError> {
        if !principal.is_service() {
            // A caller who may not choose an owner learns that first, whatever the field holds.
            return match self.user_id {
                Some(_) => Err(ApiError::forbidden("user_id may only be set with the project's service role key")),
                None => Ok(principal.subject()),
            };
        }
        let named = match self.user_id {
            None => None,
            Some(Value::String(id)) => uuid_field(Some(id), "user_id")?,
            Some(_) => return Err(ApiError::bad_request("user_id must be a string")),
        };
        if named.is_none() && !is_empty {
            return Err(ApiError::bad_request("user_id is required with initial_messages"));
        }
        Ok(named)
    }

    fn seeds(&self) -> Result<Vec<Seed>, ApiError> {
        let messages = match &self.initial_messages {
            None => return Ok(Vec::new()),
            Some(Value::Array(messages)) => messages,
            Some(_) => return Err(ApiError::bad_request("initial_messages must be a list")),
        };
        if messages.len() > MAX_SEEDS {
            return Err(ApiError::bad_request("initial_messages may have at most 200 messages"));
        }
        let pair = |pair: &[Value]| match pair {
            [question, answer] => Some(Seed {
                run_id: ids::seed_id(),
                question: content(question, "user")?,
                answer: content(answer, "assistant")?,
            }),
            _ => None,
        };
        let seeds: Option<Vec<_>> = messages.chunks(2).map(pair).collect();
        seeds.ok_or_else(|| {
            ApiError::bad_request(
                "initial_messages must alternate user and assistant, in pairs, with contents of 1 to 20000 characters",
            )
        })
    }
}

/// The content of a message of this role.
fn content(message: &Value, role: &str) -> Option<String> {
    let message = SeedMessage::deserialize(message).ok()?;
    let fits = message.role == role && (1..=MAX_SEED_CHARS).contains(&message.content.chars().count());
    fits.then_some(message.content)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seeds(messages: &Value) -> Result<usize, ApiError> {
        CreateSession::read(&json!({ "initial_messages": messages }))?.seeds().map(|seeds| seeds.len())
    }

    #[test]
    fn a_session_begins_with_pairs_of_question_and_answer() {
        let (user, agent) = (json!({ "role": "user", "content": "a" }), json!({ "role": "assistant", "content": "b" }));
        assert!(matches!(seeds(&json!([user, agent, user, agent])), Ok(2)));
        for bad in [
            json!([user]),
            json!([agent, user]),
            json!([user, user]),
            json!([user, { "role": "assistant", "content": "" }]),
            json!("a"),
        ] {
            assert!(seeds(&bad).is_err());
        }
        assert!(CreateSession::read(&json!(["a"])).is_err());
    }
}
