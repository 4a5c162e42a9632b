//! References to artifacts in registries, and digests.

use anyhow::{Context, bail};
use oci_client::Reference;
use sha2::{Digest, Sha256};

/// Reads a REF. The registry has to be named: a default registry would publish a tool where its author did not want it.
pub(crate) fn parse_reference(text: &str) -> anyhow::Result<Reference> {
    let host = text.split_once('/').map(|(host, _)| host);
    if !host.is_some_and(|host| host == "localhost" || host.contains(['.', ':'])) {
        bail!("{text:?} names no registry; write it with one, as in ghcr.io/me/my-tool:0.1.0");
    }
    let reference: Reference = text
        .parse()
        .with_context(|| format!("{text:?} is no reference; write registry/name:tag or registry/name@sha256:…"))?;
    if reference.digest().is_some_and(|digest| !digest.starts_with("sha256:")) {
        bail!("{text:?} is pinned by another digest than sha256; `behalf tool push` prints the right one");
    }
    Ok(reference)
}

/// The last part of the repository's name, for files that have no other name. No part is `..`.
pub(crate) fn repository_name(reference: &Reference) -> &str {
    reference.repository().rsplit('/').next().unwrap_or_default()
}

/// The digest of bytes, in the form of registries.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Whether a registry is on this machine, where plain HTTP crosses no network.
pub(super) fn is_local(registry: &str) -> bool {
    let url = url::Url::parse(&format!("http://{registry}"));
    url.is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_its_registry() {
        for (text, registry, name) in [
            ("ghcr.io/me/my-tool:0.1.0", "ghcr.io", "my-tool"),
            ("localhost/my-tool", "localhost", "my-tool"),
            ("127.0.0.1:5000/a/b/c:1", "127.0.0.1:5000", "c"),
        ] {
            let reference = parse_reference(text).expect(text);
            assert_eq!((reference.registry(), repository_name(&reference)), (registry, name));
        }
        for text in [
            "my-tool",
            "me/my-tool:1",
            "ghcr.io/Me/tool",
            "ghcr.io/../tool",
            "ghcr.io/me/tool@sha512:00",
            "ghcr.io/me/tool@sha256:00",
            "",
        ] {
            assert!(parse_reference(text).is_err(), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for (registry, local) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("[::1]:5000", true),
            ("localhost.example.com", false),
            ("10.0.0.1:5000", false),
            ("ghcr.io", false),
        ] {
            assert_eq!(is_local(registry), local, "{registry}");
        }
    }
}
