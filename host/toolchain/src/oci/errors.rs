//! What went wrong at a registry, said with how to fix it.

use std::error::Error as _;

use anyhow::anyhow;
use oci_client::errors::{DigestError, OciDistributionError as Oci};
use serde_json::Value;

use crate::printable::printable;

/// The most characters of a stranger's message; the first sentence says it.
const MAX_CHARS: usize = 300;

/// A stranger's text, on one line and cut.
pub(super) fn clean(text: &str) -> String {
    printable(text).replace('\n', " ").chars().take(MAX_CHARS).collect()
}

/// The error for a registry's refusal. `what` is the request, as in `pull x/y:1`.
pub(super) fn refused(what: &str, status: u16, message: &str) -> anyhow::Error {
    let message = clean(message);
    let said = if message.is_empty() { String::new() } else { format!(" (it says: {message})") };
    match status {
        401 => anyhow!(
            "cannot {what}: the registry wants to know who asks{said}; `docker login` there, or set BEHALF_REGISTRY_USERNAME and BEHALF_REGISTRY_PASSWORD"
        ),
        403 => anyhow!("cannot {what}: this user may not{said}; ask whoever runs the registry, or use another user"),
        404 => anyhow!("cannot {what}: the registry has no such thing{said}; check its name, tag or digest"),
        413 => anyhow!("cannot {what}: it is too large for the registry{said}"),
        429 => anyhow!("cannot {what}: the registry has had too many requests{said}; wait and try again"),
        500.. => anyhow!("cannot {what}: the registry failed with status {status}{said}; try again later"),
        _ => anyhow!("cannot {what}: the registry answered with status {status}{said}"),
    }
}

/// The message in a registry's JSON, or the body itself.
pub(super) fn message(body: &[u8]) -> String {
    let first = |json: Value| json.pointer("/errors/0/message").and_then(Value::as_str).map(str::to_owned);
    serde_json::from_slice(body).ok().and_then(first).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}

/// The error for one of the client library's.
pub(super) fn explain(what: &str, error: &Oci) -> anyhow::Error {
    match error {
        Oci::UnauthorizedError { .. } => refused(what, 401, ""),
        Oci::AuthenticationFailure(reason) => refused(what, 401, &message(reason.as_bytes())),
        Oci::ServerError { code, message: text, .. } => refused(what, *code, &message(text.as_bytes())),
        Oci::RegistryError { envelope, .. } => {
            use oci_client::errors::OciErrorCode as Code;
            let said = envelope.errors.first();
            let status = match said.map(|error| &error.code) {
                Some(Code::Unauthorized) => 401,
                Some(Code::Denied) => 403,
                Some(
                    Code::BlobUnknown
                    | Code::ManifestUnknown
                    | Code::ManifestBlobUnknown
                    | Code::NameUnknown
                    | Code::NotFound,
                ) => 404,
                Some(Code::Toomanyrequests) => 429,
                _ => 400,
            };
            refused(what, status, said.map_or("", |error| error.message.as_str()))
        }
        Oci::DigestError(DigestError::VerificationError { expected, actual }) => wrong_digest(what, expected, actual),
        Oci::RequestError(error) => network(what, error),
        other => anyhow!("cannot {what}: {}", clean(&other.to_string())),
    }
}

/// The error for content that does not have its digest.
pub(super) fn wrong_digest(what: &str, expected: &str, actual: &str) -> anyhow::Error {
    anyhow!(
        "cannot {what}: the registry sent something else than {}: it has the digest {}; nothing was written",
        clean(expected),
        clean(actual)
    )
}

/// The error for no answer, or half of one.
pub(super) fn network(what: &str, error: &reqwest::Error) -> anyhow::Error {
    if let Some(status) = error.status() {
        return refused(what, status.as_u16(), "");
    }
    // The innermost cause says what happened; those around it repeat the address.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let fix = if error.is_timeout() {
        "try again"
    } else if error.is_connect() {
        "check the registry's name and the network; a registry without TLS needs --insecure"
    } else {
        "try again; if it stays, the registry or a proxy before it is broken"
    };
    let cause = if error.source().is_some() { clean(&cause.to_string()) } else { clean(&error.to_string()) };
    anyhow!("cannot {what}: {cause}; {fix}")
}
