//! Whoever sends an upload in parts: a caller, or the bearer of a signed address.

use axum::http::HeaderMap;
use behalf_caller_db::FixedSetting;
use behalf_identity::CallerKey;

use super::answer::TusError;
use crate::caller::Asker;
use crate::error::StorageError;
use crate::name::{BucketId, ObjectName};
use crate::object::{NewObject, Overwrite};
use crate::state::Storage;
use crate::store::objects;
use crate::url_signer::{SignedUpload, UrlSigner};

/// How a request shows whose it is.
#[derive(Clone, Debug)]
pub(super) enum Gate {
    /// By a token of access.
    Caller(Asker),
    /// By a signature in its header. Whoever sends it uses this share of the host.
    Signature(CallerKey),
}

/// Whoever sends the upload.
#[derive(Clone, Debug)]
pub(super) enum Uploader {
    /// A caller, and whether an object may be replaced.
    Caller(Asker, bool),
    /// The bearer of a signed address, and whose share of the host the bearer uses.
    Signed(SignedUpload, CallerKey),
}

impl Gate {
    /// Whose request it is, for this object.
    pub(super) fn open(
        self,
        storage: &Storage,
        headers: &HeaderMap,
        upsert: bool,
        bucket: &BucketId,
        name: &ObjectName,
    ) -> Result<Uploader, TusError> {
        let sender = match self {
            Self::Caller(caller) => return Ok(Uploader::Caller(caller, upsert)),
            Self::Signature(sender) => sender,
        };
        let missing = || StorageError::new(400, "InvalidSignature", "Missing x-signature header");
        let token =
            behalf_web::header(headers, "x-signature")?.filter(|token| !token.is_empty()).ok_or_else(missing)?;
        let signer = UrlSigner::new(&storage.options.signing_key);
        Ok(Uploader::Signed(signer.verify_upload(token, bucket, name)?, sender))
    }

    /// Whether it is the address for signatures.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self, Self::Signature(_))
    }
}

impl Uploader {
    /// It as the upload's row names it.
    pub(super) fn actor(&self) -> String {
        match self {
            Self::Caller(caller, _) => {
                let principal = caller.principal();
                let subject = principal.subject().map(|subject| subject.to_string()).unwrap_or_default();
                format!("{}:{subject}:{}", principal.role(), principal.actor())
            }
            Self::Signed(signed, _) => format!("signed:{}", signed.owner.as_deref().unwrap_or_default()),
        }
    }

    /// Who will own the object.
    pub(super) fn owner(&self) -> Option<String> {
        match self {
            Self::Caller(caller, _) => caller.owner(),
            Self::Signed(signed, _) => signed.owner.clone(),
        }
    }

    /// Whose share of the host is used.
    pub(super) fn key(&self) -> CallerKey {
        match self {
            Self::Caller(caller, _) => caller.key(),
            Self::Signed(_, sender) => *sender,
        }
    }

    /// Tells whether such a row may be written. Of the bearer of a signed address that was told when it was signed; there may be
    /// an object by now.
    pub(super) async fn try_put(
        &self,
        storage: &Storage,
        settings: &[FixedSetting],
        row: &NewObject<'_>,
        exists: bool,
    ) -> Result<(), StorageError> {
        match self {
            Self::Caller(caller, _) => objects::try_put(storage, caller.act(settings), row, self.overwrite()).await,
            Self::Signed(SignedUpload { upsert: false, .. }, _) if exists => {
                Err(StorageError::new(409, "KeyAlreadyExists", "The resource already exists").named("Duplicate"))
            }
            Self::Signed(..) => Ok(()),
        }
    }

    /// Writes the row: as the caller, or as whoever signed the address could then.
    pub(super) async fn put(
        &self,
        storage: &Storage,
        settings: &[FixedSetting],
        row: &NewObject<'_>,
    ) -> Result<(), StorageError> {
        let put = match self {
            Self::Caller(caller, _) => objects::put(storage, caller.act(settings), row, self.overwrite()).await,
            Self::Signed(..) => objects::put_as_owner(storage, row, self.overwrite()).await,
        };
        put.map(drop)
    }

    fn overwrite(&self) -> Overwrite {
        let (Self::Caller(_, upsert) | Self::Signed(SignedUpload { upsert, .. }, _)) = self;
        if *upsert { Overwrite::Yes } else { Overwrite::No }
    }
}
