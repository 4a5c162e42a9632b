//! Messages of a private channel that were sent before somebody joined.

use std::sync::Arc;

use behalf_caller_db::{AppLimits, CallerDb, FixedAccess, FixedRow};
use behalf_identity::Principal;
use bytes::Bytes;

use crate::event::{Broadcast, Payload};
use crate::rights::{DEADLINE, RightsError, run};
use crate::room::Room;

/// The most messages at once, as in Supabase Realtime.
const MOST: i64 = 25;

/// Some of the largest messages; they are in memory until they are sent.
const LIMITS: AppLimits = AppLimits { max_bytes: 16 * 1024 * 1024, deadline: DEADLINE };

/// The last millisecond of the year 9999.
const LAST: i64 = 253_402_300_799_999;

/// The newest ones, of which the caller's policies show each. The end of the time keeps tables of days that come from being read.
const REPLAY: &str = "
    select m.id::text, m.event, m.payload::text, encode(m.binary_payload, 'hex')
    from realtime.messages m
    where m.topic = $1 and m.extension = 'broadcast' and m.private is true and m.event is not null
        and m.inserted_at >= timestamp '1970-01-01' + $2::text::bigint * interval '1 millisecond'
        and m.inserted_at < (now() at time zone 'utc') + interval '1 minute'
    order by m.inserted_at desc
    limit $3::text::bigint";

/// The newest messages of a private topic since `since_ms` (milliseconds since 1970), oldest first: `limit` of them, 25 at most. Whoever
/// may not receive there is shown none.
pub(crate) async fn replay(
    db: &CallerDb,
    principal: &Principal,
    topic: &str,
    since_ms: i64,
    limit: i64,
) -> Result<Vec<Broadcast>, RightsError> {
    if since_ms > LAST {
        return Err(RightsError::Since);
    }
    let (since, limit) = (since_ms.max(0).to_string(), limit.clamp(1, MOST).to_string());
    let params = [Some(topic), Some(since.as_str()), Some(limit.as_str())];
    let rows = run(db, principal, FixedAccess::Read, topic, REPLAY, &params, LIMITS).await?;
    let room = Room::new(topic, true);
    Ok(rows.iter().rev().filter_map(|row| message(&room, row)).collect())
}

fn message(room: &Room, row: &FixedRow) -> Option<Broadcast> {
    let (id, event) = (row.text(0)?, row.text(1)?);
    let payload = match (row.text(2), row.text(3)) {
        (Some(json), _) => Payload::Json(Bytes::copy_from_slice(json.as_bytes())),
        (None, Some(hex)) => Payload::Binary(of_hex(hex)?),
        (None, None) => Payload::Json(Bytes::from_static(b"{}")),
    };
    // An id is a UUID, so the text is JSON.
    let meta = Bytes::from(format!(r#"{{"replayed":true,"id":"{id}"}}"#));
    Some(Broadcast { room: room.clone(), event: Arc::from(event), payload, meta: Some(meta) })
}

/// The bytes of pairs of hexadecimal digits.
fn of_hex(text: &str) -> Option<Bytes> {
    hex::decode(text).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_the_form_in_which_the_server_writes_them() {
        assert_eq!(of_hex("0001abff").as_deref(), Some(&[0, 1, 0xab, 0xff][..]));
        assert_eq!(of_hex("").as_deref(), Some(&[][..]));
        for broken in ["0", "0g", "abc"] {
            assert_eq!(of_hex(broken), None, "{broken}");
        }
    }
}
