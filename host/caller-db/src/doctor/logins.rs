//! Checks of the tool logins: each can log in, and the identity that the host binds is the one that policies see.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::tool_pool::{NoLease, ToolPool, ToolSessions, text_row};
use behalf_host_db::LoginNames;
use behalf_host_db::bind::{Access, set_claims, set_role};
use behalf_identity::{
    CallerKey, Principal, Role, TokenRequest, Verifier, VerifierOptions, mint_key, mint_token, new_secret,
};
use behalf_pgwire::{Conn, Step, Target, WireError};
use behalf_telemetry::Finding;

/// How long a log-in may wait for the one before to be over.
pub(super) const LOG_IN_TIME: Duration = Duration::from_secs(10);

/// One session after the other.
pub(super) fn one_session(logins: &LoginNames) -> ToolSessions {
    ToolSessions { logins: logins.clone(), connections: 1, max_wait: LOG_IN_TIME, limit: None }
}

const LOG_IN: &str = "tool-log-in";
const IDENTITY: &str = "identity";
const PLACE: &str = "one-database";

/// Identifies a database and its server process, so that two connections can compare whether they reached the same one.
const PLACE_SQL: &str = "select d.oid::text || '@' || extract(epoch from pg_postmaster_start_time())::text
    from pg_catalog.pg_database d where d.datname = current_database()";

/// The identity of a tool's session, as the session itself sees it.
const SESSION: &str = "select session_user::text, current_user::text, coalesce(auth.uid()::text, ''),
    coalesce(auth.jwt() ->> 'role', '')";

/// The identification of the database that the connection reached.
pub(super) async fn place(conn: &mut PgConnection) -> Option<String> {
    sqlx::query_scalar(PLACE_SQL).fetch_one(conn).await.ok()
}

/// Logs in as each tool login, as calls do, and checks the identity that policies see.
pub(super) async fn examine(tools: &Target, logins: &LoginNames, place: Option<&str>) -> Vec<Finding> {
    let pool = ToolPool::new(tools, None, one_session(logins));
    let mut findings = Vec::new();
    let mut apart = false;
    for role in Role::ALL {
        let login = logins.tool(role);
        let mut lease = match pool.lease(role, CallerKey::Role(role), LOG_IN_TIME).await {
            Ok(lease) => lease,
            Err(NoLease::Wire(error)) => {
                findings.push(cannot_log_in(&login, &error));
                continue;
            }
            Err(NoLease::Busy(_)) => {
                let found = format!("{login} cannot log in: the server does not end the session before");
                findings.push(Finding::error(LOG_IN, found, "look at what the server is doing"));
                continue;
            }
        };
        let Ok(conn) = lease.conn() else { continue };
        if let Some(place) = place {
            let reached = conn.run(&[Step::command(PLACE_SQL, false)], 64 * 1024).await.ok();
            let reached = reached.iter().flatten().flat_map(|answer| &answer.rows).find_map(text_row::<1>);
            apart |= reached.is_some_and(|[reached]| reached != place);
        }
        findings.extend(match principal(role).await {
            Some(principal) => identity(conn, &login, &principal).await,
            None => Some(Finding::skipped(IDENTITY, "no token could be made to try it with")),
        });
        lease.close();
    }
    let let_in = findings.iter().all(|finding| finding.check != LOG_IN);
    if let_in {
        findings.push(Finding::ok(LOG_IN, "all three logins are let in"));
    }
    if findings.iter().all(|finding| finding.check != IDENTITY) {
        findings.push(if let_in {
            Finding::ok(IDENTITY, "the caller that the host binds is the one that policies see")
        } else {
            Finding::skipped(IDENTITY, "needs all three logins")
        });
    }
    findings.push(if apart {
        let fix = "let BEHALF_TOOL_DATABASE_URL name the database of BEHALF_HOST_DATABASE_URL";
        Finding::error(PLACE, "the tools' logins reach another database than the host", fix)
    } else if let_in && place.is_some() {
        Finding::ok(PLACE, "the host and the tools reach the same")
    } else {
        Finding::skipped(PLACE, "needs the host's and all three tool logins")
    });
    findings
}

fn cannot_log_in(login: &str, error: &WireError) -> Finding {
    let fix = match error.sqlstate() {
        Some("28P01" | "28000") => {
            "let BEHALF_TOOL_DATABASE_URL hold the logins' password, then run behalf migrate, which sets it; pg_hba.conf has to admit them"
        }
        Some("42501") => "grant connect on the database to the tool logins",
        _ => "check the host and port in BEHALF_TOOL_DATABASE_URL",
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Finding::error(LOG_IN, format!("{login} cannot log in: {error}{cause}"), fix)
}

/// Makes a caller for the check from a verified token, as all callers are made.
pub(super) async fn principal(role: Role) -> Option<Arc<Principal>> {
    let secret = new_secret().ok()?;
    let (anon, service) = (mint_key(&secret, "anon").ok()?, mint_key(&secret, "service_role").ok()?);
    let token = match role {
        Role::Anon => anon.clone(),
        Role::Service => service.clone(),
        Role::Authenticated => mint_token(&secret, &TokenRequest::for_user(&Uuid::new_v4().to_string())).ok()?,
    };
    let options = VerifierOptions {
        secret: Some(secret.into_bytes()),
        anon_key: Some(anon),
        service_key: Some(service),
        ..VerifierOptions::default()
    };
    Verifier::new(options).ok()?.verify(&token).await.ok()
}

/// Binds the caller as a call does, and reads the session's identity back.
async fn identity(conn: &mut Conn, login: &str, principal: &Principal) -> Option<Finding> {
    let role = principal.role().as_str();
    let bound = principal.subject().map(|id| id.to_string()).unwrap_or_default();
    let (set_role, set_claims) = (set_role(principal), set_claims(principal));
    let steps =
        [Access::Read.begin(), set_role, &set_claims, SESSION, "rollback"].map(|text| Step::command(text, false));
    let wrong = |found: String, fix: &str| Some(Finding::error(IDENTITY, found, fix));
    let answers = match conn.run(&steps, 64 * 1024).await {
        Ok(answers) => answers,
        Err(error) => {
            return wrong(
                format!("{login} cannot take an identity: {error}"),
                "see the checks memberships and auth-functions",
            );
        }
    };
    let row = answers.iter().flat_map(|answer| &answer.rows).find_map(text_row::<4>);
    let Some([session, current, seen, seen_role]) = row else {
        return wrong(format!("{login} got no answer"), "let no pooler in between change what is answered");
    };
    if session != login || current != role {
        return wrong(
            format!("a session of {login} is {session}, as {current}"),
            "let no pooler in between change who logs in",
        );
    }
    if seen != bound || seen_role != role {
        let found = format!("policies of {login} see {seen_role:?} {seen:?} where {role:?} {bound:?} was bound");
        return wrong(found, "see the check auth-functions");
    }
    None
}
