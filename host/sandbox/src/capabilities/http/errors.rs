//! The errors of requests: how those of hyper, of TLS and of sockets become WASI's, and the names that records use.

use std::error::Error as _;
use std::io;

use wasmtime_wasi_http::Error;

/// Bytes of an answer's status line and headers together; also the buffer of one connection.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The names that records use.
pub(super) fn error_name(error: &Error) -> &'static str {
    match error {
        Error::HttpRequestDenied => "denied",
        Error::DestinationIpProhibited => "address_prohibited",
        Error::HttpRequestUriInvalid => "bad_address",
        Error::HttpRequestMethodInvalid => "bad_method",
        Error::DestinationNotFound | Error::DnsTimeout => "not_found",
        Error::DestinationUnavailable | Error::ConnectionRefused => "unreachable",
        Error::ConnectionTimeout | Error::ConnectionReadTimeout | Error::HttpResponseTimeout => "timeout",
        Error::ConnectionLimitReached => "too_many_connections",
        Error::TlsCertificateError | Error::TlsProtocolError | Error::TlsAlertReceived { .. } => "tls",
        Error::HttpRequestBodySize(_) => "request_too_large",
        Error::HttpResponseBodySize(_) | Error::HttpResponseHeaderSectionSize(_) => "response_too_large",
        Error::ConnectionTerminated | Error::HttpResponseIncomplete => "cut_off",
        Error::ConfigurationError => "host",
        _ => "protocol",
    }
}

/// The error for one of hyper's. An error of the request's body is the source of hyper's.
pub(super) fn from_hyper(error: &hyper::Error) -> Error {
    if let Some(Error::HttpRequestBodySize(size)) = error.source().and_then(|source| source.downcast_ref()) {
        return Error::HttpRequestBodySize(*size);
    }
    if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(u32::try_from(MAX_HEAD_BYTES).ok())
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() || error.is_body_write_aborted()
    {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}

pub(super) fn from_connect(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Error::ConnectionTerminated,
        _ => Error::DestinationUnavailable,
    }
}

pub(super) fn from_tls(error: &io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: alert.as_str().map(str::to_owned),
        },
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    }
}
