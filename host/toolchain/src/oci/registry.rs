//! Talking to a registry: push an artifact, pull an artifact.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, header};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
    OciDescriptor,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use super::credentials::RegistryArgs;
use super::errors::{clean, explain, message, network, refused, wrong_digest};
use super::layout::{Artifact, ArtifactManifest};
use super::progress::Transfer;
use super::reference::{digest_of, is_local};

/// The largest manifest that OCI's distribution specification asks registries to take.
const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// The most that is read of an error's body.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Deadline for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Deadline for the next byte.
const IDLE: Duration = Duration::from_mins(1);
/// Deadline for small answers: a token, a manifest, a configuration.
const SMALL: Duration = Duration::from_mins(1);
/// The size of the parts in which a component is sent.
const CHUNK: usize = 64 * 1024;

/// A registry, and the reference to an artifact in it.
pub(crate) struct Registry {
    client: Client,
    http: reqwest::Client,
    reference: Reference,
    auth: RegistryAuth,
    scheme: &'static str,
}

/// An artifact that was pulled.
pub(crate) struct Pulled {
    /// Digest of the manifest.
    pub(crate) digest: String,
    /// The layer.
    pub(crate) component: Vec<u8>,
    /// The manifest's annotations: a stranger's texts.
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Registry {
    /// Prepares a client; nothing is sent yet.
    pub(crate) fn new(reference: Reference, args: &RegistryArgs) -> anyhow::Result<Self> {
        const AGENT: &str = concat!("behalf/", env!("CARGO_PKG_VERSION"));
        let registry = reference.resolve_registry().to_owned();
        let auth = args.auth(&registry)?;
        let plain = args.insecure || is_local(&registry);
        let client = Client::try_from(ClientConfig {
            protocol: if plain { ClientProtocol::HttpsExcept(vec![registry]) } else { ClientProtocol::Https },
            use_monolithic_push: true,
            platform_resolver: None,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(IDLE),
            user_agent: AGENT,
            ..ClientConfig::default()
        })?;
        let http = reqwest::Client::builder().user_agent(AGENT).connect_timeout(CONNECT).read_timeout(IDLE).build()?;
        Ok(Self { client, http, reference, auth, scheme: if plain { "http" } else { "https" } })
    }

    /// Stores an artifact under the reference's tag.
    pub(crate) async fn push(&self, component: Vec<u8>, artifact: Artifact) -> anyhow::Result<()> {
        let what = format!("push {}", self.reference);
        self.log_in(&what, RegistryOperation::Push).await?;
        self.push_blob(&what, "component", component).await?;
        self.push_blob(&what, "configuration", artifact.config).await?;
        let kind = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        let pushed = self.client.push_manifest_raw(&self.reference, artifact.manifest, kind);
        within(&what, pushed).await?.map_err(|error| explain(&what, &error))?;
        Ok(())
    }

    /// Fetches an artifact. Every byte of it belongs to the returned digest, which is the reference's where that has one.
    pub(crate) async fn pull(&self) -> anyhow::Result<Pulled> {
        let what = format!("pull {}", self.reference);
        let token = self.log_in(&what, RegistryOperation::Pull).await?;
        let manifest = within(&what, self.manifest(&what, token)).await??;
        let digest = digest_of(&manifest);
        if let Some(pinned) = self.reference.digest().filter(|pinned| *pinned != digest) {
            return Err(wrong_digest(&what, pinned, &digest));
        }
        let read = ArtifactManifest::read(&manifest).with_context(|| format!("cannot {what}"))?;
        let config = within(&what, self.pull_blob(&what, "configuration", &read.config)).await??;
        read.check_config(&config).with_context(|| format!("cannot {what}"))?;
        let component = self.pull_blob(&what, "component", &read.layer).await?;
        Ok(Pulled { digest, component, annotations: read.annotations })
    }

    /// Gets a token, where the registry gives tokens.
    async fn log_in(&self, what: &str, operation: RegistryOperation) -> anyhow::Result<Option<String>> {
        let token = within(what, self.client.auth(&self.reference, &self.auth, operation))
            .await?
            .map_err(|error| explain(what, &error))?;
        // The client library puts it into a header as it is.
        if token.as_ref().is_some_and(|token| HeaderValue::from_str(token).is_err()) {
            bail!("cannot {what}: the registry's token is no text for a header");
        }
        Ok(token)
    }

    async fn push_blob(&self, what: &str, name: &'static str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let digest = digest_of(&bytes);
        // Registries that do not answer this are asked to store it.
        if within(what, self.client.blob_exists(&self.reference, &digest)).await?.unwrap_or(false) {
            return Ok(());
        }
        let (size, transfer) = (bytes.len() as u64, Transfer::start("pushing", name, bytes.len()));
        let bytes = Bytes::from(bytes);
        let parts: Vec<Bytes> =
            (0..bytes.len()).step_by(CHUNK).map(|at| bytes.slice(at..bytes.len().min(at + CHUNK))).collect();
        let parts = stream::iter(parts).map(move |part| {
            transfer.add(part.len());
            Ok(part)
        });
        let pushed = self.client.push_blob_stream(&self.reference, parts, &digest, Some(size)).await;
        pushed.map(|_| ()).map_err(|error| explain(what, &error))
    }

    /// The manifest's bytes. The client library reads one of any size, so this is done here.
    async fn manifest(&self, what: &str, token: Option<String>) -> anyhow::Result<Vec<u8>> {
        let meant = self.reference.digest().or(self.reference.tag()).unwrap_or("latest");
        let (registry, repository) = (self.reference.resolve_registry(), self.reference.repository());
        let kinds = [
            OCI_IMAGE_MEDIA_TYPE,
            OCI_IMAGE_INDEX_MEDIA_TYPE,
            IMAGE_MANIFEST_MEDIA_TYPE,
            IMAGE_MANIFEST_LIST_MEDIA_TYPE,
        ];
        let request = self
            .http
            .get(format!("{}://{registry}/v2/{repository}/manifests/{meant}", self.scheme))
            .header(header::ACCEPT, kinds.join(", "));
        let request = match (token, &self.auth) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(user, password)) => request.basic_auth(user, Some(password)),
            (None, _) => request,
        };
        let response = request.send().await.map_err(|error| network(what, &error))?;
        let status = response.status();
        if status != http::StatusCode::OK {
            let body = bounded(what, response, MAX_ERROR_BYTES).await.unwrap_or_default();
            return Err(refused(what, status.as_u16(), &message(&body)));
        }
        bounded(what, response, MAX_MANIFEST_BYTES).await.with_context(|| "its manifest is too large")
    }

    /// A blob that is no larger than its manifest says, and has its digest.
    async fn pull_blob(&self, what: &str, name: &'static str, meant: &OciDescriptor) -> anyhow::Result<Vec<u8>> {
        let size = usize::try_from(meant.size).unwrap_or(usize::MAX);
        let transfer = Transfer::start("pulling", name, size);
        let sent = within(what, self.client.pull_blob_stream(&self.reference, meant.digest.as_str())).await?;
        let mut stream = sent.map_err(|error| explain(what, &error))?.stream;
        let mut bytes = Vec::new();
        // The library compares the digest as well, at the end of the stream, which is not reached where more is sent.
        while let Some(part) =
            stream.try_next().await.map_err(|error| anyhow::anyhow!("cannot {what}: {}", clean(&error.to_string())))?
        {
            transfer.add(part.len());
            bytes.extend_from_slice(&part);
            if bytes.len() > size {
                bail!("cannot {what}: the {name} is larger than its manifest says; nothing was written");
            }
        }
        if bytes.len() != size {
            bail!(
                "cannot {what}: the {name} has {} bytes, and its manifest says {size}; nothing was written",
                bytes.len()
            );
        }
        let digest = digest_of(&bytes);
        if digest != meant.digest {
            return Err(wrong_digest(what, &meant.digest, &digest));
        }
        Ok(bytes)
    }
}

/// Waits for a small answer, at most for [`SMALL`].
async fn within<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    let seconds = SMALL.as_secs();
    tokio::time::timeout(SMALL, future)
        .await
        .map_err(|_| anyhow::anyhow!("cannot {what}: the registry did not answer within {seconds} s; try again"))
}

/// Reads a response's body of at most `most` bytes.
async fn bounded(what: &str, response: reqwest::Response, most: usize) -> anyhow::Result<Vec<u8>> {
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(part) = stream.try_next().await.map_err(|error| network(what, &error))? {
        if bytes.len() + part.len() > most {
            bail!("cannot {what}: the registry's answer has more than {most} bytes");
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
