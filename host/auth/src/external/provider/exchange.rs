//! What a provider says of a user: for a code of its page, and in an ID token that an app got by itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::super::discovery;
use super::super::github;
use super::super::outside::{self, ProviderError};
use super::super::profile::Profile;
use super::{Kind, Outsider, Provider, callback, is_tenant, nonce_of};
use crate::state::Auth;

/// The answer to an exchange of a code.
#[derive(serde::Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are those of RFC 6749")]
struct Tokens {
    access_token: Option<String>,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

/// An ID token that was verified.
struct Checked {
    issuer: String,
    nonce: Option<String>,
    claims: Map<String, Value>,
}

impl Provider<'_> {
    /// Exchanges the code of an answer for the user.
    pub(crate) async fn exchange(&self, auth: &Auth, code: &str, verifier: &str) -> Result<Outsider, ProviderError> {
        let tokens = self.tokens(auth, code, verifier).await?;
        let access_token = tokens.access_token.filter(|token| !token.is_empty());
        let access_token = access_token.ok_or(ProviderError::Refused("it gave no access token"))?;
        let profile = match (&self.kind, &tokens.id_token) {
            (Kind::GitHub { base }, _) => github::profile(auth, base, &access_token).await?,
            (_, Some(id_token)) => {
                let apps = std::slice::from_ref(&self.options.client_id);
                let checked = self.verify(auth, apps, id_token, Some(&access_token)).await?;
                if checked.nonce.as_deref() != Some(nonce_of(verifier).as_str()) {
                    return Err(ProviderError::Refused("its ID token is for another sign-in"));
                }
                self.complete(auth, checked, &access_token).await?
            }
            (_, None) => return Err(ProviderError::Refused("it gave no ID token")),
        };
        Ok(Outsider { profile, access_token, refresh_token: tokens.refresh_token.filter(|token| !token.is_empty()) })
    }

    /// The user of an ID token that an app got by itself, and the nonce in it.
    pub(crate) async fn profile_of(
        &self,
        auth: &Auth,
        id_token: &str,
        access_token: Option<&str>,
    ) -> Result<(Profile, Option<String>), ProviderError> {
        let apps = std::iter::once(&self.options.client_id).chain(&self.options.other_client_ids);
        let apps: Vec<String> = apps.filter(|id| !id.is_empty()).cloned().collect();
        let checked = self.verify(auth, &apps, id_token, access_token).await?;
        let profile = Profile::of_claims(&checked.issuer, &checked.claims, self.verified());
        Ok((profile, checked.nonce))
    }

    async fn tokens(&self, auth: &Auth, code: &str, verifier: &str) -> Result<Tokens, ProviderError> {
        let callback = callback(auth);
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &callback),
            ("code_verifier", verifier),
        ];
        let (id, secret) = (self.options.client_id.as_str(), self.options.client_secret.as_str());
        let (endpoint, mut basic) = match &self.kind {
            Kind::GitHub { base } => (github::token_endpoint(base)?, false),
            kind => {
                let metadata = kind.metadata(auth).await?;
                let challenged = metadata.takes_challenges() || self.is_azure();
                form.retain(|(name, _)| challenged || *name != "code_verifier");
                (metadata.token_endpoint.clone(), metadata.takes_basic())
            }
        };
        // An app without a secret only says who it is.
        basic &= !secret.is_empty();
        if !basic {
            form.push(("client_id", id));
            if !secret.is_empty() {
                form.push(("client_secret", secret));
            }
        }
        outside::post(auth, &endpoint, &form, basic.then_some((id, secret))).await
    }

    async fn verify(
        &self,
        auth: &Auth,
        apps: &[String],
        id_token: &str,
        access_token: Option<&str>,
    ) -> Result<Checked, ProviderError> {
        let issuer = match &self.kind {
            Kind::OpenId { issuer, .. } => issuer.clone().into_owned(),
            Kind::Apple { issuer } => (*issuer).to_owned(),
            Kind::Tenants(tenants) => {
                let said = unverified_issuer(id_token).filter(|issuer| is_tenant(tenants, issuer));
                said.ok_or(ProviderError::Refused("its ID token is of another issuer"))?
            }
            Kind::GitHub { .. } => return Err(ProviderError::Refused("it has no ID tokens")),
        };
        let token = discovery::verify(auth, &issuer, apps, id_token).await?;
        if access_token.and_then(|access_token| token.belongs_to(access_token)) == Some(false) {
            return Err(ProviderError::Refused("its access token does not belong to its ID token"));
        }
        let nonce = token.claims.get("nonce").and_then(Value::as_str).map(str::to_owned);
        Ok(Checked { issuer, nonce, claims: token.claims })
    }

    /// Asks for the claims that an ID token leaves out.
    async fn complete(&self, auth: &Auth, checked: Checked, access_token: &str) -> Result<Profile, ProviderError> {
        let Checked { issuer, mut claims, .. } = checked;
        let endpoint = discovery::metadata(auth, &issuer).await?.userinfo_endpoint.clone();
        if let (None, Some(endpoint)) = (claims.get("email"), endpoint) {
            let more: Map<String, Value> = outside::get(auth, &endpoint, Some(access_token)).await?;
            // OpenID Connect Core 1.0, section 5.3.2: an answer about another user must not be used.
            if more.get("sub") != claims.get("sub") {
                return Err(ProviderError::Refused("it told of another user"));
            }
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(Profile::of_claims(&issuer, &claims, self.verified()))
    }
}

/// What an ID token says of its issuer before anything is verified: only to choose the issuer whose keys must verify it.
fn unverified_issuer(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1).filter(|payload| payload.len() < 16 * 1024)?;
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    payload.get("iss")?.as_str().map(str::to_owned)
}
