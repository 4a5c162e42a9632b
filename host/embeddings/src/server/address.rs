//! The addresses of embedding servers.

use url::Url;

use crate::EmbeddingError;
use crate::name::Family;

/// A base URL from the settings.
#[derive(Clone, Debug)]
pub(super) struct BaseUrl(Url);

/// Where the servers of a protocol usually are.
pub(super) fn usual(family: Family) -> &'static str {
    match family {
        Family::OpenAi => "https://api.openai.com/v1/",
        Family::Ollama => "http://localhost:11434/",
    }
}

impl BaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self, EmbeddingError> {
        const WRONG: EmbeddingError = EmbeddingError::NotSetUp(
            "the address of the embedding server must be an http or https URL without user name or password",
        );
        let url = Url::parse(text.trim()).map_err(|_| WRONG)?;
        // A password in the URL would appear wherever URLs are printed. Keys have a separate setting.
        let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let usable = bare && matches!(url.scheme(), "http" | "https") && url.has_host();
        if usable { Ok(Self(url)) } else { Err(WRONG) }
    }

    /// The address to which the protocol's path is appended; ends with a slash.
    pub(super) fn of(&self, family: Family) -> String {
        let mut url = self.0.clone();
        let mut path = url.path().trim_end_matches('/').to_owned();
        match family {
            // Ollama has this protocol beside its own, at `/v1`.
            Family::Ollama => path.truncate(path.trim_end_matches("/v1").len()),
            Family::OpenAi if path.split('/').any(is_version) => {}
            Family::OpenAi => path.push_str("/v1"),
        }
        path.push('/');
        url.set_path(&path);
        url.to_string()
    }
}

/// `v1`, `v3`, `v1beta`: some compatible servers count their own versions.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_and_version_may_be_left_out() {
        let address = |text: &str, family| BaseUrl::parse(text).map(|url| url.of(family));
        for text in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", " http://h:1/v1// "] {
            assert_eq!(address(text, Family::OpenAi).as_deref(), Ok("http://h:1/v1/"), "{text}");
            assert_eq!(address(text, Family::Ollama).as_deref(), Ok("http://h:1/"), "{text}");
        }
        assert_eq!(address("https://h/openai/v3", Family::OpenAi).as_deref(), Ok("https://h/openai/v3/"));
    }

    #[test]
    fn what_is_not_a_plain_web_address_is_refused() {
        for text in ["", "h:1", "ftp://h", "http://", "http://key@h", "http://u:p@h/v1", "http://h/#x", "/v1"] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }
}
