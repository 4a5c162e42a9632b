//! Sign-in at other providers, by OpenID Connect or OAuth 2.0, and the codes by which an app gets the session (PKCE).

pub(crate) mod id_token;
pub(crate) mod pkce;
pub(crate) mod redirect;
