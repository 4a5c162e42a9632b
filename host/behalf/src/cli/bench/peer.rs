//! Another server that answers the same lookup from the same table, for comparison.

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
/// The login of the peer. It has no identity: it reads every row, and no policy is evaluated for it.
const LOGIN: &str = "peer";

/// Which peer, and how it is started.
#[derive(Clone, Debug, Args)]
pub(super) struct PeerArgs {
    /// Measure another server in the same turns: the address that takes a POST of `{"id": 7}` and answers with the
    /// row's id and title as JSON. The address is plain HTTP.
    #[arg(long, value_name = "URL", requires = "peer_command")]
    peer: Option<Url>,
    /// The program that is started as this server, without arguments. The environment tells it the database (PGHOST,
    /// PGPORT, PGUSER, PGPASSWORD, PGDATABASE), the port of the URL (`PEER_PORT`) and how many connections it may have
    /// (`PEER_CONNECTIONS`).
    #[arg(long, value_name = "PROGRAM", requires = "peer")]
    peer_command: Option<PathBuf>,
}

impl PeerArgs {
    /// Whether a peer is measured.
    pub(super) fn is_given(&self) -> bool {
        self.peer.is_some()
    }
}

/// A peer that runs. It is killed when it is dropped.
pub(super) struct Peer {
    child: Child,
    pub(super) address: SocketAddr,
    /// The request up to the length of its body.
    head: String,
}

impl Peer {
    /// What every answer holds: the beginning of a title.
    pub(super) const EXPECTED: &'static [u8] = b"item ";

    /// Starts the peer, where one is asked for, and waits for its first answer.
    pub(super) async fn start(args: &PeerArgs, bed: &TestBed, connections: u16) -> anyhow::Result<Option<Self>> {
        let (Some(url), Some(command)) = (&args.peer, &args.peer_command) else { return Ok(None) };
        ensure!(url.scheme() == "http", "the peer's address must begin with http://");
        let address = url.socket_addrs(|| None)?.first().copied().context("the peer's address names no host")?;
        let password = new_secret()?;
        let role = format!(
            "create role {LOGIN} login bypassrls password '{password}'; grant select on public.items to {LOGIN};"
        );
        run_script(&bed.postgres().owner_url(), &role).await?;
        let child = Command::new(command)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", bed.postgres().port().to_string())
            .env("PGUSER", LOGIN)
            .env("PGPASSWORD", &password)
            .env("PGDATABASE", "behalf")
            .env("PEER_PORT", address.port().to_string())
            .env("PEER_CONNECTIONS", connections.to_string())
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
        let mut peer = Self { child, address, head };
        peer.ready().await?;
        Ok(Some(peer))
    }

    /// The request for the row of this key.
    pub(super) fn request(&self, id: u32) -> Vec<u8> {
        let body = format!(r#"{{"id":{id}}}"#);
        format!("{}{}\r\n\r\n{body}", self.head, body.len()).into_bytes()
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let (request, until) = (self.request(0), Instant::now() + PATIENCE);
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the peer ended with {status} before it answered");
            }
            if let Ok(mut connection) = Connection::open(self.address).await {
                let answer = connection.send(&request).await?;
                ensure!(is_success(answer), "the peer answered: {}", String::from_utf8_lossy(answer));
                return Ok(());
            }
            ensure!(Instant::now() < until, "the peer does not answer within {} seconds", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot stop the peer")
    }
}
