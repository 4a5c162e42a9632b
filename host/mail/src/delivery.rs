//! The ways that letters go: SMTP, and a folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::{Host, Url};
use uuid::Uuid;

use crate::message::Mailing;
use crate::options::{MailError, Transport};

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// How long a server may take for one step.
const STEP: Duration = Duration::from_secs(20);
/// The form of a server's address.
const FORM: &str =
    "the address of the mail server has the form smtps://user:password@host or smtp://user:password@host:587";

/// Where letters go.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    Smtp(Smtp),
    Folder(PathBuf),
}

/// Why a letter did not go. It holds no word of the server's, which may quote the address.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The server refused it, with this status.
    #[error("the mail server refused it ({0})")]
    Refused(u16),
    /// The server could not be reached, did not answer in time, or asked to come back later.
    #[error("the mail server cannot take it now ({0})")]
    Unreachable(&'static str),
    /// The folder cannot be written.
    #[error("the folder for letters cannot be written ({0})")]
    Folder(std::io::ErrorKind),
}

impl Fault {
    /// Whether another try may go better.
    pub(crate) fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl From<lettre::transport::smtp::Error> for Fault {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        match error.status() {
            Some(code) if error.is_permanent() => Self::Refused(code.into()),
            _ if error.is_transient() => Self::Unreachable("it said so"),
            _ if error.is_timeout() => Self::Unreachable("no answer in time"),
            _ if error.is_tls() => Self::Unreachable("no TLS"),
            _ => Self::Unreachable("no connection"),
        }
    }
}

impl Delivery {
    /// Reads where letters go. `hello` is the domain by which this host calls itself.
    pub(crate) fn new(transport: &Transport, hello: &str) -> Result<Self, MailError> {
        match transport {
            Transport::Smtp(address) => smtp(address, hello).map(Self::Smtp),
            Transport::Folder(folder) => {
                make_folder(folder).map_err(|error| {
                    MailError::option(format!("{} cannot be made ({})", folder.display(), error.kind()))
                })?;
                Ok(Self::Folder(folder.clone()))
            }
        }
    }

    /// Sends a letter that was posted at this time.
    pub(crate) async fn send(&self, mailing: &Mailing, posted: DateTime<Utc>) -> Result<(), Fault> {
        match self {
            Self::Smtp(smtp) => {
                smtp.send_raw(&mailing.envelope, &mailing.bytes).await?;
            }
            Self::Folder(folder) => {
                let (folder, bytes) = (folder.clone(), mailing.bytes.clone());
                let written = tokio::task::spawn_blocking(move || write_file(&folder, &bytes, posted)).await;
                let failed = std::io::Error::from(std::io::ErrorKind::Other);
                written.unwrap_or(Err(failed)).map_err(|error| Fault::Folder(error.kind()))?;
            }
        }
        Ok(())
    }
}

fn smtp(address: &str, hello: &str) -> Result<Smtp, MailError> {
    let url = Url::parse(address).map_err(|_| MailError::option(FORM))?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| MailError::option(FORM))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let made = match (url.scheme(), tls.as_deref()) {
        ("smtps", None) => Smtp::relay(host).map(|smtp| (smtp, true)),
        ("smtp", None) if is_here(host) => Ok((Smtp::builder_dangerous(host), false)),
        ("smtp", Some("none")) => Ok((Smtp::builder_dangerous(host), false)),
        ("smtp", None | Some("required")) => Smtp::starttls_relay(host).map(|smtp| (smtp, true)),
        _ => return Err(MailError::option(FORM)),
    };
    let (mut smtp, is_private) = made.map_err(|_| MailError::option("TLS for the mail server cannot be set up"))?;
    if let Some(port) = url.port() {
        smtp = smtp.port(port);
    }
    if !url.username().is_empty() {
        if !is_private && !is_here(host) {
            return Err(MailError::option("without TLS, no password is sent to the mail server of another machine"));
        }
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (decode(url.username()), decode(url.password().unwrap_or_default()));
        smtp = smtp.credentials(Credentials::new(user, password));
    }
    Ok(smtp.hello_name(ClientId::Domain(hello.to_owned())).timeout(Some(STEP)).build())
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => host == "::1",
    }
}

/// The folder is this user's alone: letters hold codes.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes the file whole or not at all. Names sort by the time at which letters were posted.
fn write_file(folder: &Path, bytes: &[u8], posted: DateTime<Utc>) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
    file.write_all(bytes)?;
    let name = format!("{}-{}.eml", posted.format("%Y%m%dT%H%M%S%.6fZ"), Uuid::new_v4());
    file.persist_noclobber(folder.join(name)).map_err(|error| error.error)?;
    Ok(())
}
