//! Sign-in at other providers, by `OpenID` Connect or OAuth 2.0, and the codes by which an app gets the session (PKCE).

mod account;
mod answer;
mod browser;
mod discovery;
mod flow;
mod github;
mod glob;
pub(crate) mod id_token;
mod outside;
pub(crate) mod pkce;
mod profile;
mod provider;
pub(crate) mod redirect;

pub(crate) use discovery::Issuers;
pub(crate) use flow::{begin, end, linking_disabled};
pub(crate) use profile::Profile;
pub use redirect::leads_anywhere;
