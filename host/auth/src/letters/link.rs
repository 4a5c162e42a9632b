//! Links in letters: what each kind does, and how its address is put together.

use behalf_mail::LetterKind;
use url::form_urlencoded::Serializer;

use crate::session::Method;
use crate::state::Auth;
use crate::store::one_time_tokens::Kind;

/// What a link that an administrator asked for does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// Confirms a new account.
    SignUp,
    /// Confirms an account that an administrator made.
    Invite,
    /// Signs in.
    MagicLink,
    /// Signs in to set a new password.
    Recovery,
    /// Confirms a change of address from the present one.
    EmailChangeCurrent,
    /// Confirms a change of address from the new one.
    EmailChangeNew,
}

impl LinkKind {
    /// The kind of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "signup" => Self::SignUp,
            "invite" => Self::Invite,
            "magiclink" => Self::MagicLink,
            "recovery" => Self::Recovery,
            "email_change_current" => Self::EmailChangeCurrent,
            "email_change_new" => Self::EmailChangeNew,
            _ => return None,
        })
    }

    /// The name by which clients ask for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "signup",
            Self::Invite => "invite",
            Self::MagicLink => "magiclink",
            Self::Recovery => "recovery",
            Self::EmailChangeCurrent => "email_change_current",
            Self::EmailChangeNew => "email_change_new",
        }
    }

    /// `type` in the link.
    fn verification(self) -> &'static str {
        match self {
            Self::EmailChangeCurrent | Self::EmailChangeNew => "email_change",
            _ => self.as_str(),
        }
    }

    /// What the code and the link prove.
    pub(super) fn token(self) -> Kind {
        match self {
            Self::SignUp | Self::Invite => Kind::Confirmation,
            Self::MagicLink | Self::Recovery => Kind::Recovery,
            Self::EmailChangeCurrent => Kind::EmailChangeCurrent,
            Self::EmailChangeNew => Kind::EmailChangeNew,
        }
    }

    /// The letter that has them.
    pub(super) fn letter(self) -> LetterKind {
        match self {
            Self::SignUp => LetterKind::Confirmation,
            Self::Invite => LetterKind::Invite,
            Self::MagicLink => LetterKind::MagicLink,
            Self::Recovery => LetterKind::Recovery,
            Self::EmailChangeCurrent | Self::EmailChangeNew => LetterKind::EmailChange,
        }
    }

    /// How the user will have proved who they are.
    pub(super) fn method(self) -> Method {
        match self {
            Self::SignUp => Method::EmailSignup,
            Self::Invite => Method::Invite,
            Self::MagicLink => Method::MagicLink,
            Self::Recovery => Method::Recovery,
            Self::EmailChangeCurrent | Self::EmailChangeNew => Method::EmailChange,
        }
    }
}

/// A link and its code, for an administrator who sends the letter.
#[derive(Clone)]
#[expect(clippy::struct_field_names, reason = "clients know them by these names")]
pub(crate) struct Link {
    /// The link.
    pub(crate) action_link: String,
    /// The code.
    pub(crate) email_otp: String,
    /// The token in the link, for `token_hash` of `/verify`.
    pub(crate) hashed_token: String,
    /// What was asked for.
    pub(crate) verification_type: &'static str,
    /// Where the link leads.
    pub(crate) redirect_to: String,
}

/// The address that a link with this token has.
pub(super) fn action_link(auth: &Auth, token: &str, kind: LinkKind, redirect_to: &str) -> String {
    verify_link(&auth.options.public_url, token, kind.verification(), redirect_to)
}

fn verify_link(host: &str, token: &str, kind: &str, redirect_to: &str) -> String {
    let address = format!("{host}/auth/v1/verify?");
    let start = address.len();
    let mut query = Serializer::for_suffix(address, start);
    query.append_pair("token", token).append_pair("type", kind).append_pair("redirect_to", redirect_to).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_where_it_leads_apart_from_its_own_parameters() {
        let link = verify_link("https://api.example", "ab", "signup", "https://app.example/a?b=c&type=recovery#d");
        let url = url::Url::parse(&link).expect("a link");
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(url.path(), "/auth/v1/verify");
        assert_eq!(
            pairs,
            [
                pair("token", "ab"),
                pair("type", "signup"),
                pair("redirect_to", "https://app.example/a?b=c&type=recovery#d")
            ]
        );
    }
}
