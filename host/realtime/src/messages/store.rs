//! Stores a message as the caller who sends it.

use std::fmt::Write as _;

use behalf_caller_db::{AppLimits, CallerDb, FixedAccess};
use behalf_identity::Principal;

use crate::event::{Broadcast, Payload};
use crate::rights::{DEADLINE, RightsError, run};

/// Nothing is answered.
const LIMITS: AppLimits = AppLimits { max_bytes: 1_024, deadline: DEADLINE };

/// Whether it may is decided by the INSERT policies. Triggers tell the hosts, which publish it after the commit.
const STORE: &str = "
    insert into realtime.messages (topic, extension, event, payload, binary_payload, private)
    values ($1, 'broadcast', $2, $3::text::jsonb, $4::text::bytea, $5::text::boolean)";

/// Stores a message, so that every host publishes it once and it can be replayed. The policies on `realtime.messages` decide whether the
/// caller may.
pub(crate) async fn store(db: &CallerDb, principal: &Principal, message: &Broadcast) -> Result<(), RightsError> {
    let topic = message.room.topic();
    let (json, bytes) = match &message.payload {
        Payload::Json(text) => (Some(std::str::from_utf8(text).map_err(|_| RightsError::Payload)?), None),
        Payload::Binary(bytes) => (None, Some(bytea(bytes))),
    };
    if message.event.contains('\0') {
        return Err(RightsError::Payload);
    }
    let is_private = if message.room.is_private() { "true" } else { "false" };
    let params = [Some(topic), Some(&*message.event), json, bytes.as_deref(), Some(is_private)];
    match run(db, principal, FixedAccess::Write, topic, STORE, &params, LIMITS).await {
        // A character that no text of the database can hold, no JSON, or a number without end. So may a policy fail.
        Err(RightsError::Policy(code)) if matches!(code.as_str(), "22P02" | "22P05" | "22003" | "22021") => {
            Err(RightsError::Payload)
        }
        done => done.map(|_| ()),
    }
}

/// Bytes as the server reads them.
fn bytea(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_the_server_reads_them() {
        assert_eq!(bytea(&[]), "\\x");
        assert_eq!(bytea(&[0, 1, 0xab, 0xff]), "\\x0001abff");
    }
}
