//! Checks of the settings of `/auth/v1`.

use behalf_auth::{HookState, examine_hook};
use behalf_config::{AuthSettings, Face, JwtAlgorithm, Settings};
use behalf_telemetry::Finding;

use crate::app::token_hook;
use crate::cli::host_db::host_db;

/// Whether strangers can sign up, whether letters go out, where links may lead, and whether the hook can be called.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    const NAME: &str = "sign-in";
    let auth = &settings.auth;
    match &auth.face {
        None if settings.jwt_secret.is_none() && auth.auth_jwt_algorithm == JwtAlgorithm::Hs256 => {
            return vec![Finding::ok(NAME, "/auth/v1 is off, because there is no secret to sign tokens with")];
        }
        None | Some(Face::On) => {}
        Some(Face::Off) => return vec![Finding::ok(NAME, "/auth/v1 is switched off")],
        Some(Face::At(there)) => return vec![Finding::ok(NAME, format!("/auth/v1 is at {there}"))],
    }
    let mut findings = vec![sign_up(auth), passwords(auth), site(auth)];
    findings.extend(redirects(&auth.auth_redirect_urls));
    findings.extend(hook(settings).await);
    findings
}

/// Whether the function that changes claims can be called. Where it cannot, nobody gets a token.
async fn hook(settings: &Settings) -> Option<Finding> {
    const NAME: &str = "token-hook";
    let function = match token_hook(&settings.auth) {
        Ok(function) => function?,
        Err(error) => return Some(Finding::error(NAME, error.to_string(), "BEHALF_AUTH_TOKEN_HOOK=schema.name")),
    };
    settings.host_database_url.as_ref()?;
    let Ok(db) = host_db(settings).await else {
        return Some(Finding::skipped(NAME, "the database cannot be reached as the host"));
    };
    let state = examine_hook(&db, &function).await;
    db.close().await;
    Some(match state {
        Ok(state) => judge_hook(NAME, &function, state),
        Err(error) => Finding::skipped(NAME, format!("cannot be asked: {error}")),
    })
}

fn judge_hook(name: &'static str, function: &str, state: HookState) -> Finding {
    let schema = function.split_once('.').map_or(function, |(schema, _)| schema);
    let closed = |what: &str, grant: String| {
        let found = format!("supabase_auth_admin may not {what}, so nobody can sign in");
        Finding::warning(name, found, grant)
    };
    match state {
        HookState::Callable => Finding::ok(name, format!("{function} changes claims")),
        HookState::Unserved => {
            Finding::skipped(name, "users of this database are another service's, or it needs the migrations")
        }
        HookState::Missing => Finding::warning(
            name,
            format!("there is no function {function}(jsonb), so nobody can sign in"),
            format!(
                "create function {function}(event jsonb) returns jsonb as docs/auth.md shows, or unset BEHALF_AUTH_TOKEN_HOOK"
            ),
        ),
        HookState::SchemaClosed => closed(
            &format!("use the schema {schema} of {function}"),
            format!("grant usage on schema {schema} to supabase_auth_admin;"),
        ),
        HookState::Closed => closed(
            &format!("execute {function}(jsonb)"),
            format!("grant execute on function {function}(jsonb) to supabase_auth_admin;"),
        ),
    }
}

fn sign_up(auth: &AuthSettings) -> Finding {
    const NAME: &str = "sign-up";
    let has_letters = auth.smtp_url.is_some() || auth.auth_mail_folder.is_some();
    if auth.auth_autoconfirm && auth.auth_signup {
        return Finding::warning(
            NAME,
            "anybody can sign up with an address that belongs to somebody else, because none is confirmed",
            "unset BEHALF_AUTH_AUTOCONFIRM, or set BEHALF_AUTH_SIGNUP=false",
        );
    }
    if !auth.auth_autoconfirm && !has_letters {
        return Finding::warning(
            NAME,
            "addresses have to be confirmed, and no letter can be sent: nobody who signs up can sign in",
            "set BEHALF_SMTP_URL and BEHALF_SMTP_FROM, or BEHALF_AUTH=off if another server signs users in",
        );
    }
    Finding::ok(NAME, if auth.auth_signup { "with a confirmed address" } else { "by invitation only" })
}

