//! A provider of external sign-in: the presets, and any other with an issuer.

mod exchange;

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;
use uuid::Uuid;

use super::discovery::{self, Metadata};
use super::github;
use super::outside::ProviderError;
use super::profile::{Profile, Verified};
use crate::error::AuthError;
use crate::options::ProviderOptions;
use crate::state::Auth;

/// Names that mean something else in `auth.identities`. A provider of such a name could sign in as anybody.
const RESERVED: [&str; 5] = ["email", "phone", "anonymous", "web3", "sso"];

const GOOGLE: &str = "https://accounts.google.com";
const APPLE: &str = "https://appleid.apple.com";
const MICROSOFT: &str = "https://login.microsoftonline.com";

/// The tenant of Microsoft's personal accounts.
const PERSONAL_TENANT: Uuid = Uuid::from_u128(0x9188_040d_6c67_4c5b_b112_36a3_04b6_6dad);

/// Parameters of the request to a provider that are this host's alone, and those that could replace them (RFC 9101).
const RESERVED_PARAMETERS: [&str; 15] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "response_mode",
    "state",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "nonce",
    "scope",
    "request",
    "request_uri",
    "registration",
    "iss",
];

/// Parameters of `/authorize` that are not passed on.
const OWN_PARAMETERS: [&str; 6] = ["provider", "scopes", "redirect_to", "invite_token", "skip_http_redirect", "apikey"];

/// The most further parameters that are passed on.
const MAX_PARAMETERS: usize = 20;

/// A provider that an operator set up.
#[derive(Clone, Debug)]
pub(crate) struct Provider<'a> {
    /// Its name: `provider` of identities.
    pub(crate) name: &'a str,
    options: &'a ProviderOptions,
    kind: Kind<'a>,
}

