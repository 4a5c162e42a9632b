//! GitHub, which knows OAuth 2.0 and no ID tokens.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::outside::{self, ProviderError, may_ask};
use super::profile::{Profile, text};
use crate::state::Auth;

/// Where GitHub is, unless an operator has one of their own.
pub(super) const BASE: &str = "https://github.com";

/// An address of the user.
#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// Where users sign in.
pub(super) fn page(base: &str) -> Result<Url, ProviderError> {
    at(base, "/login/oauth/authorize")
}

/// Where codes are exchanged.
pub(super) fn token_endpoint(base: &str) -> Result<Url, ProviderError> {
    at(base, "/login/oauth/access_token")
}

/// The user of an access token. Of the addresses only the primary one counts, and what GitHub says of it.
pub(super) async fn profile(auth: &Auth, base: &str, access_token: &str) -> Result<Profile, ProviderError> {
    let api = if base == BASE { "https://api.github.com".to_owned() } else { format!("{base}/api/v3") };
    let user: Map<String, Value> = outside::get(auth, &at(&api, "/user")?, Some(access_token)).await?;
    let addresses: Vec<Address> = outside::get(auth, &at(&api, "/user/emails")?, Some(access_token)).await?;
    read(&api, &user, &addresses)
}

fn read(api: &str, user: &Map<String, Value>, addresses: &[Address]) -> Result<Profile, ProviderError> {
    let id = user.get("id").and_then(Value::as_u64).filter(|id| *id > 0);
    let id = id.ok_or(ProviderError::Refused("it told no user"))?;
    let mut data = Map::new();
    for (theirs, ours) in
        [("name", "name"), ("login", "preferred_username"), ("login", "user_name"), ("avatar_url", "avatar_url")]
    {
        if let Some(text) = text(user, theirs) {
            data.insert(ours.to_owned(), Value::String(text));
        }
    }
    let primary = addresses.iter().find(|address| address.primary);
    let (email, verified) = primary.map_or((None, false), |address| (Some(address.email.as_str()), address.verified));
    Ok(Profile::new(api, id.to_string(), email, verified, data))
}

fn at(base: &str, path: &str) -> Result<Url, ProviderError> {
    let base = Url::parse(base).map_err(|_| ProviderError::Refused("its address is none"))?;
    let url = base.join(&format!("{}{path}", base.path().trim_end_matches('/')));
    let url = url.map_err(|_| ProviderError::Refused("its address is none"))?;
    if may_ask(&url, &base) { Ok(url) } else { Err(ProviderError::Refused("its address is not over TLS")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_primary_address_counts_and_no_other() {
        let user =
            json!({ "id": 7, "login": "ada", "name": "Ada", "email": "public@example.com", "avatar_url": "https://a" });
        let read = |addresses: Value| {
            let addresses: Vec<Address> = serde_json::from_value(addresses).expect("addresses");
            super::read("https://api.github.com", user.as_object().expect("an object"), &addresses).expect("a user")
        };
        let first = json!({ "email": "Ada@example.com", "primary": true, "verified": true });
        let other = json!({ "email": "other@example.com", "primary": false, "verified": true });
        let profile = read(json!([other, first]));
        assert_eq!(
            (profile.subject.as_str(), profile.email.as_deref(), profile.verified),
            ("7", Some("ada@example.com"), true)
        );
        assert_eq!((&profile.data["user_name"], &profile.data["full_name"]), (&json!("ada"), &json!("Ada")));
        let unproven = json!({ "email": "ada@example.com", "primary": true, "verified": false });
        assert!(!read(json!([other, unproven])).verified);
        assert_eq!(read(json!([other])).email, None);
        assert_eq!(read(json!([])).email, None);
    }

    #[test]
    fn an_operators_own_github_has_its_interface_below_it() {
        assert_eq!(page(BASE).expect("a page").as_str(), "https://github.com/login/oauth/authorize");
        assert_eq!(
            at("https://git.example/api/v3", "/user").expect("a URL").as_str(),
            "https://git.example/api/v3/user"
        );
        assert!(at("http://git.example", "/user").is_err());
    }
}
