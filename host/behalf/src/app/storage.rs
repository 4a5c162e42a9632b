//! `/storage/v1`: its options, and its parts put together.

use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use behalf_blobs::{BlobOptions, BlobPlace, Blobs};
use behalf_caller_db::CallerDb;
use behalf_config::{ConfigError, Secret, Settings, StoragePlace, StorageSettings, environment};
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_queue::Workers;
use behalf_storage::{Storage, StorageOptions, TablesError, UploadLimits};
use behalf_web::{Routes, Web};
use url::Url;
use uuid::Uuid;

use super::options::{issuer, max_wait};
use super::{Front, StartError};

/// Keeps the key of signed addresses apart from everything else that the project's secrets sign.
const PURPOSE: &[u8] = b"behalf: signed addresses of objects, version 1";

/// The folder for files in the state folder.
const FOLDER: &str = "storage";

/// What the providers' own tools read, too: keys of the surroundings in which a host runs. A setting of this host replaces them.
const AMAZON: [&str; 13] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
const GOOGLE: [&str; 2] = ["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_APPLICATION_CREDENTIALS"];
const AZURE: [&str; 7] = [
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
];

/// What `/storage/v1` is made of, read before anything is connected.
pub(super) struct StoragePlan {
    /// Whether a setting says that it is served here.
    is_asked_for: bool,
    options: StorageOptions,
}

impl StoragePlan {
    /// Reads the settings; nothing where `/storage/v1` is served elsewhere, or not at all.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        let storage = &settings.storage;
        if place(settings)?.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            is_asked_for: storage.place.is_some(),
            options: StorageOptions {
                file_size_limit: storage.storage_file_size_limit,
                signed_upload: seconds("storage_signed_upload_seconds", storage.storage_signed_upload_seconds)?,
                upload_expiry: seconds("storage_upload_expiry_seconds", storage.storage_upload_expiry_seconds)?,
                signing_key: signing_key(settings, PURPOSE),
                uploads: UploadLimits {
                    at_once: some(storage.storage_uploads),
                    of_one: some(storage.storage_uploads_user),
                    max_wait: max_wait(settings),
                },
                // Known once the host listens.
                public_url: String::new(),
            },
        }))
    }
}

/// How the bytes of all features are kept: in one place, because one list has them all. Where `/storage/v1` is not served here, that
/// is the state folder.
pub(crate) fn blobs(settings: &Settings) -> Result<BlobOptions, ConfigError> {
    let storage = &settings.storage;
    Ok(BlobOptions {
        place: place(settings)?.unwrap_or_else(|| BlobPlace::Folder(settings.state_dir.join(FOLDER))),
        abandoned_after: seconds("storage_abandoned_seconds", storage.storage_abandoned_seconds)?,
        parts_abandoned_after: seconds("storage_upload_expiry_seconds", storage.storage_upload_expiry_seconds)?,
    })
}

/// Opens the bytes of all features, and `/storage/v1` where it is served here. Bytes are opened where a feature has some: a host that
/// serves none may not know where they are, and deletes none.
pub(super) async fn open(
    (plan, blobs): (Option<StoragePlan>, &BlobOptions),
    has_sources: bool,
    (settings, front): (&Settings, &Front),
    web: &Web,
    (db, caller_db): (&HostDb, &CallerDb),
    (jobs, workers): (&Jobs, &mut Workers),
) -> Result<(Option<Storage>, Option<Blobs>), StartError> {
    let plan = servable(plan, db).await?;
    if plan.is_none() && !has_sources {
        return Ok((None, None));
    }
    let blobs = Blobs::open(blobs, db.clone(), jobs).await?;
    let storage = plan.map(|StoragePlan { mut options, .. }| {
        options.public_url = issuer(settings, front.address());
        let storage = Storage::new(web.clone(), db.clone(), caller_db.clone(), blobs.clone(), options);
        storage.sweep_uploads(workers);
        storage
    });
    Ok((storage, Some(blobs)))
}

