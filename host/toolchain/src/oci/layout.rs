//! The manifest and the configuration of a component in a registry.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use behalf_sandbox::{Inspection, MAX_COMPONENT_BYTES};
use chrono::{DateTime, SecondsFormat, Utc};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wit_parser::decoding::DecodedWasm;

use super::errors::clean;
use super::reference::digest_of;
use crate::package::Package;

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
/// `target` in the configuration, by which registries list components.
const WORLD: &str = "behalf:tool/tool-plugin@0.1.1";
/// A configuration lists imports and exports; those of WASI together have a few kilobytes.
const MAX_CONFIG_BYTES: i64 = 1024 * 1024;

/// Annotation with the grants that the publisher suggests, as JSON.
pub(crate) const GRANTS: &str = "vnd.behalf.plugin.grants";
/// Annotation with the signature, as JSON. It stands in the manifest: one digest then pins the component, the grants and the
/// signature, every registry keeps it, and nothing else has to be fetched or copied.
pub(crate) const SIGNATURE: &str = "vnd.behalf.plugin.signature";

/// The CNCF's configuration of a Wasm artifact.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig {
    created: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    architecture: String,
    os: String,
    layer_digests: Vec<String>,
    #[serde(default)]
    component: Option<Component>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

/// The configuration and the manifest that are pushed with a component.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl Artifact {
    /// Describes a component. The caller gives `created`, so that the same bytes can be pushed twice.
    pub(crate) fn describe(
        inspection: &Inspection,
        package: &Package,
        signature: Option<String>,
        created: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let layer = digest_of(&inspection.component);
        let config = serde_json::to_vec(&WasmConfig {
            created,
            author: package.author.clone(),
            architecture: "wasm".to_owned(),
            os: "wasip2".to_owned(),
            layer_digests: vec![layer.clone()],
            component: Some(Component {
                exports: exports(&inspection.component)?,
                imports: inspection.imports.iter().map(|import| import.name.clone()).collect(),
                target: Some(WORLD.to_owned()),
            }),
        })?;
        let texts = [
            ("org.opencontainers.image.title", Some(package.name.clone())),
            ("org.opencontainers.image.version", Some(package.version.clone())),
            ("org.opencontainers.image.created", Some(created.to_rfc3339_opts(SecondsFormat::Secs, true))),
            ("org.opencontainers.image.description", package.description.clone()),
            ("org.opencontainers.image.authors", package.author.clone()),
            ("org.opencontainers.image.licenses", package.license.clone()),
            ("org.opencontainers.image.source", package.source.clone()),
            (GRANTS, Some(serde_json::to_string(&package.grants)?)),
            (SIGNATURE, signature),
        ];
        let annotations: BTreeMap<_, _> =
            texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?))).collect();
        let manifest = serde_json::to_vec(&OciImageManifest {
            schema_version: 2,
            media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
            config: descriptor(CONFIG, digest_of(&config), config.len())?,
            layers: vec![descriptor(LAYER, layer, inspection.component.len())?],
            annotations: Some(annotations),
            ..OciImageManifest::default()
        })?;
        Ok(Self { config, manifest })
    }
}

fn descriptor(media_type: &str, digest: String, size: usize) -> anyhow::Result<OciDescriptor> {
    let (media_type, size) = (media_type.to_owned(), i64::try_from(size)?);
    Ok(OciDescriptor { media_type, digest, size, ..OciDescriptor::default() })
}

fn exports(component: &[u8]) -> anyhow::Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_parser::decoding::decode(component)? else {
        bail!("it is a package of interfaces, not a component");
    };
    let world = resolve.worlds.get(world).context("the component has no world")?;
    Ok(world.exports.keys().map(|key| resolve.name_world_key(key)).collect())
}

/// The manifest of a component that this program could run.
#[derive(Debug)]
pub(super) struct ArtifactManifest {
    pub(super) config: OciDescriptor,
    pub(super) layer: OciDescriptor,
    pub(super) annotations: BTreeMap<String, String>,
}

impl ArtifactManifest {
    /// Reads a manifest; the error says what else the artifact is.
    pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let json: Value = serde_json::from_slice(bytes).context("its manifest is not JSON")?;
        ensure!(
            json.get("manifests").is_none(),
            "it is an index of several artifacts, not one component; pull one of those by its digest"
        );
        let manifest: OciImageManifest = serde_json::from_value(json)
            .map_err(|error| anyhow::anyhow!("its manifest is not of OCI's form: {}", clean(&error.to_string())))?;
        let kind = &manifest.config.media_type;
        ensure!(kind == CONFIG, "it is no WebAssembly artifact: its configuration is {:?}, not {CONFIG}", clean(kind));
        ensure!(
            (0..=MAX_CONFIG_BYTES).contains(&manifest.config.size),
            "its configuration has {} bytes; {MAX_CONFIG_BYTES} are allowed",
            manifest.config.size
        );
        let count = manifest.layers.len();
        let [layer] = <[OciDescriptor; 1]>::try_from(manifest.layers)
            .map_err(|_| anyhow::anyhow!("it has {count} layers, and a component has one"))?;
        ensure!(layer.media_type == LAYER, "its layer is {:?}, not {LAYER}", clean(&layer.media_type));
        ensure!(
            usize::try_from(layer.size).is_ok_and(|size| size <= MAX_COMPONENT_BYTES),
            "its component has {} bytes; {MAX_COMPONENT_BYTES} are allowed",
            layer.size
        );
        for digest in [&manifest.config.digest, &layer.digest] {
            let hex = digest.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            });
            ensure!(hex, "its manifest has the digest {:?}, and sha256 is expected", clean(digest));
        }
        Ok(Self { config: manifest.config, layer, annotations: manifest.annotations.unwrap_or_default() })
    }

    /// Checks that a configuration belongs to this manifest and to a component.
    pub(super) fn check_config(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let config: WasmConfig = serde_json::from_slice(bytes)
            .map_err(|error| anyhow::anyhow!("its configuration cannot be read: {}", clean(&error.to_string())))?;
        ensure!(
            (config.architecture.as_str(), config.os.as_str()) == ("wasm", "wasip2"),
            "it is for {:?} on {:?}; components are \"wasm\" on \"wasip2\"",
            clean(&config.architecture),
            clean(&config.os)
        );
        ensure!(
            config.layer_digests == [self.layer.digest.clone()],
            "its configuration is that of another component: it does not list {}",
            self.layer.digest
        );
        Ok(())
    }
}
