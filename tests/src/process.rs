//! A host as a process of its own, so that it can be killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use behalf_config::environment;
use reqwest::{Client, Method, RequestBuilder};

use crate::app::{anon_key, service_key, token};
use crate::{SECRET, TestDatabase, User};

/// `behalf serve`, killed when it is dropped.
#[derive(Debug)]
pub struct HostProcess {
    /// `http://127.0.0.1:…`
    pub url: String,
    child: Child,
    http: Client,
}

impl HostProcess {
    /// Starts a host on this database and waits until it serves.
    pub async fn start(database: &TestDatabase, settings: &[(&str, String)]) -> Self {
        // Another process could take the port before the host binds it; then the host says so, and the test fails.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(database, settings, port).await
    }

    /// The same at this port.
    pub async fn start_at(database: &TestDatabase, settings: &[(&str, String)], port: u16) -> Self {
        Self::begin(database, settings, port, Stdio::inherit()).await
    }

    /// A host whose log goes to this file.
    pub async fn start_logged(database: &TestDatabase, settings: &[(&str, String)], log: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::begin(database, settings, port, std::fs::File::create(log).unwrap().into()).await
    }

    async fn begin(database: &TestDatabase, settings: &[(&str, String)], port: u16, log: Stdio) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let state_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-state");
        let mut command = Command::new(environment("BEHALF_TEST_BIN").expect("run the tests with `./dev test`"));
        command.arg("serve").stdout(Stdio::null()).stderr(log).stdin(Stdio::null());
        for (name, value) in [
            ("HOST_DATABASE_URL", database.host_url()),
            ("TOOL_DATABASE_URL", database.tool_url()),
            ("BIND", format!("127.0.0.1:{port}")),
            ("STATE_DIR", state_dir.to_owned()),
            ("JWT_SECRET", SECRET.to_owned()),
            ("ANON_KEY", anon_key()),
            ("SERVICE_ROLE_KEY", service_key()),
            ("TOOL_CONNECTIONS", "4".to_owned()),
            ("HOST_CONNECTIONS", "4".to_owned()),
            ("KEY_SET_CACHE_SECONDS", "0".to_owned()),
            ("DRAIN_SECONDS", "0".to_owned()),
            ("LOG", "warn".to_owned()),
        ] {
            command.env(format!("BEHALF_{name}"), value);
        }
        for (name, value) in settings {
            // Those of OpenTelemetry have no prefix.
            let prefix = if name.starts_with("OTEL_") { "" } else { "BEHALF_" };
            command.env(format!("{prefix}{}", name.to_uppercase()), value);
        }
        let http = Client::builder().timeout(Duration::from_mins(2)).build().unwrap();
        let mut host = Self { url, child: command.spawn().unwrap(), http };
        let end = Instant::now() + Duration::from_mins(1);
        let ready = format!("{}/readyz", host.url);
        while !host.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(host.child.try_wait().unwrap().is_none(), "the host ended before it served");
            assert!(Instant::now() < end, "the host does not serve");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        host
    }

    /// Kills it as `kill -9` does: it can write nothing more.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends `SIGTERM`, and waits for its end.
    pub fn terminate(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap();
    }

    /// A request with the caller's headers.
    pub fn request(&self, user: &User, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).header("apikey", anon_key());
        match user {
            User::Is(user) => request.bearer_auth(token(*user)),
            User::Service => request.bearer_auth(service_key()),
            User::Token(bearer) => request.bearer_auth(bearer),
            other => panic!("{other:?} does not call a host of its own"),
        }
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
