//! `behalf tool push`: a component, its suggested grants and its signature, stored in an OCI registry.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use behalf_config::environment;
use behalf_sandbox::Grants;
use behalf_tools::{Envelope, is_plugin_name};
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use crate::component::read_component;
use crate::oci::{Artifact, Registry, RegistryArgs, digest_of, parse_reference, repository_name};
use crate::package::{Package, signature_path};

/// `behalf tool push`
#[derive(Debug, Args)]
pub struct PushArgs {
    /// Where to: registry/name:tag. The tag is `latest` where there is none.
    #[arg(value_name = "REF")]
    reference: String,
    /// The component.
    file: PathBuf,
    /// The plugin's manifest; plugin.toml beside the component, or above its folder `dist`, where absent.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Its signature; what `behalf tool sign` wrote beside the component where absent.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Stores a component, its grants and its signature in a registry, and prints the reference by digest, which pins all of it.
pub(crate) async fn run(args: &PushArgs) -> anyhow::Result<ExitCode> {
    let reference = parse_reference(&args.reference)?;
    ensure!(reference.digest().is_none(), "a digest is what comes of a push; name a tag, as in registry/name:0.1.0");
    let inspection = read_component(&args.file).await?;
    let package = match Package::of_component(&args.file, args.manifest.as_deref())? {
        Some(package) => package,
        None => without_manifest(repository_name(&reference))?,
    };
    package.check(&inspection)?;
    let signature = read_signature(args, &package, inspection.digest)?;
    let is_signed = signature.is_some();
    if !is_signed {
        eprintln!("behalf: it is not signed; `behalf tool sign` before the push does that");
    }
    let artifact = Artifact::describe(&inspection, &package, signature, created()?)?;
    let digest = digest_of(&artifact.manifest);
    let pinned = format!("{}/{}@{digest}", reference.registry(), reference.repository());
    let (component, size) = (digest_of(&inspection.component), inspection.component.len());
    Registry::new(reference, &args.registry)?.push(inspection.component, artifact).await?;
    if args.json {
        let shown = json!({
            "reference": pinned, "digest": digest, "name": package.name, "version": package.version,
            "component": { "digest": component, "size": size }, "signed": is_signed,
        });
        println!("{shown:#}");
    } else {
        println!("{pinned}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The package of a component without a manifest: it asks for no grants.
fn without_manifest(name: &str) -> anyhow::Result<Package> {
    if !is_plugin_name(name) {
        bail!("there is no plugin.toml, and {name:?} is no plugin name; name the manifest with --manifest FILE");
    }
    eprintln!("behalf: there is no plugin.toml, so it is {name} 0.0.0 and suggests no grants (--manifest names one)");
    Ok(Package {
        name: name.to_owned(),
        version: "0.0.0".to_owned(),
        description: None,
        license: None,
        source: None,
        author: None,
        grants: Grants::default(),
    })
}

/// The envelope's text. A signature that was made for something else is refused here, and not only at a pull.
fn read_signature(args: &PushArgs, package: &Package, digest: [u8; 32]) -> anyhow::Result<Option<String>> {
    let path = match &args.signature {
        Some(path) => path.clone(),
        None => signature_path(&args.file),
    };
    if args.signature.is_none() && !path.is_file() {
        return Ok(None);
    }
    let shown = path.display();
    let text = std::fs::read(&path).with_context(|| format!("cannot read {shown}"))?;
    let envelope = Envelope::read(&text).with_context(|| shown.to_string())?;
    let statement = envelope.unverified().with_context(|| shown.to_string())?;
    statement
        .covers(package.claim(digest))
        .with_context(|| format!("{shown} does not fit; `behalf tool sign` makes a new one"))?;
    Ok(Some(serde_json::to_string(&envelope)?))
}

/// The artifact's time: now, or `SOURCE_DATE_EPOCH`, so that the same input makes the same artifact.
fn created() -> anyhow::Result<DateTime<Utc>> {
    let Some(text) = environment("SOURCE_DATE_EPOCH") else { return Ok(Utc::now()) };
    let time = text.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.with_context(|| format!("SOURCE_DATE_EPOCH is {text:?}, and seconds since 1970 are expected"))
}
