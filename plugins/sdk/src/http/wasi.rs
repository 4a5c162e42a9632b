//! Requests through `wasi:http`.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

use super::{Error, Response, Sent};

/// Bytes that a stream takes at once, and that are asked of one.
const WRITTEN: usize = 4096;
const READ: u64 = 65_536;

/// Sends a request and reads the whole answer.
pub(crate) fn send(sent: &Sent) -> Result<Response, Error> {
    let failed = |code: ErrorCode| match code {
        ErrorCode::InternalError(Some(reason)) => Error::refused(&sent.authority, &reason),
        code => Error::named(&name_of(&code), &sent.authority),
    };
    let pending = begin(sent)?.map_err(failed)?;
    let response = wait(&pending).map_err(failed)?;
    let headers = response.headers().entries().into_iter();
    let headers = headers.map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect();
    let body = read(&response).map_err(failed)?;
    Ok(Response { status: response.status(), headers, body, host: String::new() })
}

/// The name of a case: `InternalError(Some("…"))` is `InternalError`.
fn name_of(code: &ErrorCode) -> String {
    let shown = format!("{code:?}");
    let shown = shown.strip_prefix("ErrorCode::").unwrap_or(&shown);
    shown.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn begin(sent: &Sent) -> Result<Result<FutureIncomingResponse, ErrorCode>, Error> {
    let fields = Fields::new();
    for (name, value) in &sent.headers {
        fields.append(name, value.as_bytes()).map_err(|_| {
            let shown: String = name.chars().take(100).collect();
            Error::new(
                "invalid",
                format!("The header {shown} cannot be sent: its name, its value, or that it is there."),
            )
        })?;
    }
    let request = OutgoingRequest::new(fields);
    let scheme = if sent.scheme == "https" { Scheme::Https } else { Scheme::Http };
    request
        .set_method(&method(&sent.method))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(sent.authority.as_str())))
        .and_then(|()| request.set_path_with_query(Some(sent.path.as_str())))
        .map_err(|()| {
            let message = "The method, the host or the path of the request has characters that none may have.";
            Error::new("invalid", message.to_owned())
        })?;
    // A request whose body was asked for would be sent in chunks, which servers do not expect of a GET.
    let body = sent.body.as_ref().and_then(|content| Some((request.body().ok()?, content)));
    let options = sent.timeout.map(|timeout| {
        let options = RequestOptions::new();
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1);
        let _ = options.set_connect_timeout(Some(nanoseconds));
        let _ = options.set_first_byte_timeout(Some(nanoseconds));
        options
    });
    let pending = handle(request, options);
    if let (Ok(_), Some((body, content))) = (&pending, body) {
        write(body, content);
    }
    Ok(pending)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

/// Where it fails, the request was refused or cut off, and the answer says why.
fn write(body: OutgoingBody, content: &[u8]) {
    let Ok(stream) = body.write() else { return };
    for piece in content.chunks(WRITTEN) {
        if stream.blocking_write_and_flush(piece).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn wait(pending: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    loop {
        match pending.get() {
            Some(Ok(answer)) => return answer,
            // It was taken already, which nobody else could do.
            Some(Err(())) => return Err(ErrorCode::InternalError(None)),
            None => pending.subscribe().block(),
        }
    }
}

fn read(response: &IncomingResponse) -> Result<Vec<u8>, ErrorCode> {
    let Ok(body) = response.consume() else { return Err(ErrorCode::InternalError(None)) };
    let Ok(stream) = body.stream() else { return Err(ErrorCode::InternalError(None)) };
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(http_error_code(&error).unwrap_or(ErrorCode::HttpResponseIncomplete));
            }
        }
    }
}
