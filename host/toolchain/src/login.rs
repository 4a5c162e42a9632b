//! Addresses of the database's logins.

use anyhow::Context;
use behalf_config::Secret;
use url::Url;

/// The owner's address with another login and its password.
pub fn login_address(owner: &str, user: &str, password: &str) -> anyhow::Result<Secret> {
    let mut url = Url::parse(owner).context("the database's address")?;
    url.set_username(user).and_then(|()| url.set_password(Some(password))).ok().context("the database's address")?;
    Ok(Secret::new(url.into()))
}
