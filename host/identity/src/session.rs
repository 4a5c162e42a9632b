//! Whether the session of a token still exists.

use futures::future::BoxFuture;
use uuid::Uuid;

/// Knows the sessions of this host's own users.
pub trait SessionStore: std::fmt::Debug + Send + Sync {
    /// Whether this session exists and has not ended.
    fn is_live(&self, session: Uuid) -> BoxFuture<'_, Result<bool, Box<dyn std::error::Error + Send + Sync>>>;
}
