//! Tries the policies of private channels: a user who does not exist asks for a channel that nobody made. Whoever may use that one may
//! use every other.
//!
//! It is asked as the host asks before somebody joins, in a transaction that is rolled back.

use behalf_host_db::bind::{Access, set_claims, set_role};
use behalf_identity::{CallerKey, Principal, Role};
use behalf_pgwire::{Conn, Step, Target, WireError};
use behalf_telemetry::Finding;

use super::Scope;
use super::logins::{LOG_IN_TIME, one_session, principal};
use crate::tool_pool::{ToolPool, text_row};

const NAME: &str = "channel-trial";
const TIMEOUT: &str = "set local statement_timeout = '3s'";
const MAX_BYTES: usize = 64 * 1024;

/// No row where an owner has decided to keep it so.
const ASK: &str = r"
    select (r.read_broadcast or r.read_presence)::text, (r.write_broadcast or r.write_presence)::text,
        coalesce(r.read_failed, r.write_failed, '')
    from behalf_realtime.rights('behalf-doctor-' || gen_random_uuid()) r
    where not exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace
          left join pg_policy p on p.polrelid = c.oid
          join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid = 0
            or d.classoid = 'pg_policy'::regclass and d.objoid = p.oid
        where n.nspname = 'realtime' and c.relname = 'messages' and d.description ~* '\mbehalf: reviewed\M')";

/// Asks as a user who does not exist, and as a caller without a user.
pub(super) async fn examine(tools: &Target, scope: &Scope) -> Finding {
    let pool = ToolPool::new(tools, None, one_session(&scope.logins));
    let mut open = Vec::new();
    for (role, who) in [(Role::Authenticated, "a user who does not exist"), (Role::Anon, "a caller without a user")] {
        // A login that does not work is the finding of another check.
        let Ok(mut lease) = pool.lease(role, CallerKey::Role(role), LOG_IN_TIME).await else {
            return Finding::skipped(NAME, "needs the tool logins");
        };
        let (Ok(conn), Some(caller)) = (lease.conn(), principal(role).await) else {
            return Finding::skipped(NAME, "needs the tool logins");
        };
        match ask(conn, &caller).await {
            Ok(Some([receives, sends, _])) if receives == "true" || sends == "true" => {
                let verbs = if receives == sends {
                    "receive and send"
                } else if receives == "true" {
                    "receive"
                } else {
                    "send"
                };
                open.push(format!("{who} may {verbs}"));
            }
            // Policies that cannot read the topic refuse it.
            Ok(_) => {}
            Err(error) => return Finding::skipped(NAME, format!("cannot be made: {error}")),
        }
        lease.close();
    }
    if open.is_empty() {
        return Finding::ok(NAME, "a private channel that nobody made is closed to users who do not exist");
    }
    let found = format!("in a private channel that nobody made, {}", open.join(", and "));
    let fix = "write policies on realtime.messages with conditions on realtime.topic() that no other channel meets; where it is \
               meant: comment on table realtime.messages is 'behalf: reviewed';";
    Finding::warning(NAME, found, fix)
}

async fn ask(conn: &mut Conn, caller: &Principal) -> Result<Option<[String; 3]>, WireError> {
    let (set_role, set_claims) = (set_role(caller), set_claims(caller));
    let texts = [Access::Write.begin(), set_role, &set_claims, TIMEOUT, ASK, "rollback"];
    let steps: Vec<_> = texts.into_iter().map(|text| Step::command(text, false)).collect();
    match conn.run(&steps, MAX_BYTES).await {
        Ok(answers) => Ok(answers.iter().rev().nth(1).and_then(|answer| text_row(answer.rows.first()?))),
        Err(error) => {
            if matches!(error, WireError::Server { .. }) {
                conn.run(&[Step::command("rollback", false)], 0).await?;
            }
            Err(error)
        }
    }
}
