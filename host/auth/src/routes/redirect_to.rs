//! Where the link of a letter leads, as the request says.

use axum::extract::FromRequestParts;
use http::header::REFERER;
use http::request::Parts;
use url::form_urlencoded;

use crate::error::AuthError;
use crate::external::redirect;
use crate::state::Auth;

/// The address that `redirect_to` names, or the page that the request came from, if the operator allows it; else the app's own.
#[derive(Clone, Debug)]
pub(super) struct RedirectTo(pub(super) String);

impl FromRequestParts<Auth> for RedirectTo {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self, AuthError> {
        let query = parts.uri.query().unwrap_or_default();
        let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "redirect_to");
        let asked = asked.map(|(_, to)| to.into_owned()).filter(|to| !to.is_empty());
        let page = parts.headers.get(REFERER).and_then(|page| page.to_str().ok()).map(str::to_owned);
        let candidates = [asked, page];
        let allowed = candidates.iter().flatten().find(|to| redirect::allowed(&auth.options, Some(to)) == to.as_str());
        Ok(Self(allowed.unwrap_or(&auth.options.site_url).clone()))
    }
}
