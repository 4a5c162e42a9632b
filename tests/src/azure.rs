//! Azure's emulator of its Blob Storage, which ends with its test.

use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use behalf_config::environment;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

/// The account of the emulator, and its key, which Azure's documentation has.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The container of the tests.
const CONTAINER: &str = "files";
/// The version of the protocol that the requests of this file speak.
const VERSION: &str = "2021-08-06";

/// Azurite, which `./dev test` installs. The process ends when this value is dropped.
#[derive(Debug)]
pub struct AzureServer {
    /// `http://127.0.0.1:…/devstoreaccount1`
    pub url: String,
    _program: tokio::process::Child,
}

impl AzureServer {
    /// Starts it, and makes the container.
    pub async fn start() -> Self {
        let clients = environment("BEHALF_TEST_CLIENTS").expect("BEHALF_TEST_CLIENTS is not set: use `./dev test`");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut program = tokio::process::Command::new(format!("{clients}/node_modules/.bin/node"))
            .arg(format!("{clients}/azurite/node_modules/azurite/dist/src/blob/main.js"))
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .args(["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let server = format!("http://127.0.0.1:{port}");
        let end = Instant::now() + Duration::from_mins(1);
        while reqwest::get(&server).await.is_err() {
            assert!(program.try_wait().unwrap().is_none(), "the server ended");
            assert!(Instant::now() < end, "the server does not serve");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let this = Self { url: format!("{server}/{ACCOUNT}"), _program: program };
        let made = this.signed(reqwest::Method::PUT, "restype=container", "restype:container").await;
        assert_eq!(made.status(), 201);
        this
    }

    /// Settings of a host that keeps its files there.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("storage", format!("az://{CONTAINER}/of/tests")),
            ("storage_azure_endpoint", self.url.clone()),
            ("storage_azure_account", ACCOUNT.to_owned()),
            ("storage_azure_access_key", KEY.to_owned()),
        ]
    }

    /// The names of all blobs of the container, in order.
    pub async fn keys(&self) -> Vec<String> {
        let query = ["comp=list&restype=container", "comp:list\nrestype:container"];
        let answer = self.signed(reqwest::Method::GET, query[0], query[1]).await;
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.unwrap();
        text.split("<Name>").skip(1).map(|rest| rest.split("</Name>").next().unwrap().to_owned()).collect()
    }

    /// A request about the container, signed with the account's key. `resource` is the query as the signature wants it.
    async fn signed(&self, method: reqwest::Method, query: &str, resource: &str) -> reqwest::Response {
        // In the form and by the clock of the server.
        let asked = reqwest::get(&self.url).await.unwrap();
        let date = asked.headers()["date"].to_str().unwrap();
        let text = format!(
            "{method}\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\n{resource}"
        );
        let key = EncodingKey::from_secret(&STANDARD.decode(KEY).unwrap());
        let signature = crypto::sign(text.as_bytes(), &key, Algorithm::HS256).unwrap();
        let signature = STANDARD.encode(URL_SAFE_NO_PAD.decode(signature).unwrap());
        let request = reqwest::Client::new().request(method, format!("{}/{CONTAINER}?{query}", self.url));
        let request = request.header("x-ms-date", date).header("x-ms-version", VERSION).header("content-length", "0");
        request.header("authorization", format!("SharedKey {ACCOUNT}:{signature}")).send().await.unwrap()
    }
}
