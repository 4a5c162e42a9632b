//! What a provider says of a user, in the form that GoTrue keeps it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Longest text that is kept of a claim. Claims become part of every access token of the user.
const MAX_CLAIM: usize = 500;

/// Longest address.
const MAX_EMAIL: usize = 254;

/// Claims that are kept as they are.
const TEXTS: [&str; 13] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
];

/// A user of a provider.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// The user's id at the provider, which never changes.
    pub(crate) subject: String,
    /// The address in lower case.
    pub(crate) email: Option<String>,
    /// Whether the provider says that the user reads letters to this address.
    pub(crate) verified: bool,
    /// `identity_data` and `user_metadata`.
    pub(crate) data: Map<String, Value>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("verified", &self.verified).finish_non_exhaustive()
    }
}

/// How a provider's claims say that an address is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// `email_verified`.
    Standard,
    /// `xms_edov`. Azure's `email` alone is whatever the administrator of some tenant wrote.
    Azure,
}

impl Profile {
    /// Reads claims of `OpenID` Connect.
    pub(crate) fn of_claims(issuer: &str, claims: &Map<String, Value>, verified: Verified) -> Self {
        let subject = text(claims, "sub").unwrap_or_default();
        let says = claims.get(match verified {
            Verified::Standard => "email_verified",
            Verified::Azure => "xms_edov",
        });
        // Apple and Azure write texts and numbers.
        let says = match says {
            Some(Value::Bool(says)) => *says,
            Some(Value::String(says)) => says == "true" || (verified == Verified::Azure && says == "1"),
            Some(Value::Number(says)) => verified == Verified::Azure && says.as_u64() == Some(1),
            _ => false,
        };
        let mut data = Map::new();
        for name in TEXTS {
            if let Some(text) = text(claims, name) {
                data.insert(name.to_owned(), Value::String(text));
            }
        }
        if let Some(domain) = text(claims, "hd") {
            data.insert("custom_claims".to_owned(), json!({ "hd": domain }));
        }
        if let Some(name) = text(claims, "preferred_username") {
            data.insert("user_name".to_owned(), Value::String(name));
        }
        Self::new(issuer, subject, text(claims, "email").as_deref(), says, data)
    }

    /// A user with these further data.
    pub(crate) fn new(
        issuer: &str,
        subject: String,
        email: Option<&str>,
        verified: bool,
        mut data: Map<String, Value>,
    ) -> Self {
        let email = email.and_then(address);
        let verified = verified && email.is_some();
        for (older, newer) in [("full_name", "name"), ("avatar_url", "picture")] {
            let value = data.get(newer).or(data.get(older)).cloned();
            if let Some(value) = value {
                data.insert(older.to_owned(), value);
            }
        }
        data.insert("iss".to_owned(), Value::String(issuer.to_owned()));
        data.insert("sub".to_owned(), Value::String(subject.clone()));
        data.insert("provider_id".to_owned(), Value::String(subject.clone()));
        if let Some(email) = &email {
            data.insert("email".to_owned(), Value::String(email.clone()));
        }
        data.insert("email_verified".to_owned(), Value::Bool(verified));
        data.insert("phone_verified".to_owned(), Value::Bool(false));
        Self { subject, email, verified, data }
    }

    /// Adds the name that Apple's page sends with the browser, the first time only. Nobody signed it.
    pub(crate) fn name_from_form(&mut self, user: &str) {
        let Ok(user) = serde_json::from_str::<Value>(user) else { return };
        let part = |name: &str| user.get("name").and_then(Value::as_object).and_then(|names| text(names, name));
        let name = [part("firstName"), part("lastName")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let name = name.trim();
        if !name.is_empty() {
            self.data.insert("name".to_owned(), Value::String(name.to_owned()));
            self.data.insert("full_name".to_owned(), Value::String(name.to_owned()));
        }
    }
}

/// A claim's text, where it is one that can be kept.
pub(super) fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    let fine = !text.is_empty() && text.len() <= MAX_CLAIM && !text.contains('\0');
    fine.then(|| text.to_owned())
}

