//! Another server on the same database, for comparison.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use tokio::process::{Child, Command};
use url::Url;

use super::load::{Connection, is_success};
use super::test_bed::TestBed;
use behalf_host_db::run_script;
use behalf_identity::new_secret;

/// How long a peer may take to answer its first request.
const PATIENCE: Duration = Duration::from_mins(1);
/// The login of the peer.
const LOGIN: &str = "peer";

/// Which peer, and how it is started.
#[derive(Clone, Debug, Args)]
pub(super) struct PeerArgs {
    /// Measure another server in the same turns: its address, plain HTTP. For `bench call` it takes a POST of `{"id": 7}`
    /// and answers with the row's id and title as JSON; for `bench rest` it speaks PostgREST's language.
    #[arg(long, value_name = "URL", requires = "peer_command")]
    peer: Option<Url>,
    /// The program that is started as this server, without arguments. The environment tells it the database (PGHOST,
    /// PGPORT, PGUSER, PGPASSWORD, PGDATABASE), the port of the URL (`PEER_PORT`), how many connections it may have
    /// (`PEER_CONNECTIONS`) and the secret of the tokens (`PEER_JWT_SECRET`).
    #[arg(long, value_name = "PROGRAM", requires = "peer")]
    peer_command: Option<PathBuf>,
}

impl PeerArgs {
    /// Whether a peer is measured.
    pub(super) fn is_given(&self) -> bool {
        self.peer.is_some()
    }
}

/// What the login of a peer may do.
#[derive(Clone, Copy, Debug)]
pub(super) enum PeerLogin {
    /// It has no identity: it reads every row of `items`, and no policy is evaluated for it.
    ReadsItems,
    /// It becomes the role of each caller, as PostgREST does.
    BecomesCaller,
}

impl PeerLogin {
    /// Takes back what callers were granted for a peer that becomes them.
    pub(super) const TAKE_BACK: &str = "revoke execute on function pg_catalog.set_config(text, text, boolean), \
         pg_catalog.pg_show_all_settings() from anon, authenticated";

    fn statements(self, password: &str) -> String {
        match self {
            Self::ReadsItems => format!(
                "create role {LOGIN} login bypassrls password '{password}'; grant select on public.items to {LOGIN};"
            ),
            // `migrate` leaves set_config to whoever needs it, but this login comes after it.
            Self::BecomesCaller => format!(
                "create role {LOGIN} login noinherit password '{password}'; grant anon, authenticated to {LOGIN}; \
                 grant execute on function pg_catalog.set_config(text, text, boolean), pg_catalog.pg_show_all_settings() \
                 to {LOGIN}, anon, authenticated;"
            ),
        }
    }
}

/// A peer that runs. It is killed when it is dropped.
pub(super) struct Peer {
    child: Child,
    pid: u32,
    pub(super) address: SocketAddr,
    /// The request up to the length of its body.
    head: String,
}

impl Peer {
    /// What every answer to a lookup holds: the beginning of a title.
    pub(super) const EXPECTED: &'static [u8] = b"item ";

    /// Starts the peer, where one is asked for, and waits until it answers: a lookup, or else `first`.
    pub(super) async fn start(
        args: &PeerArgs,
        bed: &TestBed,
        connections: u16,
        login: PeerLogin,
        first: Option<Vec<u8>>,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(url), Some(command)) = (&args.peer, &args.peer_command) else { return Ok(None) };
        ensure!(url.scheme() == "http", "the peer's address must begin with http://");
        let address = url.socket_addrs(|| None)?.first().copied().context("the peer's address names no host")?;
        let password = new_secret()?;
        run_script(&bed.postgres().owner_url(), &login.statements(&password)).await?;
        let child = Command::new(command)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", bed.postgres().port().to_string())
            .env("PGUSER", LOGIN)
            .env("PGPASSWORD", &password)
            .env("PGDATABASE", "behalf")
            .env("PEER_PORT", address.port().to_string())
            .env("PEER_CONNECTIONS", connections.to_string())
            .env("PEER_JWT_SECRET", &bed.secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", command.display()))?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: ",
            url.path(),
            url.authority()
        );
        let pid = child.id().context("the peer ended at once")?;
        let mut peer = Self { child, pid, address, head };
        let first = first.unwrap_or_else(|| peer.request(0));
        peer.ready(&first).await?;
        Ok(Some(peer))
    }

    /// The request for the row of this key.
    pub(super) fn request(&self, id: u32) -> Vec<u8> {
        let body = format!(r#"{{"id":{id}}}"#);
        format!("{}{}\r\n\r\n{body}", self.head, body.len()).into_bytes()
    }

    /// The process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the peer has answered with success. One that is starting may refuse connections, or say that it is not
    /// ready.
    async fn ready(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the peer ended with {status} before it answered");
            }
            if let Ok(mut connection) = Connection::open(self.address).await {
                let answer = connection.send(request).await?;
                if is_success(answer) {
                    return Ok(());
                }
                let is_starting = answer.starts_with(b"HTTP/1.1 503");
                ensure!(is_starting, "the peer answered: {}", String::from_utf8_lossy(answer));
            }
            ensure!(Instant::now() < until, "the peer does not answer within {} seconds", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot stop the peer")
    }
}
