//! Media types: what a client accepts and what it sends.

/// A media type that the interface tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    GeoJson,
    Csv,
    PlainText,
    Xml,
    OpenApi,
    Form,
    Octets,
    Any,
    /// A single object.
    Object {
        stripped: bool,
    },
    /// An array whose objects have no nulls.
    StrippedArray,
    Plan(Box<PlanMedia>),
    Other(String),
}

/// A plan of Postgres for the request of another media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanMedia {
    pub(crate) of: Media,
    pub(crate) json: bool,
    pub(crate) options: Vec<PlanOption>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanOption {
    Analyze,
    Verbose,
    Settings,
    Buffers,
    Wal,
}

impl PlanOption {
    const ALL: [Self; 5] = [Self::Analyze, Self::Verbose, Self::Settings, Self::Buffers, Self::Wal];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Analyze => "analyze",
            Self::Verbose => "verbose",
            Self::Settings => "settings",
            Self::Buffers => "buffers",
            Self::Wal => "wal",
        }
    }
}

impl Media {
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        let pieces = split_quoted(text, ';');
        let mut pieces = pieces.iter().map(|piece| piece.trim());
        let essence = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<(String, &str)> = pieces
            .filter_map(|piece| piece.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
            .collect();
        let parameter = |name: &str| parameters.iter().find(|(found, _)| found == name).map(|(_, value)| *value);
        let stripped = parameter("nulls") == Some("stripped");
        match essence.as_str() {
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" if stripped => Self::StrippedArray,
            "application/json" | "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => Self::Json,
            "application/geo+json" => Self::GeoJson,
            "text/csv" => Self::Csv,
            "text/plain" => Self::PlainText,
            "text/xml" => Self::Xml,
            "application/openapi+json" => Self::OpenApi,
            "application/x-www-form-urlencoded" => Self::Form,
            "application/octet-stream" => Self::Octets,
            "*/*" => Self::Any,
            "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => Self::Object { stripped },
            "application/vnd.pgrst.plan" | "application/vnd.pgrst.plan+text" | "application/vnd.pgrst.plan+json" => {
                let wanted: Vec<&str> = parameter("options").unwrap_or_default().split('|').collect();
                Self::Plan(Box::new(PlanMedia {
                    of: match Self::parse(parameter("for").unwrap_or("application/json")) {
                        Self::Plan(_) => Self::Json,
                        other => other,
                    },
                    json: essence.ends_with("+json"),
                    options: PlanOption::ALL.into_iter().filter(|option| wanted.contains(&option.name())).collect(),
                }))
            }
            _ => Self::Other(text.to_owned()),
        }
    }

    /// The media types of `Accept`, the most wanted first. Of two that are wanted alike, the one that says more comes first.
    pub(crate) fn accepted(header: Option<&str>) -> Vec<Self> {
        let Some(header) = header else { return vec![Self::Any] };
        if !header.contains([',', ';']) && !header.trim().is_empty() {
            return vec![Self::parse(header)];
        }
        let mut all: Vec<((u32, i64), Self)> = split_quoted(header, ',')
            .into_iter()
            .filter(|item| !item.trim().is_empty())
            .map(|item| {
                let quality = split_quoted(item, ';')
                    .iter()
                    .skip(1)
                    .filter_map(|piece| piece.trim().strip_prefix("q="))
                    .find_map(|value| value.parse::<f32>().ok())
                    .filter(|quality| quality.is_finite())
                    .unwrap_or(1.0);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
                let quality = (quality.clamp(0.0, 1.0) * 1000.0) as u32;
                let kept = without_quality(item);
                ((quality, precision(&kept)), Self::parse(&kept))
            })
            .collect();
        if all.is_empty() {
            return vec![Self::Any];
        }
        all.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        all.into_iter().map(|(_, media)| media).collect()
    }

    /// The name in HTTP.
    pub(crate) fn mime(&self) -> String {
        match self {
            Self::Json => "application/json".to_owned(),
            Self::GeoJson => "application/geo+json".to_owned(),
            Self::Csv => "text/csv".to_owned(),
            Self::PlainText => "text/plain".to_owned(),
            Self::Xml => "text/xml".to_owned(),
            Self::OpenApi => "application/openapi+json".to_owned(),
            Self::Form => "application/x-www-form-urlencoded".to_owned(),
            Self::Octets => "application/octet-stream".to_owned(),
            Self::Any => "*/*".to_owned(),
            Self::Object { stripped: false } => "application/vnd.pgrst.object+json".to_owned(),
            Self::Object { stripped: true } => "application/vnd.pgrst.object+json;nulls=stripped".to_owned(),
            Self::StrippedArray => "application/vnd.pgrst.array+json;nulls=stripped".to_owned(),
            Self::Other(text) => text.clone(),
            Self::Plan(plan) => {
                let format = if plan.json { "json" } else { "text" };
                let options: Vec<&str> = plan.options.iter().map(|option| option.name()).collect();
                let options =
                    if options.is_empty() { String::new() } else { format!("; options={}", options.join("|")) };
                format!("application/vnd.pgrst.plan+{format}; for=\"{}\"{options}", plan.of.mime())
            }
        }
    }

    /// The value of `Content-Type`.
    pub(crate) fn content_type(&self) -> String {
        match self {
            Self::Octets | Self::Other(_) => self.mime(),
            _ => format!("{}; charset=utf-8", self.mime()),
        }
    }
}

/// A media type with the parameters that are its own: those before its quality.
fn without_quality(item: &str) -> String {
    let pieces = split_quoted(item, ';');
    let own = pieces.iter().map(|piece| piece.trim());
    own.enumerate().take_while(|(place, piece)| *place == 0 || !piece.starts_with("q=")).fold(
        String::with_capacity(item.len()),
        |mut text, (place, piece)| {
            text.push_str(if place > 0 { ";" } else { "" });
            text.push_str(piece);
            text
        },
    )
}

/// How much a media type says: each parameter makes it more, and each star less.
fn precision(item: &str) -> i64 {
    item.bytes().fold(0, |sum, byte| match byte {
        b';' => sum + 1,
        b'*' => sum - 1,
        _ => sum,
    })
}

/// Splits at a separator that is not in quotes.
fn split_quoted(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(move |next| {
        if next == '"' {
            quoted = !quoted;
        }
        next == separator && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{Media, PlanOption};

    #[test]
    fn media_types_are_told_apart() {
        assert_eq!(Media::parse("Application/JSON; charset=utf-8"), Media::Json);
        assert_eq!(Media::parse("application/vnd.pgrst.object+json;nulls=stripped"), Media::Object { stripped: true });
        let Media::Plan(plan) = Media::parse("application/vnd.pgrst.plan+json; for=\"text/csv\"; options=analyze|wal")
        else {
            panic!("no plan");
        };
        assert_eq!((plan.of, plan.json), (Media::Csv, true));
        assert_eq!(plan.options, [PlanOption::Analyze, PlanOption::Wal]);
    }

    #[test]
    fn accept_is_read_by_quality() {
        assert_eq!(Media::accepted(Some("text/csv;q=0.5, application/json")), [Media::Json, Media::Csv]);
        assert_eq!(Media::accepted(None), [Media::Any]);
        assert_eq!(Media::accepted(Some("*/*, text/csv")), [Media::Csv, Media::Any]);
        let browser = Media::accepted(Some("text/html,application/xml;q=0.9,image/png,*/*;q=0.8"));
        let other = |text: &str| Media::Other(text.to_owned());
        assert_eq!(browser, [other("text/html"), other("image/png"), other("application/xml"), Media::Any]);
    }
}
