//! A sign-in at a provider, from the request that begins it to the answer of the provider.

use std::collections::HashMap;

use axum::response::Response;
use behalf_problem::LogText as _;
use chrono::{TimeDelta, Utc};
use http::{HeaderMap, StatusCode};
use url::Url;
use uuid::Uuid;

use super::account;
use super::answer::{self, Failure};
use super::browser::{BrowserSecret, random_text, read_state};
use super::pkce::{self, Challenge};
use super::provider::{Asked, Outsider, Provider};
use super::redirect;
use crate::client::Client;
use crate::error::AuthError;
use crate::session::Method;
use crate::state::Auth;
use crate::store::flow_state::{self, Flow, NewFlow};
use crate::store::linked;

/// How long a user may take at the provider.
const STATE_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Longest code that a provider sends.
const MAX_CODE: usize = 4_096;

/// A sign-in that began.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Where the user signs in.
    pub(crate) page: Url,
    /// What the browser keeps, where the sign-in is bound to it.
    pub(crate) cookie: Option<http::HeaderValue>,
}

impl Begun {
    /// Leads the browser to the provider.
    pub(crate) fn lead(self) -> Response {
        let mut response = answer::to_provider(&self.page);
        if let Some(cookie) = self.cookie {
            response.headers_mut().append(http::header::SET_COOKIE, cookie);
        }
        response
    }
}

