//! What is made of the settings alone, so that a wrong one is said before anything is connected.

use std::sync::Arc;

use behalf_accounts::Billing;
use behalf_config::Settings;
use behalf_host_db::Sealer;
use behalf_identity::Verifier;
use behalf_models::Models;
use behalf_rest::RestOptions;
use behalf_tools::Signatures;
use behalf_web::Limits;

use super::auth::AuthPlan;
use super::error::StartError;
use super::files::FilesPlan;
use super::knowledge::KnowledgePlan;
use super::options;
use super::realtime::RealtimePlan;

/// What is made of the settings alone.
pub(crate) struct FromSettings {
    pub(super) verifier: Verifier,
    pub(super) limits: Limits,
    pub(super) signatures: Signatures,
    pub(super) billing: Arc<Billing>,
    pub(super) sealer: Arc<Sealer>,
    pub(super) models: Models,
    /// None where `/rest/v1` is served elsewhere, or not at all.
    pub(super) rest: Option<RestOptions>,
    /// None where `/auth/v1` is served elsewhere, or not at all.
    pub(super) auth: Option<AuthPlan>,
    /// What has files.
    pub(super) files: FilesPlan,
    /// Knowledge bases.
    pub(super) knowledge: KnowledgePlan,
    /// None where `/realtime/v1` is served elsewhere, or not at all.
    pub(super) realtime: Option<RealtimePlan>,
}

impl FromSettings {
    /// Reads the settings, or says which one is wrong.
    pub(crate) fn read(settings: &Settings) -> Result<Self, StartError> {
        let verifier = options::verifier(settings)?;
        let auth = AuthPlan::read(settings)?;
        // Its users' ids are the subjects of its tokens, and only one issuer's subjects can be ids.
        if let (Some(_), Some(other)) = (&auth, verifier.issuers().with_ids()) {
            return Err(options::two_with_ids(other).into());
        }
        Ok(Self {
            verifier,
            limits: Limits::new(&options::limits(settings)).map_err(|error| options::proxy_error(&error))?,
            signatures: options::signatures(settings)?,
            billing: Arc::new(options::billing(settings)?),
            sealer: Arc::new(options::sealer(settings)?),
            models: Models::new(options::models(settings))?,
            rest: options::rest(settings)?,
            auth,
            files: FilesPlan::read(settings)?,
            knowledge: KnowledgePlan::read(settings)?,
            realtime: RealtimePlan::read(settings)?,
        })
    }
}
