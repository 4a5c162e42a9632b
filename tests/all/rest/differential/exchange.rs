//! One request to one server.

use std::time::Duration;

use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::{ALICE, BOB, SECRET};
use jsonwebtoken::{EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use super::case::Case;

/// The headers of an answer that a client of the interface may rely on.
pub(super) const HEADERS: [&str; 5] = ["content-type", "content-range", "location", "preference-applied", "allow"];

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Its status.
    pub status: u16,
    /// Those of [`HEADERS`] that it has, and all that begin with `x-` and are the fixture's own.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The member `code` of an error.
    pub(super) fn code(&self) -> Option<String> {
        self.json()?.get("code")?.as_str().map(str::to_owned)
    }

    /// A header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The answer in a few lines.
    pub(super) fn describe(&self) -> String {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| format!("\n      {name}: {value}")).collect();
        let body: String = String::from_utf8_lossy(&self.body).chars().take(600).collect();
        format!("{}{}\n      {}", self.status, headers.concat(), body.replace('\n', "\n      "))
    }
}

/// A server, and the addresses of its tables.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The address before `/TABLE`.
    pub base: String,
    /// Its client.
    pub http: reqwest::Client,
}

impl Server {
    /// A server at this address.
    pub(super) fn at(base: String) -> Self {
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .redirect(redirects)
            // The peer may close a connection after an answer, without saying so.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self { base, http }
    }

    /// Sends the request; writes ask for a rollback.
    pub(super) async fn send(&self, case: &Case) -> Answer {
        let mut request = self.http.request(case.method.clone(), format!("{}{}", self.base, case.path));
        let mut preferences = Vec::new();
        for (name, value) in &case.headers {
            if name.eq_ignore_ascii_case("prefer") {
                preferences.push(value.clone());
            } else {
                request = request.header(name, value);
            }
        }
        if case.writes() {
            preferences.push("tx=rollback".to_owned());
        }
        if !preferences.is_empty() {
            request = request.header("prefer", preferences.join(", "));
        }
        if let Some(bearer) = bearer(&case.sender) {
            request = request.bearer_auth(bearer);
        }
        let names_its_type = case.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if case.body.is_some() && !names_its_type {
            request = request.header("content-type", "application/json");
        }
        match (&case.body, case.writes()) {
            (Some(body), _) => request = request.body(body.clone()),
            (None, true) => request = request.header("content-length", "0"),
            (None, false) => {}
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{}: {}: {error:?}", self.base, case.place));
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .filter(|(name, _)| HEADERS.contains(&name.as_str()) || is_own(name.as_str()))
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        headers.sort();
        let status = response.status().as_u16();
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }
}

/// Headers that the functions of the fixture set.
fn is_own(name: &str) -> bool {
    ["x-one", "x-two", "x-checked", "x-header", "x-a", "x-b"].contains(&name)
}

/// The token of a sender.
fn bearer(sender: &str) -> Option<String> {
    let signed = |claims: Value, secret: &str| {
        jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    };
    let claims = |role: &str, expires: u64| json!({"sub": ALICE.to_string(), "role": role, "aud": "authenticated", "exp": expires});
    let far = 4_000_000_000;
    Some(match sender {
        "alice" => token(ALICE),
        "bob" => token(BOB),
        "anon" => anon_key(),
        "service" => service_key(),
        "nobody" => return None,
        "forged" => {
            mint_token("another-secret-that-is-long-enough-for-hs256", &TokenRequest::for_user(&ALICE.to_string()))
                .unwrap()
        }
        "expired" => signed(claims("authenticated", 1_000_000_000), SECRET),
        "unknown_role" => signed(claims("nobody_knows", far), SECRET),
        "no_role" => signed(json!({"sub": ALICE.to_string(), "aud": "authenticated", "exp": far}), SECRET),
        "garbage" => "abc.def".to_owned(),
        other => panic!("{other} is no sender"),
    })
}

/// Whether the answer to this method has a body.
pub(super) fn has_body(method: &Method) -> bool {
    *method != Method::HEAD
}
