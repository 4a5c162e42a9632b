//! Reads connection addresses (`postgres://…`).

use std::path::PathBuf;

use thiserror::Error;
use url::Url;

/// The address of a Postgres server, and the login and database to use.
#[derive(Clone)]
pub struct Target {
    pub(super) address: Address,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) tls: Tls,
}

impl std::fmt::Debug for Target {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("address", &self.address)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(super) enum Address {
    Tcp(String, u16),
    /// A folder that holds the server's socket `.s.PGSQL.<port>`.
    Unix(PathBuf, u16),
}

/// Whether the connection uses TLS. Certificates are always verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    Never,
    /// TLS where the server offers it (`sslmode=prefer` or `allow`).
    IfOffered,
    Always,
}

/// Why a connection address cannot be used. The texts do not repeat the address, because it holds a password.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The text is not a `postgres://` address.
    #[error("the database address is not of the form postgres://user:password@host:port/database")]
    NotAUrl,
    /// The `sslmode` is unknown.
    #[error(
        "sslmode {0:?} is not known; use disable, prefer, require or verify-full (certificates are always verified)"
    )]
    SslMode(String),
}

impl Target {
    /// Parses `postgres://user:password@host:port/database?sslmode=…`. The parameter `host` replaces the host, and may
    /// be the folder of a Unix socket.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let url = Url::parse(text).map_err(|_| TargetError::NotAUrl)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(TargetError::NotAUrl);
        }
        let port = url.port().unwrap_or(5432);
        let mut host = url.host_str().filter(|host| !host.is_empty()).map(unescape);
        let mut mode = None;
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "host" => host = Some(value.into_owned()),
                "sslmode" => mode = Some(value.into_owned()),
                _ => {}
            }
        }
        let host = host.ok_or(TargetError::NotAUrl)?;
        let user = unescape(url.username());
        let database = unescape(url.path().trim_start_matches('/'));
        let address = if host.starts_with('/') { Address::Unix(host.into(), port) } else { Address::Tcp(host, port) };
        let local = match &address {
            Address::Unix(..) => true,
            Address::Tcp(host, _) => matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1" | "[::1]"),
        };
        let tls = match (mode.as_deref(), &address) {
            (_, Address::Unix(..)) | (Some("disable"), _) => Tls::Never,
            (Some("prefer" | "allow"), _) => Tls::IfOffered,
            (None, _) if local => Tls::Never,
            (None | Some("require" | "verify-ca" | "verify-full"), _) => Tls::Always,
            (Some(other), _) => return Err(TargetError::SslMode(other.to_owned())),
        };
        Ok(Self {
            address,
            database: if database.is_empty() { user.clone() } else { database },
            user,
            password: unescape(url.password().unwrap_or_default()),
            tls,
        })
    }

    /// The same server and database for another login.
    #[must_use]
    pub fn with_user(&self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self.clone() }
    }

    /// The login's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The login's password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

fn unescape(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_its_password_does_not_print() {
        let target = Target::parse("postgres://me:p%40ss@db.example:6432/app").expect("an address");
        assert!(matches!(&target.address, Address::Tcp(host, 6432) if host == "db.example"));
        assert_eq!((target.user(), target.password(), target.tls), ("me", "p@ss", Tls::Always));
        assert!(!format!("{target:?}").contains("p@ss"));
        let socket = Target::parse("postgres://me@localhost/app?host=/run/pg").expect("an address");
        assert!(matches!(socket.address, Address::Unix(..)));
        assert!(Target::parse("http://x").is_err());
        assert!(Target::parse("postgres://x@y/z?sslmode=maybe").is_err());
    }
}
