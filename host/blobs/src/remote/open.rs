//! Clients of the stores.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use url::Url;

use super::{Remote, Store};
use crate::error::OpenError;

/// How long a store may take to accept a connection, and then to send the next bytes. There is no bound for a whole answer: a client
/// may read a large one for hours.
const CONNECT: Duration = Duration::from_secs(5);
const STALL: Duration = Duration::from_mins(1);

/// How long a request is tried again.
const RETRY: Duration = Duration::from_secs(30);
const RETRIES: usize = 4;

impl Remote {
    /// A client of the store at this address: `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`. Settings have
    /// the names that `object_store` knows.
    pub(crate) fn open(url: &Url, settings: &[(String, String)]) -> Result<Self, OpenError> {
        let wrong = |text: &str| OpenError::Address(text.to_owned());
        let bucket = url.host_str().filter(|name| !name.is_empty());
        let bucket = bucket.ok_or_else(|| wrong("the address of the store names no bucket"))?;
        let prefix =
            Path::from_url_path(url.path()).map_err(|_| wrong("the address of the store has no usable prefix"))?;
        let failed = |error: object_store::Error| OpenError::Store(Box::new(error));
        let store: Arc<dyn Store> = match url.scheme() {
            "s3" => {
                let mut builder = AmazonS3Builder::new().with_client_options(client()).with_retry(retry());
                for (name, text) in settings {
                    builder = builder.with_config(setting(name)?, text);
                }
                Arc::new(builder.with_bucket_name(bucket).build().map_err(failed)?)
            }
            "gs" => {
                let mut builder = GoogleCloudStorageBuilder::new().with_client_options(client()).with_retry(retry());
                for (name, text) in settings {
                    builder = builder.with_config(setting(name)?, text);
                }
                Arc::new(builder.with_bucket_name(bucket).build().map_err(failed)?)
            }
            "az" => {
                let mut builder = MicrosoftAzureBuilder::new().with_client_options(client()).with_retry(retry());
                for (name, text) in settings {
                    builder = builder.with_config(setting(name)?, text);
                }
                Arc::new(builder.with_container_name(bucket).build().map_err(failed)?)
            }
            _ => return Err(wrong("the address of the store begins with none of s3://, gs:// and az://")),
        };
        Ok(Self { store, prefix })
    }
}

fn setting<K: FromStr>(name: &str) -> Result<K, OpenError> {
    name.parse().map_err(|_| OpenError::Address(format!("this kind of store has no setting {name}")))
}

fn client() -> ClientOptions {
    ClientOptions::new().with_timeout_disabled().with_connect_timeout(CONNECT).with_read_timeout(STALL)
}

fn retry() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, settings: &[(&str, &str)]) -> Result<Remote, OpenError> {
        let settings: Vec<_> = settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Remote::open(&url.parse().expect("an address"), &settings)
    }

    #[test]
    fn addresses_name_a_store_a_bucket_and_a_prefix() {
        let keys = [("aws_access_key_id", "a"), ("aws_secret_access_key", "b"), ("aws_region", "eu-west-1")];
        let store = open("s3://files/of/mine", &keys).expect("a store");
        assert_eq!(store.prefix, Path::from("of/mine"));
        assert!(open("s3:///files", &keys).is_err());
        assert!(open("ftp://files", &keys).is_err());
        assert!(open("s3://files", &[("aws_acces_key_id", "a")]).is_err());
        assert!(open("az://files", &[("account_name", "a"), ("access_key", "a2V5")]).is_ok());
    }
}
