//! `behalf tool pull`: a component, its manifest and its signature, fetched from an OCI registry.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use behalf_tools::Envelope;
use clap::Args;
use serde_json::json;

use crate::oci::{RegistryArgs, digest_of, parse_reference, repository_name};
use crate::package::{Package, signature_path};
use crate::published::PublishedPlugin;
use crate::whole_file::{PUBLIC, create_file, replace_file};

/// `behalf tool pull`
#[derive(Debug, Args)]
pub struct PullArgs {
    /// What: registry/name@sha256:…, or registry/name:tag, which may be another thing tomorrow.
    #[arg(value_name = "REF")]
    reference: String,
    /// Where to; NAME.wasm in this folder where absent. NAME.toml and NAME.sig.json come beside it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take it only if one of these keys signed it: `ed25519:…` or a PEM file, several times for several.
    #[arg(long, value_name = "KEY")]
    verify: Vec<String>,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// The three files of a pulled plugin.
struct Files {
    component: PathBuf,
    manifest: PathBuf,
    signature: PathBuf,
}

/// Fetches a plugin. Writes its files only when all of it is sound.
pub(crate) async fn run(args: &PullArgs) -> anyhow::Result<ExitCode> {
    let name = repository_name(&parse_reference(&args.reference)?).to_owned();
    let files = Files::at(args.output.clone().unwrap_or_else(|| format!("{name}.wasm").into()))?;
    files.check_free(args.force)?;
    let published = PublishedPlugin::fetch(&args.reference, &args.registry, &args.verify).await?;
    let PublishedPlugin { pinned, digest, by_tag, inspection, package, envelope, signer } = published;
    files.write(&inspection.component, &package, envelope.as_ref(), args.force)?;
    if by_tag {
        eprintln!("behalf: a tag may be moved; pin the digest: behalf tool pull {pinned}");
    }
    match (&signer, &envelope) {
        (Some(signer), _) => eprintln!("behalf: signed by {}", signer.id()),
        (None, Some(_)) => eprintln!("behalf: it is signed; --verify KEY says whether by whom you trust"),
        (None, None) => eprintln!("behalf: it is not signed"),
    }
    if args.json {
        let shown = json!({
            "reference": pinned, "digest": digest, "name": package.name, "version": package.version,
            "component": {
                "file": files.component, "digest": digest_of(&inspection.component), "size": inspection.size,
            },
            "manifest": files.manifest, "grants": package.grants,
            "signature": envelope.map(|_| &files.signature), "signer": signer.map(|key| key.id()),
        });
        println!("{shown:#}");
    } else {
        println!("{pinned}");
    }
    Ok(ExitCode::SUCCESS)
}

impl Files {
    fn at(component: PathBuf) -> anyhow::Result<Self> {
        ensure!(
            component.extension().is_some_and(|ending| ending == "wasm"),
            "{} must end in .wasm: its manifest and its signature are written beside it",
            component.display()
        );
        let manifest = component.with_extension("toml");
        let signature = signature_path(&component);
        Ok(Self { component, manifest, signature })
    }

    /// Fails where a file is there already, before anything is fetched. Writing checks it again.
    fn check_free(&self, force: bool) -> anyhow::Result<()> {
        let taken = [&self.component, &self.manifest, &self.signature].into_iter().find(|path| path.exists());
        match taken {
            Some(path) if !force => {
                bail!("{} is there already; give --force to replace it, or -o FILE to write elsewhere", path.display())
            }
            _ => Ok(()),
        }
    }

    /// Writes the component last: where it is, the others are.
    fn write(
        &self,
        component: &[u8],
        package: &Package,
        envelope: Option<&Envelope>,
        force: bool,
    ) -> anyhow::Result<()> {
        let manifest = toml::to_string(package).context("the manifest")?;
        let write = if force { replace_file } else { create_file };
        write(&self.manifest, manifest.as_bytes(), PUBLIC)?;
        match envelope {
            Some(envelope) => {
                let mut text = serde_json::to_string_pretty(envelope)?;
                text.push('\n');
                write(&self.signature, text.as_bytes(), PUBLIC)?;
            }
            // A signature of an earlier pull would belong to another component.
            None => remove(&self.signature)?,
        }
        write(&self.component, component, PUBLIC)
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
