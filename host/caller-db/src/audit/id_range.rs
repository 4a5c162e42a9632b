//! Which ids the calls of a span of time have.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How much the time in an id may differ from `started_at`. A host whose clock is set back goes on from its last id, so
/// that its ids still rise.
const TOLERANCE: TimeDelta = TimeDelta::hours(1);

/// The greatest number of milliseconds since 1970 that an id holds.
const MAX_MILLIS: u64 = (1 << 48) - 1;

/// Bounds for the ids of the calls that began in a span of time. A call's id is a `UUIDv7`, which begins with the time,
/// so the primary key of `ai.tool_calls` finds the rows of a span. The bounds are wider than the span; `started_at`
/// says which of these rows belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallIdRange {
    /// The least id; `None` where the span has no beginning.
    pub first: Option<Uuid>,
    /// The least id after all of the span; `None` where the span has no end.
    pub end: Option<Uuid>,
}

impl CallIdRange {
    /// The ids of calls that began at `from` or later, and before `to`.
    pub fn of(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Self {
        Self {
            first: from.map(|from| least_id(from.checked_sub_signed(TOLERANCE).unwrap_or(from))),
            end: to.map(|to| least_id(to.checked_add_signed(TOLERANCE).unwrap_or(to))),
        }
    }
}

/// The least id of a moment: its first 48 bits are milliseconds since 1970.
fn least_id(moment: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(moment.timestamp_millis()).unwrap_or(0).min(MAX_MILLIS);
    Uuid::from_u128(u128::from(millis) << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_a_moment_are_within_the_bounds_of_its_span_and_of_no_distant_one() {
        let (id, now) = (Uuid::now_v7(), Utc::now());
        let is_in = |from, to| {
            let CallIdRange { first, end } = CallIdRange::of(from, to);
            first.is_none_or(|first| first <= id) && end.is_none_or(|end| id < end)
        };
        let (before, after) = (now - TimeDelta::hours(2), now + TimeDelta::hours(2));
        assert!(
            is_in(None, None) && is_in(Some(before), Some(after)) && is_in(Some(now), None) && is_in(None, Some(now))
        );
        assert!(!is_in(Some(after), None) && !is_in(None, Some(before)));
        // Moments that no id can hold are bounds as well.
        assert!(is_in(Some(DateTime::<Utc>::MIN_UTC), Some(DateTime::<Utc>::MAX_UTC)));
        assert!(!is_in(Some(DateTime::<Utc>::MAX_UTC), None) && !is_in(None, Some(DateTime::<Utc>::MIN_UTC)));
    }
}