/// An address as users have it: one `@`, and no character that letters or logs would read otherwise.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    // Written small, some letters become others: `lower` makes a `k` of the sign of Kelvin, and another's address of this one.
    let becomes_another = |c: char| !c.is_ascii() && c.to_lowercase().any(|small| small.is_ascii());
    let odd =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '\\' | '(' | ')');
    let fine = !local.is_empty()
        && !domain.is_empty()
        && !local.contains('@')
        && text.len() <= MAX_EMAIL
        && !text.contains(odd)
        && !text.contains(becomes_another);
    fine.then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(claims: &Value, verified: Verified) -> Profile {
        Profile::of_claims("https://issuer.example", claims.as_object().expect("an object"), verified)
    }

    #[test]
    fn claims_become_metadata_as_gotrue_keeps_them() {
        let claims = json!({
            "sub": "7", "name": "Ada L", "picture": "https://p.example/a.png", "email": " Ada@Example.com ",
            "email_verified": true, "hd": "example.com", "exp": 1, "role": "service_role", "nickname": "a\u{0}b",
        });
        let profile = profile(&claims, Verified::Standard);
        assert_eq!(
            (profile.subject.as_str(), profile.email.as_deref(), profile.verified),
            ("7", Some("ada@example.com"), true)
        );
        assert_eq!(
            Value::Object(profile.data),
            json!({
                "iss": "https://issuer.example", "sub": "7", "provider_id": "7", "name": "Ada L", "full_name": "Ada L",
                "picture": "https://p.example/a.png", "avatar_url": "https://p.example/a.png",
                "email": "ada@example.com", "email_verified": true, "phone_verified": false,
                "custom_claims": { "hd": "example.com" },
            })
        );
    }

    #[test]
    fn an_address_is_verified_only_where_the_provider_says_so() {
        let mail = |more: &Value| {
            let mut claims = json!({ "sub": "7", "email": "a@example.com" });
            claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            claims
        };
        for (more, standard, azure) in [
            (json!({}), false, false),
            (json!({ "email_verified": true }), true, false),
            (json!({ "email_verified": "true" }), true, false),
            (json!({ "email_verified": "false" }), false, false),
            (json!({ "email_verified": 1 }), false, false),
            (json!({ "email_verified": [true] }), false, false),
            (json!({ "xms_edov": true }), false, true),
            (json!({ "xms_edov": "1" }), false, true),
            (json!({ "xms_edov": 1 }), false, true),
            (json!({ "xms_edov": "0" }), false, false),
            (json!({ "xms_edov": false, "email_verified": true }), true, false),
        ] {
            assert_eq!(profile(&mail(&more), Verified::Standard).verified, standard, "{more}");
            assert_eq!(profile(&mail(&more), Verified::Azure).verified, azure, "{more}");
        }
        for odd in [
            "a",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b\r\nBcc: c@d",
            "<a@b>",
            "a@b,c@d",
            "a@b@c",
            "\"a\"@b",
            "\u{212a}im@b",
            "a@\u{212a}.example",
            "\u{130}@b",
        ] {
            let odd = profile(&json!({ "sub": "7", "email": odd, "email_verified": true }), Verified::Standard);
            assert!(odd.email.is_none() && !odd.verified);
        }
    }

    #[test]
    fn the_name_of_a_form_is_a_name_and_nothing_else() {
        let mut profile = profile(&json!({ "sub": "7", "email": "a@example.com" }), Verified::Standard);
        profile.name_from_form("no json");
        profile.name_from_form("[]");
        profile.name_from_form(r#"{"name":{"firstName":"Ada","lastName":"L"},"email":"victim@example.com","sub":"8"}"#);
        assert_eq!(profile.data["full_name"], "Ada L");
        assert_eq!((profile.subject.as_str(), profile.email.as_deref()), ("7", Some("a@example.com")));
    }
}
