//! A plugin in a registry: fetched and checked whole, before anything of it is written or uploaded.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, ensure};
use behalf_sandbox::{Grants, Inspection, inspect};
use behalf_tools::{Envelope, PublicKey, Signatures, is_plugin_name};
use serde_json::Value;

use crate::inspect::capability_lines;
use crate::oci::{GRANTS, Registry, RegistryArgs, SIGNATURE, digest_of, parse_reference, repository_name};
use crate::package::Package;
use crate::printable::printable;

/// A plugin that was fetched from a registry: its digests, its layout and its signature fit each other.
#[derive(Debug)]
pub struct PublishedPlugin {
    /// `registry/name@sha256:…`, which names all of it and nothing else.
    pub pinned: String,
    /// The digest of its manifest.
    pub(crate) digest: String,
    /// Whether it was named by a tag, which may be moved.
    pub(crate) by_tag: bool,
    pub(crate) inspection: Inspection,
    pub(crate) package: Package,
    pub(crate) envelope: Option<Envelope>,
    pub(crate) signer: Option<PublicKey>,
}

impl PublishedPlugin {
    /// Fetches a plugin. With keys in `verify`, one of them must have signed it; a signature has to fit its component in any case.
    pub async fn fetch(reference: &str, registry: &RegistryArgs, verify: &[String]) -> anyhow::Result<Self> {
        let reference = parse_reference(reference)?;
        let keys = Signatures::load(verify, !verify.is_empty())?;
        let name = repository_name(&reference).to_owned();
        let base = format!("{}/{}", reference.registry(), reference.repository());
        let by_tag = reference.digest().is_none();
        let pulled = Registry::new(reference, registry)?.pull().await?;
        let pinned = format!("{base}@{}", pulled.digest);
        let component = digest_of(&pulled.component);
        let inspection = tokio::task::spawn_blocking(move || inspect(&pulled.component)).await?;
        let inspection =
            inspection.map_err(|error| anyhow::anyhow!("{pinned} is no plugin: {}", printable(&error.to_string())))?;
        ensure!(
            digest_of(&inspection.component) == component,
            "{pinned} is a core module; push the component made of it"
        );
        let package = read_package(name, &pulled.annotations)?;
        package.check(&inspection)?;
        let envelope = pulled.annotations.get(SIGNATURE).map(|text| Envelope::read(text.as_bytes())).transpose()?;
        let signer = signer(&keys, envelope.as_ref(), &package, inspection.digest)?;
        Ok(Self { pinned, digest: pulled.digest, by_tag, inspection, package, envelope, signer })
    }

    /// Its name, `[a-z][a-z0-9-]{0,63}`.
    pub fn name(&self) -> &str {
        &self.package.name
    }

    /// Its version, as its publisher wrote it, without what would steer a terminal.
    pub fn version(&self) -> &str {
        &self.package.version
    }

    /// The component's bytes.
    pub fn component(&self) -> &[u8] {
        &self.inspection.component
    }

    /// The component's SHA-256 in hexadecimal, as a host shows it.
    pub fn component_digest(&self) -> String {
        hex::encode(self.inspection.digest)
    }

    /// The publisher's signature as a host takes it.
    pub fn signature(&self) -> anyhow::Result<Option<String>> {
        Ok(self.envelope.as_ref().map(serde_json::to_string).transpose()?)
    }

    /// The grants that the publisher suggests, in the form of `POST /api/plugins`.
    pub fn grants(&self) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(&self.package.grants)?)
    }

    /// The names of the interfaces that it imports.
    pub fn imports(&self) -> Vec<String> {
        self.inspection.imports.iter().map(|import| printable(&import.name)).collect()
    }

    /// Whether the component could use these grants at all; the error says which one it could not.
    pub fn check_grants(&self, grants: &Value) -> anyhow::Result<()> {
        let grants = Grants::from_json(grants.clone())?;
        Package { grants, ..self.package.clone() }.check(&self.inspection)
    }

    /// What it is, who signed it, and what it could ever do, as lines for people.
    pub fn summary(&self) -> String {
        let Package { name, version, description, license, source, author, .. } = &self.package;
        let mut text = format!("{name} {version}  {}\n", self.pinned);
        for (title, value) in [("about", description), ("author", author), ("source", source), ("license", license)] {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {title:<8} {}", value.replace('\n', " "));
            }
        }
        let signed = match (&self.signer, &self.envelope) {
            (Some(signer), _) => format!("by {}", signer.id()),
            (None, Some(_)) => "by somebody; --verify KEY says whether by whom you trust".to_owned(),
            (None, None) => "no".to_owned(),
        };
        let _ = writeln!(text, "  signed   {signed}");
        text + &capability_lines(&self.inspection.imports)
    }
}

/// The trusted key that signed it. A signature has to fit its component, also where no key was named.
fn signer(
    keys: &Signatures,
    envelope: Option<&Envelope>,
    package: &Package,
    digest: [u8; 32],
) -> anyhow::Result<Option<PublicKey>> {
    let Some(envelope) = envelope else {
        ensure!(!keys.required(), "it is not signed, and --verify asks for a signature; nothing was written");
        return Ok(None);
    };
    envelope.unverified()?.covers(package.claim(digest)).context("its signature does not fit; nothing was written")?;
    keys.verify(Some(envelope), package.claim(digest)).context("nothing was written")
}

/// The package that the annotations describe. Artifacts of other programs have some of them, or none.
fn read_package(name: String, annotations: &BTreeMap<String, String>) -> anyhow::Result<Package> {
    let text = |key: &str| annotations.get(&format!("org.opencontainers.image.{key}")).map(|text| printable(text));
    let grants = match annotations.get(GRANTS) {
        Some(json) => serde_json::from_str::<Grants>(json).map_err(|error| {
            anyhow::anyhow!("the grants it suggests cannot be read: {}", printable(&error.to_string()))
        })?,
        None => Grants::default(),
    };
    Ok(Package {
        name: text("title").filter(|title| is_plugin_name(title)).unwrap_or(name),
        version: text("version")
            .filter(|version| !version.is_empty() && !version.contains('\n'))
            .unwrap_or_else(|| "0.0.0".to_owned()),
        description: text("description"),
        license: text("licenses"),
        source: text("source"),
        author: text("authors"),
        grants,
    })
}
