//! A server that speaks S3, which ends with its test.

use std::process::Stdio;
use std::time::{Duration, Instant};

use behalf_config::environment;

/// Region and keys that the server takes. It takes any.
const REGION: &str = "eu-central-1";
const KEY: &str = "tests";

/// moto's server, which `./dev test` installs. The process ends when this value is dropped.
#[derive(Debug)]
pub struct S3Server {
    /// `http://127.0.0.1:…`
    pub url: String,
    _program: tokio::process::Child,
}

impl S3Server {
    /// Starts it, and makes the bucket `files`.
    pub async fn start() -> Self {
        let clients = environment("BEHALF_TEST_CLIENTS").expect("BEHALF_TEST_CLIENTS is not set: use `./dev test`");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut program = tokio::process::Command::new(format!("{clients}/python/bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let bucket = format!("{url}/files");
        let end = Instant::now() + Duration::from_mins(1);
        let create = || {
            let place = format!(
                "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
            );
            reqwest::Client::new().put(&bucket).body(place).send()
        };
        while !create().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(program.try_wait().unwrap().is_none(), "the server ended");
            assert!(Instant::now() < end, "the server does not serve");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Self { url, _program: program }
    }

    /// Settings of a host that keeps its files there.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("storage", "s3://files/of/tests".to_owned()),
            ("storage_s3_endpoint", self.url.clone()),
            ("storage_s3_region", REGION.to_owned()),
            ("storage_s3_access_key_id", KEY.to_owned()),
            ("storage_s3_secret_access_key", KEY.to_owned()),
        ]
    }

    /// The keys of all objects of the bucket, in order.
    pub async fn keys(&self) -> Vec<String> {
        self.listed("list-type=2&max-keys=1000", "Key").await
    }

    /// The ids of all uploads that have not ended.
    pub async fn uploads(&self) -> Vec<String> {
        self.listed("uploads", "UploadId").await
    }

    async fn listed(&self, query: &str, element: &str) -> Vec<String> {
        let answer = reqwest::get(format!("{}/files?{query}", self.url)).await.unwrap();
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.unwrap();
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        text.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap().to_owned()).collect()
    }
}
