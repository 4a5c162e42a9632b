//! Traces in the form of OpenTelemetry: requests, runs, answers of models and calls of tools, each with the one above it, sent over
//! OTLP as the variables `OTEL_*` say (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>). The names of
//! attributes are those of the conventions for HTTP and for generative AI (<https://opentelemetry.io/docs/specs/semconv/gen-ai/>).
//!
//! A trace holds ids, names, numbers and times: no prompt, no answer, no argument, no row.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Status, TraceContextExt, TracerProvider as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::TelemetryError;

/// The target of spans that only traces have: no log line names them.
pub const TARGET: &str = "behalf::trace";

/// The headers of a trace's context, and the fields of MCP's `_meta` (<https://www.w3.org/TR/trace-context/>).
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The name of the service where the operator gave none.
const SERVICE: &str = "behalf";

static IS_ON: AtomicBool = AtomicBool::new(false);

fn propagator() -> &'static TraceContextPropagator {
    static PROPAGATOR: OnceLock<TraceContextPropagator> = OnceLock::new();
    PROPAGATOR.get_or_init(TraceContextPropagator::new)
}

/// Where traces go, as far as it is not read from `OTEL_*` by the library.
#[derive(Clone, Debug, Default)]
pub struct TraceOptions {
    /// Whether traces are sent at all.
    pub is_wanted: bool,
    /// The collector's address, such as `http://127.0.0.1:4318`, where a setting of this host's gives it.
    pub endpoint: Option<String>,
    /// Whether `OTEL_*` names the service.
    pub is_named: bool,
}

/// The traces of this process. They are sent until it is shut down.
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Begins to send traces, if they are wanted.
    pub(crate) fn begin(options: &TraceOptions) -> Result<(Self, Option<SdkTracer>), TelemetryError> {
        if !options.is_wanted {
            return Ok((Self(None), None));
        }
        let mut exporter = SpanExporter::builder().with_http();
        if let Some(endpoint) = &options.endpoint {
            exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')));
        }
        let exporter = exporter.build().map_err(|error| TelemetryError::Traces(error.to_string()))?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let mut resource = Resource::builder().with_attribute(version);
        if !options.is_named {
            resource = resource.with_service_name(SERVICE);
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        let tracer = provider.tracer(SERVICE);
        IS_ON.store(true, Ordering::Release);
        Ok((Self(Some(provider)), Some(tracer)))
    }

    /// Sends what was not sent yet. It blocks for some seconds at most.
    pub fn shutdown(self) {
        if let Some(provider) = self.0 {
            IS_ON.store(false, Ordering::Release);
            // A collector that is away must not keep a host from its end, and has been logged by the library.
            let _ = provider.shutdown();
        }
    }
}

/// Whether traces are sent.
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Acquire)
}

/// Adds an attribute to a span's trace, which no log line shows.
pub fn attribute(span: &Span, name: &'static str, value: impl Into<Value>) {
    if is_on() {
        span.set_attribute(name, value);
    }
}

/// The same where there is a value.
pub fn attribute_of<T: Into<Value>>(span: &Span, name: &'static str, value: Option<T>) {
    if let Some(value) = value {
        attribute(span, name, value);
    }
}

/// Marks a span as failed, with a word of the program's own.
pub fn failed(span: &Span, word: &'static str) {
    if is_on() {
        span.set_attribute("error.type", word);
        span.set_status(Status::error(word));
    }
}

/// A request was answered.
pub fn request_answered(span: &Span, method: &'static str, route: Option<&str>, status: u16, user: Option<String>) {
    if !is_on() {
        return;
    }
    let route = route.unwrap_or("unmatched").to_owned();
    span.context().span().update_name(format!("{method} {route}"));
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route);
    span.set_attribute("http.response.status_code", i64::from(status));
    attribute_of(span, "enduser.id", user);
    if status >= 500 {
        span.set_status(Status::error("server error"));
    }
}

/// Puts a span under the one that a request's headers name. It must be done before the span is entered.
pub fn continue_from(span: &Span, headers: &HeaderMap) {
    if is_on() && headers.contains_key(TRACEPARENT) {
        set_parent(span, &propagator().extract(&Headers(headers)));
    }
}

/// Puts a span under the one that a message names.
pub fn continue_from_fields(span: &Span, traceparent: &str, tracestate: Option<&str>) {
    if is_on() {
        set_parent(span, &propagator().extract(&Fields(traceparent, tracestate)));
    }
}

fn set_parent(span: &Span, parent: &Context) {
    if parent.span().span_context().is_valid() {
        // Refused for a span that has begun; then it stays where it is.
        let _ = span.set_parent(parent.clone());
    }
}

/// The context of the present span as `traceparent` and `tracestate`, for whoever is asked next. Empty where traces are not sent.
pub fn context() -> Vec<(&'static str, String)> {
    if !is_on() {
        return Vec::new();
    }
    let mut written = Written::default();
    propagator().inject_context(&Span::current().context(), &mut written);
    written.0
}

/// Adds the context of the present span to the headers of a request.
pub fn continue_at(headers: &mut HeaderMap) {
    for (name, value) in context() {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Fields<'a>(&'a str, Option<&'a str>);

impl Extractor for Fields<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(self.0),
            TRACESTATE => self.1,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

#[derive(Default)]
struct Written(Vec<(&'static str, String)>);

impl Injector for Written {
    fn set(&mut self, key: &str, value: String) {
        let name = [TRACEPARENT, TRACESTATE].into_iter().find(|name| *name == key);
        if let Some(name) = name.filter(|_| !value.is_empty()) {
            self.0.push((name, value));
        }
    }
}
