//! The multipart form of an upload. Its file streams; its fields may come before and after it.

use std::collections::HashSet;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use behalf_web::{ApiError, FormGauge, Held, header};
use futures::StreamExt as _;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{NewFile, Taken, take};
use crate::error::SourceError;
use crate::file_type::{self, FileType};
use crate::state::Sources;
use crate::{metadata, name};

/// Bytes of all fields beside the file: the metadata, and short texts.
const MAX_FIELD_BYTES: usize = metadata::MAX_BYTES + 16 * 1024;
/// Bytes of a form that are not its file: the fields, and what is around them.
const MAX_AROUND: u64 = 256 * 1024;
/// Characters of the name of a model.
const MAX_MODEL_CHARS: usize = 200;
/// Characters of an unknown field that an error quotes.
const MAX_QUOTED: usize = 60;

/// The fields of the form, each at most once, in any order.
#[derive(ToSchema)]
#[schema(as = SourceUpload)]
#[expect(dead_code, reason = "describes the form for clients; the fields are read one by one")]
pub(crate) struct UploadForm {
    /// The document. The end of its name says what it is.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The source's name; the file's where absent.
    #[schema(max_length = 255)]
    name: Option<String>,
    /// A JSON object that the app keeps with the source.
    metadata: Option<String>,
    /// Kept in the metadata. This host has one way to read each format, so it changes nothing.
    extraction_model: Option<String>,
}

/// What has come of a form so far.
#[derive(Debug, Default)]
struct Form {
    seen: HashSet<String>,
    field_bytes: usize,
    name: Option<String>,
    metadata: Map<String, Value>,
    extraction_model: Option<String>,
    file: Option<File>,
}

/// The file of a form.
#[derive(Debug)]
struct File {
    /// The name that came with it.
    sent_name: Option<String>,
    taken: Taken,
}

/// Takes the file of a request's form, with what the fields say of it.
pub(crate) async fn receive(sources: &Sources, request: Request) -> Result<NewFile, ApiError> {
    check_length(request.headers(), sources.options.max_bytes)?;
    let id = Uuid::now_v7();
    let (mut parts, held) = open(request).await?;
    let mut form = Form::default();
    while let Some(field) = parts.next_field().await.map_err(|error| unreadable(&error))? {
        held.clear();
        form.read(sources, id, field, &held).await?;
    }
    form.finish(id)
}

/// A length that is too large is refused before the first byte. One that lies is noticed when the bytes are counted.
fn check_length(headers: &HeaderMap, most: u64) -> Result<(), ApiError> {
    let length = header(headers, CONTENT_LENGTH.as_str())?.and_then(|text| text.parse::<u64>().ok());
    match length {
        Some(length) if length > most.saturating_add(MAX_AROUND) => Err(SourceError::TooLarge(most).into()),
        _ => Ok(()),
    }
}

/// The form of a request. Its reader gets no more than it makes progress with.
async fn open(request: Request) -> Result<(Multipart, Held), ApiError> {
    let (parts, body) = request.into_parts();
    let (gauge, held) = FormGauge::new(body.into_data_stream());
    let mut request = Request::new(Body::from_stream(gauge));
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE) {
        request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    }
    // The limit of files counts, and a file is never in memory.
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let form = form.map_err(|_| ApiError::bad_request("send a form: `Content-Type: multipart/form-data`"))?;
    Ok((form, held))
}

impl Form {
    async fn read(&mut self, sources: &Sources, id: Uuid, field: Field<'_>, held: &Held) -> Result<(), ApiError> {
        let name = field.name().unwrap_or_default().to_owned();
        if !matches!(name.as_str(), "file" | "name" | "metadata" | "extraction_model") {
            let name: String = name.chars().take(MAX_QUOTED).collect();
            return Err(ApiError::bad_request(format!(
                "unknown field {name:?}; send file, name, metadata, extraction_model"
            )));
        }
        // Of two fields of one name, neither is known to be the one that counts.
        if !self.seen.insert(name.clone()) {
            return Err(ApiError::bad_request(match name.as_str() {
                "file" => "send one file; there are two in the form".to_owned(),
                name => format!("the field {name:?} was sent twice"),
            }));
        }
        match name.as_str() {
            "file" => self.file = Some(read_file(sources, id, field, held).await?),
            "name" => {
                let text = self.read_text(field, held).await?;
                self.name = Some(text).filter(|text| !text.trim().is_empty());
            }
            "metadata" => {
                let text = self.read_text(field, held).await?;
                self.metadata = metadata::of_text(&text).map_err(ApiError::bad_request)?;
            }
            _ => {
                let text = self.read_text(field, held).await?;
                let is_long = text.chars().count() > MAX_MODEL_CHARS || text.contains('\0');
                if is_long {
                    return Err(ApiError::bad_request("extraction_model must be the name of a model"));
                }
                self.extraction_model = Some(text).filter(|text| !text.is_empty());
            }
        }
        Ok(())
    }