/// Begins a sign-in with the parameters of a request. `linking` is the signed-in user who gets the identity.
pub(crate) async fn begin(
    auth: &Auth,
    headers: &HeaderMap,
    parameters: &[(String, String)],
    linking: Option<Uuid>,
) -> Result<Begun, AuthError> {
    let given = |name: &str| {
        let found = parameters.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let provider = Provider::of(auth, given("provider").unwrap_or_default())?;
    let challenge = Challenge::read(given("code_challenge"), given("code_challenge_method"))?;
    if linking.is_some() && challenge.is_none() {
        return Err(unbound_link());
    }
    let app = redirect::of_request(&auth.options, headers, given("redirect_to"));
    let (id, verifier) = (Uuid::new_v4(), random_text()?);
    // The app's verifier binds a flow with a challenge.
    let (state, cookie) = if challenge.is_some() {
        (id.to_string(), None)
    } else {
        let secret = BrowserSecret::sent(&auth.options, headers).map_or_else(BrowserSecret::new, Ok)?;
        (secret.state(id), secret.cookie(&auth.options))
    };
    let asked = Asked { state: &state, verifier: &verifier, scopes: given("scopes"), parameters };
    let page = provider.sign_in_page(auth, asked).await.map_err(|error| {
        tracing::warn!(error = error.log_text(), "a provider of external sign-in does not say where users sign in");
        AuthError::new(503, "unexpected_failure", "the provider of external sign-in cannot be reached right now")
    })?;
    let mut tx = auth.begin().await?;
    let flow = NewFlow {
        id,
        user: None,
        method: Method::OAuth,
        provider: provider.name,
        challenge: challenge.as_ref().map(Challenge::parts),
        redirect: Some(app),
        verifier: Some(&verifier),
        linking,
    };
    flow_state::add(&mut tx, &flow).await?;
    tx.commit().await?;
    Ok(Begun { page, cookie })
}

/// Ends a sign-in with the provider's answer, and leads back to the app whatever comes of it.
pub(crate) async fn end(
    auth: &Auth,
    headers: &HeaderMap,
    answer: &HashMap<String, String>,
    client: &Client,
) -> Response {
    let (flow, verifier) = match take(auth, headers, answer.get("state").map(String::as_str)).await {
        Ok(taken) => taken,
        // Nobody knows where this came from, so nothing but the app's own address is led to.
        Err(error) => {
            return answer::with_failure(StatusCode::SEE_OTHER, &auth.options.site_url, &Failure::Ours(error));
        }
    };
    // The operator may have changed the list since.
    let app = redirect::allowed(&auth.options, flow.referrer.as_deref()).to_owned();
    match finish(auth, &flow, &verifier, answer, &app, client).await {
        Ok(response) => response,
        Err(failure) => answer::with_failure(StatusCode::FOUND, &app, &failure),
    }
}

/// The flow of a state, which is valid once, in the browser in which it began, and for a while.
async fn take(auth: &Auth, headers: &HeaderMap, state: Option<&str>) -> Result<(Flow, String), AuthError> {
    let bad = |message: &'static str| AuthError::new(400, "bad_oauth_state", message);
    let missing = || AuthError::new(400, "bad_oauth_callback", "OAuth state parameter missing");
    let state = state.filter(|state| !state.is_empty()).ok_or_else(missing)?;
    let (id, mark) = read_state(state).ok_or_else(|| bad("OAuth state parameter is invalid"))?;
    let unknown = || bad("OAuth state not found or expired");
    let mut tx = auth.begin().await?;
    let mut flow = flow_state::by_id(&mut tx, id).await?.ok_or_else(unknown)?;
    if flow.created_at.is_none_or(|begun| begun + STATE_LIFETIME <= Utc::now()) {
        return Err(bad("OAuth state has expired"));
    }
    let bound = !flow.has_challenge() && flow.linking_target_id.is_none();
    if bound && !BrowserSecret::sent(&auth.options, headers).is_some_and(|secret| secret.is_of(id, mark)) {
        // The same answer as for an unknown state: whoever sends another's state learns nothing, and does not end it.
        return Err(unknown());
    }
    let verifier = flow_state::take_verifier(&mut tx, &mut flow).await?;
    let verifier =
        verifier.ok_or_else(|| AuthError::new(400, "flow_state_already_used", "State has already been used"))?;
    tx.commit().await?;
    Ok((flow, verifier))
}

/// Without a challenge, nothing shows that who follows the link is who asked for it.
fn unbound_link() -> AuthError {
    AuthError::validation("linking an identity needs the PKCE flow: send code_challenge")
}

async fn finish(
    auth: &Auth,
    flow: &Flow,
    verifier: &str,
    answer: &HashMap<String, String>,
    app: &str,
    client: &Client,
) -> Result<Response, Failure> {
    let given = |name: &str| answer.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let provider = Provider::of(auth, &flow.provider_type)?;
    let sender = provider.is_sender(auth, given("iss")).await;
    if !sender.map_err(|error| Failure::of_provider(&error, "Unable to exchange external code"))? {
        return Err(AuthError::new(400, "bad_oauth_callback", "OAuth callback of another provider").into());
    }
    if let Some(error) = given("error") {
        return Err(Failure::theirs(error, given("error_description")));
    }
    let code = given("code").filter(|code| code.len() <= MAX_CODE);
    let code = code.ok_or_else(|| {
        AuthError::new(400, "bad_oauth_callback", "OAuth callback with missing authorization code missing")
    })?;
    let outsider = provider.exchange(auth, code, verifier).await;
    let mut outsider = outsider.map_err(|error| Failure::of_provider(&error, "Unable to exchange external code"))?;
    if let Some(user) = given("user").filter(|_| provider.tells_name_in_form()) {
        outsider.profile.name_from_form(user);
    }
    settle(auth, flow, provider.name, outsider, app, client).await
}

/// Finds the user and ends the flow, all in one transaction.
async fn settle(
    auth: &Auth,
    flow: &Flow,
    provider: &str,
    outsider: Outsider,
    app: &str,
    client: &Client,
) -> Result<Response, Failure> {
    let Outsider { profile, access_token, refresh_token } = outsider;
    let mut tx = auth.begin().await?;
    let user = match flow.linking_target_id {
        Some(_) if !auth.options.manual_linking => return Err(linking_disabled().into()),
        Some(_) if !flow.has_challenge() => return Err(unbound_link().into()),
        Some(target) => {
            account::link(auth, &mut tx, provider, &profile, target).await?;
            // That was to tell the app at once what is wrong. Only its verifier shows that the user asked for the link.
            drop(tx);
            tx = auth.begin().await?;
            linked::wait(&mut tx, flow.id, &profile).await?;
            target
        }
        None => account::sign_in(auth, &mut tx, provider, &profile).await?,
    };
    if flow.has_challenge() {
        let tokens = (Some(access_token.as_str()), refresh_token.as_deref());
        let code = pkce::issue(&mut tx, flow.id, Some(user), tokens).await?;
        tx.commit().await?;
        return Ok(answer::with_code(app, code));
    }
    flow_state::remove(&mut tx, flow.id).await?;
    let mut session = auth.sign_in(&mut tx, user, Method::OAuth, client).await?;
    tx.commit().await?;
    session.provider_token = Some(access_token);
    session.provider_refresh_token = refresh_token;
    Ok(answer::with_session(app, &session))
}

/// Linking is switched off.
pub(crate) fn linking_disabled() -> AuthError {
    AuthError::new(404, "manual_linking_disabled", "Manual linking is disabled")
}