/// How a provider works.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind<'a> {
    /// `OpenID` Connect, with this issuer.
    OpenId { issuer: Cow<'a, str>, verified: Verified },
    /// `OpenID` Connect, which answers with a form and tells the name there.
    Apple { issuer: &'a str },
    /// Azure for accounts of many tenants: `common`, `organizations` or `consumers`. Each tenant is an issuer of its own.
    Tenants(&'a str),
    /// GitHub: OAuth alone.
    GitHub { base: Cow<'a, str> },
}

/// What the request to a provider carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// What the provider sends back.
    pub(crate) state: &'a str,
    /// The verifier that the provider gets at the end.
    pub(crate) verifier: &'a str,
    /// Scopes beside those that sign-in needs, with commas or spaces between them.
    pub(crate) scopes: Option<&'a str>,
    /// All parameters of the request to `/authorize`.
    pub(crate) parameters: &'a [(String, String)],
}

/// Who a code stands for, with the provider's own tokens.
#[derive(Debug)]
pub(crate) struct Outsider {
    /// The user.
    pub(crate) profile: Profile,
    /// The provider's access token.
    pub(crate) access_token: String,
    /// The provider's refresh token, where it gave one.
    pub(crate) refresh_token: Option<String>,
}

impl<'a> Provider<'a> {
    /// The provider of this name.
    pub(crate) fn of(auth: &'a Auth, name: &str) -> Result<Self, AuthError> {
        let unsupported = || AuthError::validation("Unsupported provider: provider is not enabled");
        let (name, options) = auth.options.providers.get_key_value(name).ok_or_else(unsupported)?;
        let kind = Kind::of(name, options).ok_or_else(|| {
            tracing::error!(
                provider = name,
                "a provider of external sign-in has no issuer, or a name that is reserved"
            );
            unsupported()
        })?;
        Ok(Self { name, options, kind })
    }

    /// The provider of this issuer.
    pub(crate) fn of_issuer(auth: &'a Auth, issuer: &str) -> Result<Self, AuthError> {
        let mut all = auth.options.providers.iter().filter_map(|(name, options)| {
            let kind = Kind::of(name, options)?;
            Some(Self { name, options, kind })
        });
        let found = all.find(|provider| match &provider.kind {
            Kind::OpenId { issuer: own, .. } => own == issuer,
            Kind::Apple { issuer: own } => *own == issuer,
            Kind::Tenants(tenants) => is_tenant(tenants, issuer),
            Kind::GitHub { .. } => false,
        });
        found.ok_or_else(|| AuthError::validation("Custom OIDC provider not allowed"))
    }

    /// Where the user is sent to sign in.
    pub(crate) async fn sign_in_page(&self, auth: &Auth, asked: Asked<'_>) -> Result<Url, ProviderError> {
        let mut page;
        let mut own = vec![
            ("client_id", Cow::from(&self.options.client_id)),
            ("redirect_uri", callback(auth).into()),
            ("response_type", "code".into()),
            ("scope", self.scopes(asked.scopes).into()),
            ("state", asked.state.into()),
        ];
        let mut challenged = true;
        match &self.kind {
            Kind::GitHub { base } => page = github::page(base)?,
            kind => {
                let metadata = kind.metadata(auth).await?;
                page = metadata.authorization_endpoint.clone();
                // Azure knows challenges and does not say so.
                challenged = metadata.takes_challenges() || self.is_azure();
                own.push(("nonce", nonce_of(asked.verifier).into()));
            }
        }
        if challenged {
            own.push(("code_challenge", challenge_of(asked.verifier).into()));
            own.push(("code_challenge_method", "S256".into()));
        }
        if let Kind::Apple { .. } = self.kind {
            own.push(("response_mode", "form_post".into()));
        }
        let passed_on = asked.parameters.iter().filter(|(name, _)| !is_own(name)).take(MAX_PARAMETERS);
        page.query_pairs_mut().extend_pairs(passed_on).extend_pairs(own);
        Ok(page)
    }

    /// Whether the answer to the browser came from this provider, as far as it says.
    pub(crate) async fn is_sender(&self, auth: &Auth, iss: Option<&str>) -> Result<bool, ProviderError> {
        match &self.kind {
            // GitHub says nothing, and the tenants' page does not know the tenant.
            Kind::GitHub { .. } => Ok(iss.is_none()),
            Kind::Tenants(tenants) => Ok(iss.is_none_or(|iss| is_tenant(tenants, iss))),
            kind => Ok(kind.metadata(auth).await?.is_sender(iss)),
        }
    }

    /// Whether ID tokens without a nonce are taken.
    pub(crate) fn skips_nonce(&self) -> bool {
        self.options.skip_nonce_check
    }

    /// Whether its answer is a form that tells the user's name.
    pub(crate) fn tells_name_in_form(&self) -> bool {
        matches!(self.kind, Kind::Apple { .. })
    }

    fn verified(&self) -> Verified {
        match &self.kind {
            Kind::OpenId { verified, .. } => *verified,
            Kind::Tenants(_) => Verified::Azure,
            Kind::Apple { .. } | Kind::GitHub { .. } => Verified::Standard,
        }
    }

    fn is_azure(&self) -> bool {
        self.verified() == Verified::Azure
    }

    fn scopes(&self, asked: Option<&str>) -> String {
        let needed: &[&str] = match &self.kind {
            Kind::GitHub { .. } => &["user:email"],
            Kind::Apple { .. } => &["openid", "email", "name"],
            Kind::OpenId { .. } | Kind::Tenants(_) => &["openid", "email", "profile"],
        };
        let asked = asked.unwrap_or_default().split([',', ' ']).filter(|scope| is_scope(scope));
        let mut all: Vec<&str> = needed.to_vec();
        for scope in self.options.scopes.iter().map(String::as_str).chain(asked) {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
        all.join(" ")
    }
}

impl<'a> Kind<'a> {
    fn of(name: &str, options: &'a ProviderOptions) -> Option<Self> {
        let issuer = options.issuer.as_deref().filter(|issuer| !issuer.is_empty());
        let open_id = |issuer: &'a str| Self::OpenId { issuer: issuer.into(), verified: Verified::Standard };
        if RESERVED.contains(&name) || name.starts_with("sso:") {
            return None;
        }
        Some(match name {
            "google" => open_id(issuer.unwrap_or(GOOGLE)),
            "apple" => Self::Apple { issuer: issuer.unwrap_or(APPLE) },
            "github" => Self::GitHub { base: issuer.unwrap_or(github::BASE).trim_end_matches('/').into() },
            "azure" => {
                let tenant = issuer.map_or(Some("common"), |issuer| {
                    let rest = issuer.strip_prefix(MICROSOFT)?.strip_prefix('/')?;
                    let tenant = rest.trim_end_matches('/').trim_end_matches("/v2.0");
                    ["common", "organizations", "consumers"].contains(&tenant).then_some(tenant)
                });
                match (tenant, issuer) {
                    (Some(tenants), _) => Self::Tenants(tenants),
                    (None, issuer) => Self::OpenId { issuer: issuer?.into(), verified: Verified::Azure },
                }
            }
            _ => open_id(issuer?),
        })
    }

    /// What the provider says of itself. The tenants' page has no issuer of its own, and fixed addresses.
    async fn metadata(&self, auth: &Auth) -> Result<Arc<Metadata>, ProviderError> {
        match self {
            Self::OpenId { issuer, .. } => discovery::metadata(auth, issuer).await,
            Self::Apple { issuer } => discovery::metadata(auth, issuer).await,
            Self::Tenants(tenants) => {
                let at = |path: &str| Url::parse(&format!("{MICROSOFT}/{tenants}/{path}"));
                let ends = (at("oauth2/v2.0/authorize"), at("oauth2/v2.0/token"), at("discovery/v2.0/keys"));
                let (Ok(page), Ok(token), Ok(keys)) = ends else {
                    return Err(ProviderError::Refused("its address is none"));
                };
                Ok(Arc::new(Metadata::fixed(page, token, keys)))
            }
            Self::GitHub { .. } => Err(ProviderError::Refused("it has no metadata")),
        }
    }
}

/// The address to which providers send users back. Operators register it there.
pub(crate) fn callback(auth: &Auth) -> String {
    format!("{}/auth/v1/callback", auth.options.public_url)
}

/// The nonce of a sign-in. It follows from the verifier, which nobody but the provider ever gets, and only after it.
fn nonce_of(verifier: &str) -> String {
    digest(&format!("nonce {verifier}"))
}

fn challenge_of(verifier: &str) -> String {
    digest(verifier)
}

fn digest(text: &str) -> String {
    use sha2::Digest as _;
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(text))
}

fn is_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED_PARAMETERS.contains(&name.as_str()) || OWN_PARAMETERS.contains(&name.as_str())
}

/// Whether it is a scope (RFC 6749, section 3.3).
fn is_scope(text: &str) -> bool {
    let fine = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.len() <= 200 && text.bytes().all(fine)
}

/// Whether this is the issuer of a tenant whose accounts may sign in.
fn is_tenant(tenants: &str, issuer: &str) -> bool {
    let id = issuer.strip_prefix(MICROSOFT).and_then(|rest| rest.strip_prefix('/')?.strip_suffix("/v2.0"));
    let Some(id) = id.filter(|id| id.len() == 36).and_then(|id| Uuid::try_parse(id).ok()) else { return false };
    match tenants {
        "organizations" => id != PERSONAL_TENANT,
        "consumers" => id == PERSONAL_TENANT,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(issuer: Option<&str>) -> ProviderOptions {
        ProviderOptions {
            issuer: issuer.map(str::to_owned),
            client_id: "app".to_owned(),
            client_secret: "secret".to_owned(),
            scopes: vec!["extra".to_owned()],
            other_client_ids: Vec::new(),
            skip_nonce_check: false,
        }
    }

    #[test]
    fn presets_know_their_issuers_and_others_need_one() {
        let none = options(None);
        assert!(matches!(Kind::of("google", &none), Some(Kind::OpenId { issuer, .. }) if issuer == GOOGLE));
        assert_eq!(Kind::of("apple", &none), Some(Kind::Apple { issuer: APPLE }));
        assert_eq!(Kind::of("azure", &none), Some(Kind::Tenants("common")));
        assert_eq!(Kind::of("keycloak", &none), None);
        for name in ["email", "phone", "anonymous", "sso:x"] {
            assert_eq!(Kind::of(name, &options(Some("https://issuer.example"))), None, "{name}");
        }
        let tenant = options(Some("https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0"));
        assert!(matches!(Kind::of("azure", &tenant), Some(Kind::OpenId { verified: Verified::Azure, .. })));
        let work = options(Some("https://login.microsoftonline.com/organizations/v2.0"));
        assert_eq!(Kind::of("azure", &work), Some(Kind::Tenants("organizations")));
    }

    #[test]
    fn a_tenants_issuer_is_one_of_microsofts() {
        let one = "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0";
        let personal = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
        assert!(is_tenant("common", one) && is_tenant("common", personal));
        assert!(is_tenant("organizations", one) && !is_tenant("organizations", personal));
        assert!(!is_tenant("consumers", one) && is_tenant("consumers", personal));
        for issuer in [
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            "https://login.microsoftonline.com.evil.example/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
            "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0/",
            "https://login.microsoftonline.com/../x/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
            "https://sts.windows.net/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/",
            "https://evil.example/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
        ] {
            assert!(!is_tenant("common", issuer), "{issuer}");
        }
    }

    #[test]
    fn scopes_of_requests_are_added_and_cannot_be_more_than_scopes() {
        let options = options(Some("https://issuer.example"));
        let kind = Kind::of("any", &options).expect("a kind");
        let provider = Provider { name: "any", options: &options, kind };
        assert_eq!(provider.scopes(None), "openid email profile extra");
        assert_eq!(provider.scopes(Some("a,b email \"x\" c\\d e&state=1")), "openid email profile extra a b e&state=1");
    }

    #[test]
    fn nobody_but_the_host_sets_what_protects_a_sign_in() {
        for name in [
            "state",
            "State",
            "NONCE",
            "redirect_uri",
            "client_id",
            "code_challenge",
            "response_mode",
            "scope",
            "request",
            "Request_URI",
        ] {
            assert!(is_own(name), "{name}");
        }
        assert!(!is_own("prompt") && !is_own("login_hint") && !is_own("access_type"));
        assert_ne!(nonce_of("a"), challenge_of("a"));
    }
}
