//! `behalf tool sign`: a publisher's signature over a component, its name, version and grants.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use behalf_tools::{Envelope, SigningKey, Statement};
use clap::Args;

use crate::component::read_component;
use crate::package::{Package, signature_path};
use crate::whole_file::{PUBLIC, replace_file};

/// `behalf tool sign`
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The component.
    file: PathBuf,
    /// The private key, as `behalf keys --signing FILE` makes it; several times while keys change.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The plugin's manifest; plugin.toml beside the component, or above its folder `dist`, where absent.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Where to; FILE.sig.json beside the component where absent.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Signs a component, its name, its version and its grants, and writes the signature beside it.
pub(crate) async fn run(args: &SignArgs) -> anyhow::Result<ExitCode> {
    let inspection = read_component(&args.file).await?;
    let package = Package::of_component(&args.file, args.manifest.as_deref())?
        .context("there is no plugin.toml, which says what is signed; name it with --manifest FILE")?;
    package.check(&inspection)?;
    let version = semver::Version::parse(&package.version)
        .with_context(|| format!("{:?} is no version that has an order; use one like 1.2.3", package.version))?;
    let statement =
        Statement { name: package.name, version, digest: Statement::digest(inspection.digest), grants: package.grants };
    let keys = args.key.iter().map(|path| read_key(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut text = serde_json::to_string_pretty(&Envelope::sign(&statement, &keys))?;
    text.push('\n');
    let output = args.output.clone().unwrap_or_else(|| signature_path(&args.file));
    // An author who signs again wants the new signature.
    replace_file(&output, text.as_bytes(), PUBLIC)?;
    for key in keys {
        eprintln!("behalf: signed {} {} as {}", statement.name, statement.version, key.public().id());
    }
    println!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let shown = path.display();
    let cannot = || format!("cannot read {shown}");
    let text = std::fs::read(path).with_context(cannot)?;
    let mode = std::fs::metadata(path).with_context(cannot)?.permissions().mode();
    if mode & 0o077 != 0 {
        eprintln!("behalf: {shown} can be read by others (mode {:o}); chmod 600 {shown}", mode & 0o777);
    }
    Ok(SigningKey::from_pem(&shown.to_string(), &text)?)
}
