//! The addresses of providers.

use url::Url;

use crate::{SettingsError, name::Family};

/// A base URL from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BaseUrl(Url);

/// The provider's own public endpoint.
pub(super) fn public(family: Family) -> &'static str {
    match family {
        Family::OpenAi => "https://api.openai.com/v1/",
        Family::Anthropic => "https://api.anthropic.com/v1/",
        Family::Gemini => "https://generativelanguage.googleapis.com/v1beta/",
        Family::Ollama => "http://localhost:11434/",
    }
}

impl BaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self, SettingsError> {
        let url = Url::parse(text.trim()).map_err(|_| SettingsError::BaseUrl)?;
        // A password in the URL would appear wherever URLs are printed. Keys have a separate setting.
        let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !bare || !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(SettingsError::BaseUrl);
        }
        Ok(Self(url))
    }

    /// The address to which the family's paths are appended; ends with a slash.
    pub(super) fn for_family(&self, family: Family) -> String {
        let mut url = self.0.clone();
        let mut path = url.path().trim_end_matches('/').to_owned();
        if matches!(family, Family::Ollama | Family::Gemini) {
            // A gateway's address is mostly the one of OpenAI's protocol; these two protocols have addresses beside it.
            path.truncate(path.trim_end_matches("/v1").len());
        }
        let has_version = path.split('/').any(is_version);
        match family {
            Family::Ollama => {}
            Family::OpenAi | Family::Anthropic | Family::Gemini if has_version => {}
            Family::OpenAi | Family::Anthropic => path.push_str("/v1"),
            Family::Gemini => path.push_str("/v1beta"),
        }
        path.push('/');
        url.set_path(&path);
        url.to_string()
    }
}

/// `v1`, `v3`, `v1beta`: some compatible endpoints count their own versions.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, family: Family) -> Result<String, SettingsError> {
        Ok(BaseUrl::parse(text)?.for_family(family))
    }

    #[test]
    fn slash_and_version_may_be_left_out() {
        for text in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", " http://h:1/v1// "] {
            assert_eq!(address(text, Family::OpenAi).as_deref(), Ok("http://h:1/v1/"), "{text}");
            assert_eq!(address(text, Family::Ollama).as_deref(), Ok("http://h:1/"), "{text}");
        }
        for (text, expected) in [
            ("https://h/openai/v1", "https://h/openai/v1/"),
            ("https://h/api/v3", "https://h/api/v3/"),
            ("https://h/v1beta/openai/", "https://h/v1beta/openai/"),
            ("https://h/api", "https://h/api/v1/"),
        ] {
            assert_eq!(address(text, Family::OpenAi).as_deref(), Ok(expected));
        }
        for text in ["http://h", "http://h/v1", "http://h/v1beta/"] {
            assert_eq!(address(text, Family::Gemini).as_deref(), Ok("http://h/v1beta/"), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_plain_web_address_is_refused() {
        for text in ["", "h:1", "ftp://h", "http://", "http://key@h", "http://u:p@h/v1", "http://h/#x", "/v1"] {
            assert_eq!(BaseUrl::parse(text), Err(SettingsError::BaseUrl), "{text}");
        }
    }
}