    async fn read_text(&mut self, mut field: Field<'_>, held: &Held) -> Result<String, ApiError> {
        let mut text = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(|error| unreadable(&error))? {
            held.clear();
            self.field_bytes += piece.len();
            if self.field_bytes > MAX_FIELD_BYTES {
                return Err(ApiError::bad_request("the fields beside the file are too long"));
            }
            text.extend_from_slice(&piece);
        }
        String::from_utf8(text).map_err(|_| ApiError::bad_request("a field of the form is not UTF-8"))
    }

    /// All of the form is there.
    fn finish(self, id: Uuid) -> Result<NewFile, ApiError> {
        let Self { name, mut metadata, extraction_model, file, .. } = self;
        let File { sent_name, taken } = file.ok_or_else(|| ApiError::bad_request("send a file in the field `file`"))?;
        if taken.size == 0 {
            return Err(ApiError::bad_request("the file is empty"));
        }
        let (name, file_type) = named(name.as_deref(), sent_name.as_deref())?;
        if let Some(model) = extraction_model {
            metadata.insert(metadata::EXTRACTION_MODEL.to_owned(), Value::String(model));
        }
        Ok(NewFile { id, name, file_type, metadata, taken, came_by: "upload" })
    }
}

/// Takes the bytes of a file.
async fn read_file(sources: &Sources, id: Uuid, field: Field<'_>, held: &Held) -> Result<File, ApiError> {
    let sent_name = field.file_name().map(name::of_file);
    // What could not be read anyway is refused before its bytes come. A file without an end of its name may get one from a field.
    if let Some(end) = sent_name.as_deref().and_then(file_type::extension) {
        FileType::of_extension(end).ok_or_else(unknown_type)?;
    }
    let bytes = field.inspect(|_| held.clear());
    let taken = take(sources, id, bytes).await.map_err(SourceError::from)?;
    Ok(File { sent_name, taken })
}

/// The name of a source and the type of its file, from the name that was chosen and the one that came with the file.
fn named(chosen: Option<&str>, sent: Option<&str>) -> Result<(String, FileType), ApiError> {
    let chosen = chosen.map(|text| name::chosen(text).ok_or_else(bad_name)).transpose()?;
    let file_type = sent.and_then(FileType::of_name).or_else(|| chosen.as_deref().and_then(FileType::of_name));
    let file_type = file_type.ok_or_else(unknown_type)?;
    let name = chosen.or_else(|| sent.map(str::to_owned)).unwrap_or_else(|| name::of_file(""));
    Ok((name, file_type))
}

/// The refusal of a name.
pub(crate) fn bad_name() -> ApiError {
    ApiError::bad_request("name must have 1 to 255 characters that can be seen")
}

/// The refusal of a file by the end of its name.
pub(crate) fn unknown_type() -> ApiError {
    ApiError::bad_request(format!(
        "the end of the file's name says that it is no document that can be read; send one of: {}",
        file_type::known_extensions()
    ))
}

/// The form is no form, or ended in the middle.
fn unreadable(error: &MultipartError) -> ApiError {
    // Its text may quote the form, which is the client's own.
    ApiError::bad_request(error.body_text())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_files_own_name_says_what_it_is() {
        let of = |chosen: Option<&str>, sent: Option<&str>| {
            named(chosen, sent).ok().map(|(name, file_type)| (name, file_type.extension()))
        };
        let pair = |name: &str, end| Some((name.to_owned(), end));
        assert_eq!(of(None, Some("a.pdf")), pair("a.pdf", "pdf"));
        assert_eq!(of(Some("Report"), Some("a.pdf")), pair("Report", "pdf"));
        assert_eq!(of(Some("Report.docx"), Some("a.pdf")), pair("Report.docx", "pdf"));
        assert_eq!(of(Some("Report.docx"), Some("blob")), pair("Report.docx", "docx"));
        assert_eq!(of(Some("Report.docx"), None), pair("Report.docx", "docx"));
        assert_eq!(of(Some("Report"), Some("blob")), None);
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some("\0"), Some("a.pdf")), None);
    }

    #[test]
    fn a_length_that_cannot_fit_is_refused_before_the_first_byte() {
        let check = |length: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(length) = length {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            check_length(&headers, 1000).map_err(|error| error.status().as_u16())
        };
        assert_eq!((check(None), check(Some("1000")), check(Some("263144"))), (Ok(()), Ok(()), Ok(())));
        assert_eq!(check(Some("263145")), Err(413));
    }
}
