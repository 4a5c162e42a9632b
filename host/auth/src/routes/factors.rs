//! Second factors: codes of authenticator apps. Enroll, challenge, verify, unenroll.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use behalf_host_db::AuthTx;
use behalf_web::{Json, Path, Routes, routes};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::Body;
use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::session::{Method, Session, Which, no_session};
use crate::signed_in::SignedIn;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::{factor_secrets, factor_tries, factors, users};
use crate::totp::{TotpSecret, qr_code};
use crate::user::{Factor, User};

/// Characters of a factor's name and of an issuer.
const MAX_NAME_CHARS: usize = 255;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(enroll)).routes(routes!(challenge)).routes(routes!(verify)).routes(routes!(unenroll))
}

/// A factor to enroll.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EnrollFactor)]
pub(crate) struct EnrollRequest {
    /// `totp`.
    #[serde(default)]
    factor_type: String,
    /// The user's name for it; no two factors of a user have the same.
    #[serde(default)]
    #[schema(max_length = 255)]
    friendly_name: Option<String>,
    /// The name of the service in the authenticator app; the app's host where absent.
    #[serde(default)]
    #[schema(max_length = 255)]
    issuer: Option<String>,
}

/// A new factor. No other answer shows its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnrolledFactor {
    /// Its id.
    id: Uuid,
    /// `totp`.
    r#type: String,
    /// The user's name for it.
    friendly_name: String,
    /// What an authenticator app needs.
    totp: TotpKey,
}

/// What an authenticator app needs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotpKey {
    /// A QR code of `uri`, as SVG.
    qr_code: String,
    /// The secret in base32.
    secret: String,
    /// `otpauth://totp/…`
    uri: String,
}

/// A challenge to answer with a code.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FactorChallenge {
    /// Its id.
    id: Uuid,
    /// `totp`.
    r#type: String,
    /// When it ends, in seconds since 1970.
    expires_at: i64,
}

/// A code from the authenticator app.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = VerifyFactor)]
pub(crate) struct VerifyRequest {
    /// The challenge.
    challenge_id: Uuid,
    /// Six digits.
    #[serde(default)]
    code: String,
}

/// The factor that was unenrolled.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnenrolledFactor {
    /// Its id.
    id: Uuid,
}

