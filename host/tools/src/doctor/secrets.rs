//! Finds secrets that tools carry although a signed assertion could replace them. Whoever gets hold of such a secret can act as
//! every caller, or as one caller for a long time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_telemetry::Finding;
use futures::future::BoxFuture;
use serde_json::Value;
use url::Url;

use super::sources::{ToolSource, tool_sources};

const NAME: &str = "tool-secrets";

/// Names of headers that carry a secret.
const HEADERS: [&str; 7] =
    ["authorization", "x-api-key", "apikey", "api-key", "x-auth-token", "x-access-token", "cookie"];
/// Names of parameters of an address that carry a secret.
const PARAMETERS: [&str; 9] =
    ["key", "api_key", "apikey", "token", "access_token", "auth_token", "secret", "password", "sig"];
/// Names of arguments with which a model would have to be told a secret.
const ARGUMENTS: [&str; 9] = [
    "session_token",
    "access_token",
    "user_token",
    "auth_token",
    "bearer_token",
    "id_token",
    "refresh_token",
    "jwt",
    "service_role_key",
];
/// Levels of settings and schemas that are searched.
const MAX_DEPTH: usize = 32;

/// Examines every tool, MCP server and plugin in the database at `address`, which is logged in to as the owner or as the host.
/// `service_key` is the service role's key, where it is known.
pub fn examine_secrets<'a>(address: Option<&'a str>, service_key: Option<&'a str>) -> BoxFuture<'a, Vec<Finding>> {
    Box::pin(async move {
        let Some(address) = address else {
            return vec![Finding::error(
                NAME,
                "no database is set",
                "set BEHALF_DATABASE_URL or BEHALF_HOST_DATABASE_URL",
            )];
        };
        match tool_sources(address).await {
            Ok(sources) => {
                let mut findings: Vec<_> =
                    sources.iter().flat_map(|source| examine_source(source, service_key)).collect();
                if findings.is_empty() {
                    findings.push(Finding::ok(
                        NAME,
                        format!("none of {} tools, servers and plugins carries one", sources.len()),
                    ));
                }
                findings
            }
            Err(error) => {
                let found = format!("the tools cannot be read: {error}");
                vec![Finding::error(NAME, found, "check the address, and that behalf migrate ran")]
            }
        }
    })
}

/// The findings for one tool, server or plugin. They never show the secret itself.
fn examine_source(source: &ToolSource, service_key: Option<&str>) -> Vec<Finding> {
    let what = format!("{} {:?} ({})", source.kind, source.name, source.path);
    let mut findings = Vec::new();
    for (name, value) in source.headers.as_object().into_iter().flatten() {
        findings.extend(in_header(source, &what, name, value.as_str().unwrap_or_default(), service_key));
    }
    let address = source.address.as_deref();
    findings.extend(address.and_then(|address| in_address(&what, &source.path, address, service_key)));
    if holds(&source.settings, 0, &|text| is_jwt(text) || is_service_key(text, service_key)) {
        let fix = format!(
            "take it out (PATCH or PUT {}); a tool that needs to know who calls is told by the host",
            source.path
        );
        findings.push(Finding::error(NAME, format!("{what}: its settings hold a token"), fix));
    }
    for argument in arguments(&source.schema, 0) {
        let fix = format!(
            "take {argument} out of its input schema and of the prompt: the host says who calls, out of the model's sight"
        );
        findings.push(Finding::error(
            NAME,
            format!("{what}: the model is asked for {argument}, which then stands in conversations, events and logs"),
            fix,
        ));
    }
    findings
}

fn in_header(source: &ToolSource, what: &str, name: &str, text: &str, service_key: Option<&str>) -> Option<Finding> {
    let is_asserted = source.settings.get("identity").is_none_or(|identity| identity != "none");
    let fix = format!(
        "take it out of its headers (PUT {}), and check the assertion that is sent instead: docs/from-service-role.md",
        source.path
    );
    let is_bearer = name.eq_ignore_ascii_case("authorization");
    if is_service_key(text, service_key) {
        let fix = format!("{fix}; then make new keys with `behalf keys`, for that one is known elsewhere");
        Some(Finding::error(NAME, format!("{what}: the header {name} holds the service role key"), fix))
    } else if text.split_ascii_whitespace().any(is_jwt) {
        Some(Finding::error(
            NAME,
            format!("{what}: the header {name} holds a token of somebody's, for all callers"),
            fix,
        ))
    } else if is_bearer && is_asserted {
        let found = format!("{what}: a static Authorization is kept and never sent, the assertion takes its place");
        Some(Finding::warning(NAME, found, fix))
    } else if is_bearer {
        let found = format!("{what}: one static Authorization for all callers, and identity is \"none\"");
        Some(Finding::error(NAME, found, format!("set identity to \"assertion\" in its config; {fix}")))
    } else if HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        Some(Finding::warning(NAME, format!("{what}: the header {name} is one secret for all callers"), fix))
    } else {
        None
    }
}

