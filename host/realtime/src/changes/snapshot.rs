//! Which transactions other sessions see.
//!
//! The log tells of a commit when it is written, which is a moment before other sessions see what it changed: the server takes the
//! transaction off the list of the running ones last, and before that waits for its standbys. Who is asked in between does not see the
//! row. So changes are handed on when a snapshot has them, and every later snapshot has them as well.

/// A snapshot of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// All before this one have ended.
    first: u32,
    /// This one and all later ones have not begun.
    next: u32,
    /// Those in between that run.
    running: Vec<u32>,
}

impl Snapshot {
    /// Reads `xmin:xmax:xip,…` (<https://www.postgresql.org/docs/16/functions-info.html>, `pg_snapshot`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (first, next, running) = (number(parts.next()?)?, number(parts.next()?)?, parts.next()?);
        let running = running.split(',').filter(|xid| !xid.is_empty()).map(number).collect::<Option<_>>()?;
        parts.next().is_none().then_some(Self { first, next, running })
    }

    /// Whether it has the changes of a transaction that the log says has committed.
    pub(super) fn has(&self, xid: u32) -> bool {
        is_before(xid, self.first) || is_before(xid, self.next) && !self.running.contains(&xid)
    }
}

/// A transaction's number as the log has it: the lower half.
fn number(text: &str) -> Option<u32> {
    u32::try_from(text.parse::<u64>().ok()? & u64::from(u32::MAX)).ok()
}

/// Numbers begin anew after 2³². Of two that are in use at the same time, the earlier one is less than 2³¹ behind.
fn is_before(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(snapshot: &str, xids: &[u32]) -> Vec<bool> {
        let snapshot = Snapshot::parse(snapshot).expect(snapshot);
        xids.iter().map(|xid| snapshot.has(*xid)).collect()
    }

    #[test]
    fn transactions_that_run_or_have_not_begun_are_not_seen() {
        assert_eq!(which("10:14:10,12", &[9, 10, 11, 12, 13, 14]), [true, false, true, false, true, false]);
        assert_eq!(which("10:10:", &[9, 10]), [true, false]);
    }

    #[test]
    fn numbers_begin_anew() {
        // 2³² - 2 runs, and 2³² + 5 comes next.
        let snapshot = "4294967294:4294967301:4294967294";
        assert_eq!(
            which(snapshot, &[u32::MAX - 2, u32::MAX - 1, u32::MAX, 3, 4, 5]),
            [true, false, true, true, true, false]
        );
    }

    #[test]
    fn another_text_is_no_snapshot() {
        for text in ["", "1", "1:2", "1:2:x", "1:2:3:4", "a:2:"] {
            assert_eq!(Snapshot::parse(text), None, "{text}");
        }
    }
}