/// Enrolls a factor. It counts from its first code on.
#[utoipa::path(
    post,
    path = "/auth/v1/factors",
    operation_id = "enroll_factor",
    tag = "Auth",
    request_body = EnrollRequest,
    responses(
        (status = 200, description = "The factor, with its secret", body = EnrolledFactor),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn enroll(
    State(auth): State<Auth>,
    caller: SignedIn,
    client: Client,
    Body(request): Body<EnrollRequest>,
) -> Result<Response, AuthError> {
    check_kind(&request)?;
    let name = request.friendly_name.unwrap_or_default();
    let mut tx = auth.begin().await?;
    let (user, level) = in_session(&mut tx, &caller).await?;
    check_enrolled(&auth, &mut tx, &user, &name, &level).await?;
    let secret = TotpSecret::make()?;
    let id = Uuid::new_v4();
    let stored =
        factor_secrets::close(&auth.sealer, id, &secret.base32()).map_err(|error| AuthError::internal(&error))?;
    let issuer = request.issuer.filter(|issuer| !issuer.is_empty()).unwrap_or_else(|| site_name(&auth));
    let uri = secret.uri(&issuer, &account_name(&user));
    // Before the commit: a factor whose picture cannot be drawn would stay without anybody who has its secret.
    let totp = TotpKey { qr_code: qr_code(&uri)?, secret: secret.base32(), uri };
    let factor = factors::add(&mut tx, id, user.id, &name, &stored).await?;
    note(&mut tx, &user, Entry::FactorEnrolled, &client, id).await?;
    tx.commit().await?;
    Ok(no_store(Json(EnrolledFactor { id: factor.id, r#type: factor.factor_type, friendly_name: name, totp })))
}

/// Begins a verification.
#[utoipa::path(
    post,
    path = "/auth/v1/factors/{factor_id}/challenge",
    operation_id = "challenge_factor",
    tag = "Auth",
    params(("factor_id" = String, Path, description = "The factor's id")),
    responses(
        (status = 200, description = "The challenge", body = FactorChallenge),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn challenge(
    State(auth): State<Auth>,
    caller: SignedIn,
    client: Client,
    Path(id): Path<String>,
) -> Result<Json<FactorChallenge>, AuthError> {
    let mut tx = auth.begin().await?;
    let (user, _) = in_session(&mut tx, &caller).await?;
    let factor = own(&mut tx, &user, &id).await?;
    let challenge = factors::add_challenge(&mut tx, factor.id, client.ip).await?;
    note(&mut tx, &user, Entry::FactorChallenged, &client, factor.id).await?;
    tx.commit().await?;
    let expires_at = challenge.ends_at().timestamp();
    Ok(Json(FactorChallenge { id: challenge.id, r#type: factor.factor_type, expires_at }))
}

/// Verifies a code. The session is at the second level from then on; sessions of the user that are not end.
#[utoipa::path(
    post,
    path = "/auth/v1/factors/{factor_id}/verify",
    operation_id = "verify_factor",
    tag = "Auth",
    params(("factor_id" = String, Path, description = "The factor's id")),
    request_body = VerifyRequest,
    responses(
        (status = 200, description = "The session with new tokens", body = Session),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn verify(
    State(auth): State<Auth>,
    caller: SignedIn,
    client: Client,
    Path(id): Path<String>,
    Body(request): Body<VerifyRequest>,
) -> Result<Response, AuthError> {
    if request.code.is_empty() {
        return Err(AuthError::validation("Code needs to be non-empty"));
    }
    let session = caller.session.ok_or_else(no_session)?;
    let mut tx = auth.begin().await?;
    let (user, _) = in_session(&mut tx, &caller).await?;
    let factor = own(&mut tx, &user, &id).await?;
    let tries = factor_tries::of(&mut tx, factor.id).await?;
    check_pause(&tries, Utc::now())?;
    let mut tx = check_challenge(tx, &factor, &request, &client).await?;
    note(&mut tx, &user, Entry::FactorTried, &client, factor.id).await?;
    let Some(step) = check_code(&auth, &mut tx, &factor, &request.code, tries.last_step).await? else {
        // A wrong try is counted before the answer tells of it.
        factor_tries::count_failure(&mut tx, factor.id).await?;
        tx.commit().await?;
        return Err(AuthError::new(422, "mfa_verification_failed", "Invalid TOTP code entered"));
    };
    factor_tries::use_step(&mut tx, factor.id, step).await?;
    factors::meet_challenge(&mut tx, request.challenge_id).await?;
    factors::set_verified(&mut tx, &factor).await?;
    factors::set_session_factor(&mut tx, session, factor.id).await?;
    let renewed = auth.renew(&mut tx, session, Some(Method::Totp)).await?;
    for low in factors::low_sessions(&mut tx, user.id).await? {
        if low != session {
            auth.end_sessions(&mut tx, user.id, Which::One(low)).await?;
        }
    }
    tx.commit().await?;
    Ok(no_store(Json(renewed)))
}

/// Unenrolls a factor. One that was verified needs a session at the second level.
#[utoipa::path(
    delete,
    path = "/auth/v1/factors/{factor_id}",
    operation_id = "unenroll_factor",
    tag = "Auth",
    params(("factor_id" = String, Path, description = "The factor's id")),
    responses(
        (status = 200, description = "The factor's id", body = UnenrolledFactor),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn unenroll(
    State(auth): State<Auth>,
    caller: SignedIn,
    client: Client,
    Path(id): Path<String>,
) -> Result<Json<UnenrolledFactor>, AuthError> {
    let mut tx = auth.begin().await?;
    let (user, level) = in_session(&mut tx, &caller).await?;
    let factor = own(&mut tx, &user, &id).await?;
    if factor.is_verified() && level != "aal2" {
        return Err(AuthError::new(422, "insufficient_aal", "AAL2 required to unenroll verified factor"));
    }
    factors::remove(&mut tx, &factor).await?;
    note(&mut tx, &user, Entry::FactorUnenrolled, &client, factor.id).await?;
    tx.commit().await?;
    Ok(Json(UnenrolledFactor { id: factor.id }))
}

/// Notes in the log of users what was done with a factor.
async fn note(tx: &mut AuthTx, user: &User, entry: Entry, client: &Client, factor: Uuid) -> Result<(), AuthError> {
    audit_entries::add(tx, user, entry, Some(client), Some(json!({ "factor_id": factor }))).await
}

fn check_kind(request: &EnrollRequest) -> Result<(), AuthError> {
    match request.factor_type.as_str() {
        "totp" => {}
        "phone" => return Err(AuthError::new(422, "mfa_phone_enroll_not_enabled", "MFA enroll is disabled for Phone")),
        "webauthn" => {
            return Err(AuthError::new(422, "mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn"));
        }
        _ => return Err(AuthError::validation("factor_type needs to be totp, phone, or webauthn")),
    }
    for (name, text) in [("friendly_name", &request.friendly_name), ("issuer", &request.issuer)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > MAX_NAME_CHARS) {
            return Err(AuthError::validation(format!("{name} may have at most {MAX_NAME_CHARS} characters")));
        }
    }
    Ok(())
}

/// The caller, whose row and session are locked until the transaction ends, and the session's level. What the session says
/// counts, not what the token says: the level may have been taken back since.
async fn in_session(tx: &mut AuthTx, caller: &SignedIn) -> Result<(User, String), AuthError> {
    let session = caller.session.ok_or_else(no_session)?;
    let unknown = || AuthError::new(403, "user_not_found", "User from sub claim in JWT does not exist");
    let user = users::by_id(tx, caller.user).await?.ok_or_else(unknown)?;
    if user.is_anonymous {
        return Err(AuthError::new(403, "no_authorization", "Anonymous user not allowed to perform these actions"));
    }
    let level = factors::session_level(tx, user.id, session).await?.ok_or_else(no_session)?;
    Ok((user, level))
}

/// The caller's factor of this id.
async fn own(tx: &mut AuthTx, user: &User, id: &str) -> Result<Factor, AuthError> {
    let id = Uuid::try_parse(id).map_err(|_| AuthError::new(404, "validation_failed", "factor_id must be an UUID"))?;
    let missing = || AuthError::new(404, "mfa_factor_not_found", "Factor not found");
    let factor = factors::find(tx, user.id, id).await?.ok_or_else(missing)?;
    match factor.factor_type.as_str() {
        "totp" => Ok(factor),
        "phone" => Err(AuthError::new(422, "mfa_phone_verify_not_enabled", "MFA verification is disabled for Phone")),
        _ => Err(AuthError::new(422, "mfa_webauthn_verify_not_enabled", "MFA verification is disabled for WebAuthn")),
    }
}

async fn check_enrolled(auth: &Auth, tx: &mut AuthTx, user: &User, name: &str, level: &str) -> Result<(), AuthError> {
    factors::remove_abandoned(tx, user.id).await?;
    let enrolled = factors::of_user(tx, user.id).await?;
    if enrolled.iter().any(|factor| factor.friendly_name.as_deref().unwrap_or_default() == name) {
        return Err(factors::name_conflict(name));
    }
    if enrolled.len() >= auth.options.max_factors {
        let message = "Maximum number of verified factors reached, unenroll to continue";
        return Err(AuthError::new(422, "too_many_enrolled_mfa_factors", message));
    }
    if level != "aal2" && enrolled.iter().any(Factor::is_verified) {
        return Err(AuthError::new(403, "insufficient_aal", "AAL2 required to enroll a new factor"));
    }
    Ok(())
}

fn check_pause(tries: &factor_tries::Tries, now: DateTime<Utc>) -> Result<(), AuthError> {
    let Some(left) = tries.pause(now) else { return Ok(()) };
    let mut busy = AuthError::new(429, "over_request_rate_limit", "Request rate limit reached");
    busy.retry_after = u64::try_from(left.num_seconds()).ok().map(|seconds| seconds + 1);
    Err(busy)
}

/// Checks that the challenge is this factor's, of the same address, unmet and not over. It takes the transaction, because it
/// ends it where a challenge that is over was deleted.
async fn check_challenge(
    mut tx: AuthTx,
    factor: &Factor,
    request: &VerifyRequest,
    client: &Client,
) -> Result<AuthTx, AuthError> {
    let Some(challenge) = factors::challenge(&mut tx, factor.id, request.challenge_id, client.ip).await? else {
        let message = "MFA factor with the provided challenge ID not found";
        return Err(AuthError::new(422, "mfa_factor_not_found", message));
    };
    if challenge.verified_at.is_some() || !challenge.same_address {
        let message = "Challenge and verify IP addresses mismatch.";
        return Err(AuthError::new(422, "mfa_ip_address_mismatch", message));
    }
    if challenge.ends_at() < Utc::now() {
        factors::remove_challenge(&mut tx, challenge.id).await?;
        tx.commit().await?;
        let message = format!(
            "MFA challenge {} has expired, verify against another challenge or create a new challenge.",
            challenge.id
        );
        return Err(AuthError::new(422, "mfa_challenge_expired", message));
    }
    Ok(tx)
}

/// The step of the code, if it is a later one than the last that was used.
async fn check_code(
    auth: &Auth,
    tx: &mut AuthTx,
    factor: &Factor,
    code: &str,
    last_step: i64,
) -> Result<Option<i64>, AuthError> {
    let stored = factors::secret(tx, factor.id).await?.unwrap_or_default();
    let opened = factor_secrets::open(&auth.sealer, factor.id, &stored);
    let (base32, is_old) = opened.map_err(|error| AuthError::internal(&error))?;
    let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
    let step = TotpSecret::read(&base32)?.step_of(code, now).and_then(|step| i64::try_from(step).ok());
    let Some(step) = step.filter(|step| *step > last_step) else { return Ok(None) };
    if is_old {
        let sealed = factor_secrets::close(&auth.sealer, factor.id, &base32);
        factors::set_secret(tx, factor.id, &sealed.map_err(|error| AuthError::internal(&error))?).await?;
    }
    Ok(Some(step))
}

/// The host of the app's address.
fn site_name(auth: &Auth) -> String {
    let site = url::Url::parse(&auth.options.site_url).ok();
    site.and_then(|site| site.host_str().map(str::to_owned)).unwrap_or_else(|| "localhost".to_owned())
}

/// The user as an authenticator app shows them.
fn account_name(user: &User) -> String {
    let named = [&user.email, &user.phone].into_iter().flatten().find(|name| !name.is_empty());
    named.cloned().unwrap_or_else(|| user.id.to_string())
}

/// An answer with a secret: nobody on the way keeps it.
fn no_store(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