/// The plan, if `/storage/v1` can be served on this database. Where its objects are another service's, it cannot, and an operator who
/// asked for it hears why.
async fn servable(plan: Option<StoragePlan>, db: &HostDb) -> Result<Option<StoragePlan>, StartError> {
    let Some(plan) = plan else { return Ok(None) };
    match behalf_storage::check_tables(db).await {
        Ok(()) => Ok(Some(plan)),
        Err(TablesError::Theirs) if !plan.is_asked_for => {
            tracing::info!("/storage/v1 is off: the table storage.objects of this database belongs to another service");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The routes of `/storage/v1`, or what they answer where it is not served here.
pub(super) fn routes(storage: Option<Storage>, settings: &Settings) -> Routes {
    match storage {
        Some(storage) => behalf_storage::routes(storage),
        None => behalf_storage::elsewhere(settings.storage.place.as_ref().and_then(StoragePlace::elsewhere)),
    }
}

/// Where files are; nowhere, if `/storage/v1` is not served here.
pub(crate) fn place(settings: &Settings) -> Result<Option<BlobPlace>, ConfigError> {
    Ok(Some(match &settings.storage.place {
        Some(StoragePlace::Off | StoragePlace::At(_)) => return Ok(None),
        None | Some(StoragePlace::On) => BlobPlace::Folder(settings.state_dir.join(FOLDER)),
        Some(StoragePlace::Folder(path)) => BlobPlace::Folder(path.clone()),
        Some(StoragePlace::Store(address)) => {
            let url = Url::parse(address).map_err(|error| value(format!("storage: {error}")))?;
            let settings = match url.scheme() {
                "s3" => amazon(&settings.storage)?,
                "gs" => google(&settings.storage),
                _ => azure(&settings.storage),
            };
            BlobPlace::Store { url, settings }
        }
    }))
}

/// A limit; 0 means that there is none.
fn some(limit: usize) -> Option<usize> {
    Some(limit).filter(|limit| *limit > 0)
}

fn value(text: String) -> ConfigError {
    ConfigError::Value(text)
}

fn seconds(name: &'static str, seconds: u64) -> Result<Duration, ConfigError> {
    match seconds {
        0 => Err(value(format!("{name} must be at least 1"))),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

type Pairs = Vec<(String, String)>;

fn surroundings(names: &[&str]) -> Pairs {
    names.iter().filter_map(|name| Some((name.to_lowercase(), environment(name)?))).collect()
}

fn pair(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

fn amazon(storage: &StorageSettings) -> Result<Pairs, ConfigError> {
    let mut pairs = match (&storage.storage_s3_access_key_id, &storage.storage_s3_secret_access_key) {
        (Some(id), Some(key)) => {
            vec![pair("aws_access_key_id", id), pair("aws_secret_access_key", key.expose())]
        }
        (None, None) => surroundings(&AMAZON),
        _ => return Err(value("set both storage_s3_access_key_id and storage_s3_secret_access_key".to_owned())),
    };
    if let Some(region) = &storage.storage_s3_region {
        pairs.retain(|(name, _)| name != "aws_default_region");
        pairs.push(pair("aws_region", region));
    }
    if let Some(endpoint) = &storage.storage_s3_endpoint {
        pairs.retain(|(name, _)| name != "aws_endpoint_url_s3");
        pairs.push(pair("aws_endpoint_url", endpoint));
    }
    // Whoever writes http:// means it.
    if pairs.iter().any(|(name, text)| name.starts_with("aws_endpoint_url") && text.starts_with("http://")) {
        pairs.push(pair("aws_allow_http", "true"));
    }
    Ok(pairs)
}

fn google(storage: &StorageSettings) -> Pairs {
    match &storage.storage_gcs_service_account {
        Some(path) => vec![pair("google_service_account", &path.to_string_lossy())],
        None => surroundings(&GOOGLE),
    }
}

fn azure(storage: &StorageSettings) -> Pairs {
    let mut pairs = match &storage.storage_azure_access_key {
        Some(key) => vec![pair("azure_storage_account_key", key.expose())],
        None => surroundings(&AZURE),
    };
    if let Some(account) = &storage.storage_azure_account {
        pairs.retain(|(name, _)| name != "azure_storage_account_name");
        pairs.push(pair("azure_storage_account_name", account));
    }
    if let Some(endpoint) = &storage.storage_azure_endpoint {
        pairs.push(pair("azure_endpoint", endpoint));
        if endpoint.starts_with("http://") {
            pairs.push(pair("azure_allow_http", "true"));
        }
    }
    pairs
}

/// The key of signed addresses: from the project's secret, so that all hosts have the same, and of no use for anything else. Without
/// any secret, addresses are good for as long as this process lives.
pub(super) fn signing_key(settings: &Settings, purpose: &[u8]) -> Vec<u8> {
    let secret = [&settings.jwt_secret, &settings.secrets_key, &settings.service_role_key];
    let secret = secret.into_iter().flatten().map(Secret::expose).find(|secret| !secret.is_empty());
    let secret = secret.map_or_else(random, |secret| secret.as_bytes().to_vec());
    hmac::sign(&hmac::Key::new(HMAC_SHA256, &secret), purpose).as_ref().to_vec()
}

fn random() -> Vec<u8> {
    tracing::warn!("signed addresses of files end with this process, because there is no JWT_SECRET or SECRETS_KEY");
    [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat()
}

/// The same for commands.
pub(crate) fn addresses_need_a_secret(settings: &Settings) -> bool {
    settings.jwt_secret.is_none() && settings.secrets_key.is_none() && settings.service_role_key.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<StoragePlan>, ConfigError> {
        let pairs = pairs.iter().map(|(name, text)| (*name, (*text).to_owned()));
        StoragePlan::read(&Settings::from_pairs(pairs)?)
    }

    fn settings(pairs: &[(&'static str, &str)]) -> Settings {
        let pairs = pairs.iter().map(|(name, text)| (*name, (*text).to_owned()));
        Settings::from_pairs(pairs).expect("settings")
    }

    fn place_of(pairs: &[(&'static str, &str)]) -> BlobPlace {
        blobs(&settings(pairs)).expect("options").place
    }

    const SECRET: (&str, &str) = ("jwt_secret", "0123456789abcdef0123456789abcdef");

    #[test]
    fn files_are_in_the_state_folder_unless_a_setting_says_otherwise() {
        let plan = read(&[SECRET, ("state_dir", "/srv/state")]).expect("a plan").expect("it is served");
        assert!(
            matches!(place_of(&[("state_dir", "/srv/state")]), BlobPlace::Folder(path) if path.ends_with("state/storage"))
        );
        assert!(matches!(place_of(&[("storage", "off")]), BlobPlace::Folder(_)), "sources have bytes as well");
        assert!(!plan.is_asked_for);
        assert!(read(&[("storage", "off")]).expect("a plan").is_none());
        assert!(read(&[("storage", "https://a.example/storage/v1")]).expect("a plan").is_none());
        let keys = [("storage_s3_access_key_id", "a"), ("storage_s3_secret_access_key", "b")];
        let place =
            place_of(&[("storage", "s3://files"), ("storage_s3_endpoint", "http://127.0.0.1:1"), keys[0], keys[1]]);
        let BlobPlace::Store { settings, .. } = place else { panic!("{place:?}") };
        assert!(settings.contains(&pair("aws_allow_http", "true")), "{settings:?}");
    }

    #[test]
    fn a_wrong_option_is_said_before_anything_is_connected() {
        for pairs in [
            [("storage", "s3://files"), ("storage_s3_access_key_id", "a")],
            [SECRET, ("storage_abandoned_seconds", "0")],
            [SECRET, ("storage_upload_expiry_seconds", "0")],
            [SECRET, ("storage_signed_upload_seconds", "0")],
        ] {
            assert!(read(&pairs).is_err() || blobs(&settings(&pairs)).is_err(), "{pairs:?}");
        }
    }

    #[test]
    fn the_key_of_addresses_is_the_same_at_every_host_and_no_secret_itself() {
        let key = |pairs: &[_]| read(pairs).expect("a plan").expect("it is served").options.signing_key;
        assert_eq!(key(&[SECRET]), key(&[SECRET, ("secrets_key", "x")]));
        assert_ne!(key(&[SECRET]), key(&[("jwt_secret", "another-secret-that-is-long-enough")]));
        assert_ne!(key(&[SECRET]), SECRET.1.as_bytes());
        assert_ne!(key(&[]), key(&[]), "without a secret it is random");
    }
}
