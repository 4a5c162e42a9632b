//! Credits for single tool calls. The accounts feature implements these traits, and the tools feature calls them.

use std::fmt::Debug;

use behalf_identity::Principal;
use behalf_problem::{Kind, Problem};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

/// Why work is refused for lack of credits.
#[derive(Debug, Error)]
pub enum CreditError {
    /// The account has too few credits.
    #[error("insufficient_credits")]
    Insufficient {
        /// The account's milli-credits, minus those held for other work.
        balance: i64,
        /// The estimated cost of the work in milli-credits.
        estimated_cost: i64,
    },
    /// The account's credits cannot be read.
    #[error("billing service unreachable; cannot verify balance")]
    Unreachable(#[source] sqlx::Error),
}

impl Problem for CreditError {
    fn kind(&self) -> Kind {
        match self {
            Self::Insufficient { .. } => Kind::InsufficientCredits,
            Self::Unreachable(_) => Kind::BillingUnreachable,
        }
    }

    /// The same body as the platform's, field by field.
    fn exact_body(&self) -> Option<Value> {
        Some(match self {
            Self::Insufficient { balance, estimated_cost } => json!({
                "error": "insufficient_credits", "balance": balance, "estimated_cost": estimated_cost, "renews_at": null,
            }),
            Self::Unreachable(_) => json!({ "error": self.to_string() }),
        })
    }
}

/// Reserves credits for tool calls that are not part of a run.
pub trait CreditLedger: Debug + Send + Sync {
    /// Reserves the estimated cost of one call. Returns `None` if credits are not counted or the caller has no account.
    fn hold_for_call<'a>(
        &'a self,
        principal: &'a Principal,
        tool: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn CreditHold>>, CreditError>>;
}

/// Credits reserved for one call. If this is dropped without a charge or release, the reservation ends when it expires.
pub trait CreditHold: Debug + Send {
    /// Charges the call once, and ends the reservation.
    fn charge(self: Box<Self>, call_id: Uuid) -> BoxFuture<'static, ()>;

    /// Ends the reservation of a call that did not succeed.
    fn release(self: Box<Self>) -> BoxFuture<'static, ()>;
}