fn in_address(what: &str, path: &str, address: &str, service_key: Option<&str>) -> Option<Finding> {
    let url = Url::parse(address).ok()?;
    let secret = |(name, value): &(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) || is_jwt(value) || is_service_key(value, service_key)
    };
    let (name, _) = url.query_pairs().find(secret)?;
    let fix = format!("take it out of the address (PUT {path}): addresses stand in logs of every server on the way");
    Some(Finding::error(NAME, format!("{what}: the parameter {name} of its address is a secret for all callers"), fix))
}

fn holds(value: &Value, depth: usize, is_secret: &impl Fn(&str) -> bool) -> bool {
    match value {
        _ if depth > MAX_DEPTH => false,
        Value::String(text) => text.split_ascii_whitespace().any(is_secret),
        Value::Array(items) => items.iter().any(|item| holds(item, depth + 1, is_secret)),
        Value::Object(fields) => fields.values().any(|field| holds(field, depth + 1, is_secret)),
        _ => false,
    }
}

/// Names of parameters, at any depth, that ask for somebody's token.
fn arguments(schema: &Value, depth: usize) -> Vec<String> {
    let Value::Object(fields) = schema else { return Vec::new() };
    if depth > MAX_DEPTH {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, field) in fields {
        if name == "properties" {
            let asked = field.as_object().into_iter().flatten().map(|(name, _)| name);
            found.extend(asked.filter(|name| ARGUMENTS.contains(&name.to_ascii_lowercase().as_str())).cloned());
            found.extend(field.as_object().into_iter().flatten().flat_map(|(_, inner)| arguments(inner, depth + 1)));
        } else {
            found.extend(arguments(field, depth + 1));
        }
    }
    found
}

fn is_service_key(text: &str, service_key: Option<&str>) -> bool {
    let word = |word: &str| {
        service_key.is_some_and(|key| key == word)
            || payload(word).is_some_and(|claims| claims.get("role").is_some_and(|role| role == "service_role"))
    };
    text.split_ascii_whitespace().any(word)
}

fn is_jwt(text: &str) -> bool {
    payload(text).is_some()
}

/// The claims of what has the form of a JWT.
fn payload(text: &str) -> Option<Value> {
    let mut parts = text.split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    read(header)?.get("alg")?;
    read(claims).filter(|claims| parts.next().is_none() && claims.is_object())
}

#[cfg(test)]
mod tests {
    use super::*;
    use behalf_identity::{TokenRequest, mint_key, mint_token};
    use behalf_telemetry::Level;
    use serde_json::json;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn source(headers: Value, settings: Value, schema: Value, address: &str) -> ToolSource {
        ToolSource {
            kind: "tool".to_owned(),
            path: "/api/tools/1".to_owned(),
            name: "crm".to_owned(),
            address: Some(address.to_owned()),
            headers,
            settings,
            schema,
        }
    }

    #[test]
    fn each_place_of_a_secret_is_found_and_never_shown() {
        let service = mint_key(SECRET, "service_role").expect("a key");
        let user = mint_token(SECRET, &TokenRequest::for_user("x")).expect("a token");
        let (none, plain) = (json!({}), "https://a.test/x?page=1");
        let cases = [
            (
                source(json!({ "Authorization": format!("Bearer {service}") }), none.clone(), none.clone(), plain),
                Level::Error,
                "service role key",
            ),
            (
                source(json!({ "x-anything": service }), none.clone(), none.clone(), plain),
                Level::Error,
                "service role key",
            ),
            (
                source(json!({ "Authorization": format!("Bearer {user}") }), none.clone(), none.clone(), plain),
                Level::Error,
                "somebody's",
            ),
            (
                source(json!({ "authorization": "Bearer abc" }), none.clone(), none.clone(), plain),
                Level::Warning,
                "never sent",
            ),
            (
                source(json!({ "authorization": "Bearer abc" }), json!({ "identity": "none" }), none.clone(), plain),
                Level::Error,
                "identity",
            ),
            (source(json!({ "X-Api-Key": "abc" }), none.clone(), none.clone(), plain), Level::Warning, "X-Api-Key"),
            (source(none.clone(), none.clone(), none.clone(), "https://a.test/?api_key=abc"), Level::Error, "api_key"),
            (source(none.clone(), json!({ "a": [{ "b": user }] }), none.clone(), plain), Level::Error, "settings"),
            (
                source(
                    none.clone(),
                    none.clone(),
                    json!({ "properties": { "a": { "properties": { "session_token": {} } } } }),
                    plain,
                ),
                Level::Error,
                "session_token",
            ),
        ];
        for (source, level, words) in cases {
            let findings = examine_source(&source, Some(&service));
            let shown = format!("{findings:?}");
            assert!(
                findings.iter().any(|finding| finding.level == level && finding.found.contains(words)),
                "{words}: {shown}"
            );
            assert!(findings.iter().all(|finding| finding.fix.is_some()));
            assert!(!shown.contains(&service) && !shown.contains(&user), "{shown}");
        }
        let fine = source(
            json!({ "accept-language": "de" }),
            json!({ "unit": "eyJ.a.b" }),
            json!({ "properties": { "session": {} } }),
            plain,
        );
        assert_eq!(examine_source(&fine, Some(&service)), []);
    }
}