fn site(auth: &AuthSettings) -> Finding {
    const NAME: &str = "site-url";
    match auth.auth_site_url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => Finding::ok(NAME, format!("links lead to {url}")),
        None => Finding::warning(
            NAME,
            "AUTH_SITE_URL is not set: links in letters lead to this host, not to the app",
            "set BEHALF_AUTH_SITE_URL to the app's address",
        ),
    }
}

fn passwords(auth: &AuthSettings) -> Finding {
    const NAME: &str = "passwords";
    if auth.auth_password_common {
        let found = "passwords that guessers try first are accepted, such as password123";
        return Finding::warning(NAME, found, "unset BEHALF_AUTH_PASSWORD_COMMON");
    }
    Finding::ok(NAME, "those that guessers try first are refused")
}

/// How far a pattern of addresses reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The hosts that it names.
    Named,
    /// Hosts that somebody else can register.
    Strangers,
    /// Every host.
    Everywhere,
}

/// Links carry sessions, so where they may lead decides who can take one.
fn redirects(patterns: &[String]) -> Vec<Finding> {
    const NAME: &str = "redirect-addresses";
    const FIX: &str =
        "write whole host names in BEHALF_AUTH_REDIRECT_URLS, as in https://app.example/** or https://*.app.example/**";
    let findings: Vec<_> = patterns
        .iter()
        .filter_map(|pattern| match reach(pattern) {
            Reach::Named => None,
            Reach::Strangers => Some(Finding::warning(
                NAME,
                format!("{pattern} also fits hosts of strangers, who could get users' sessions"),
                FIX,
            )),
            Reach::Everywhere => Some(Finding::error(
                NAME,
                format!("{pattern} fits every host: a link could send anybody a user's session"),
                FIX,
            )),
        })
        .collect();
    if findings.is_empty() { vec![Finding::ok(NAME, "every pattern names its hosts")] } else { findings }
}

/// `*` stands for anything but `.` and `/`, `**` for anything, `?` for one such character.
fn reach(pattern: &str) -> Reach {
    let Some((scheme, rest)) = pattern.split_once("://") else {
        return if pattern.contains('*') { Reach::Everywhere } else { Reach::Named };
    };
    let scheme = scheme.to_lowercase();
    // An app's own scheme opens that app, whatever follows.
    if !scheme.contains(['*', '?']) && scheme != "http" && scheme != "https" {
        return Reach::Named;
    }
    let host = rest.split(['/', '#']).next().unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .map_or(host, |(host, port)| if port.chars().all(|c| c.is_ascii_digit() || c == '*') { host } else { rest });
    let is_wild = |label: &str| !label.is_empty() && label.chars().all(|c| matches!(c, '*' | '?'));
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        _ if labels.iter().all(|label| is_wild(label)) => Reach::Everywhere,
        // `**` also fits a `/`, so that what follows it is no part of the host any more.
        _ if host.contains("**") => Reach::Strangers,
        // A wild name below a whole top-level domain, or a wild top-level domain.
        [.., last] if is_wild(last) => Reach::Strangers,
        [wild, _] if is_wild(wild) => Reach::Strangers,
        _ => Reach::Named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_judged_by_the_hosts_that_it_fits() {
        for (pattern, wanted) in [
            ("https://app.example/**", Reach::Named),
            ("https://*.app.example/**", Reach::Named),
            ("http://localhost:3000/**", Reach::Named),
            ("http://localhost:*/**", Reach::Named),
            ("https://app.example/*?next=**", Reach::Named),
            ("myapp://**", Reach::Named),
            ("https://app.example", Reach::Named),
            ("https://app.example**", Reach::Strangers),
            ("https://**.app.example/**", Reach::Strangers),
            ("https://**app.example/", Reach::Strangers),
            ("https://*.example", Reach::Strangers),
            ("https://app.*", Reach::Strangers),
            ("https://**", Reach::Everywhere),
            ("https://*/**", Reach::Everywhere),
            ("https://*.*/**", Reach::Everywhere),
            ("http*://**", Reach::Everywhere),
            ("**", Reach::Everywhere),
            ("*", Reach::Everywhere),
            ("https://**/callback", Reach::Everywhere),
        ] {
            assert_eq!(reach(pattern), wanted, "{pattern}");
        }
    }
}
