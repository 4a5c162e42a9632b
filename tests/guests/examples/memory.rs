//! Makes the host keep things for it, in every way that costs the guest itself little.

use behalf_guests::{Error, Outcome, Tool, Value, database, failed, json, log, number, progress, text};
use wasip2::clocks::monotonic_clock;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest};

const TOOLS: &[Tool] = &[
    ("keep_bodies", "{count, bytes}: requests that are never sent, each with so much of a body", keep_bodies),
    ("keep_fields", "{count, bytes}: field maps with so much in each", keep_fields),
    ("keep_methods", "{count, bytes}: requests with methods of that length", keep_methods),
    ("keep_trailers", "{count, bytes}: bodies that ended with so much of trailers", keep_trailers),
    ("keep_sent", "{count}: requests to nowhere, whose answers nobody reads", keep_sent),
    ("keep_rows", "{sql}: the number of rows of an answer", keep_rows),
    ("keep_pollables", "{count}: so many waits", keep_pollables),
    ("keep_readers", "{count}: so many streams of one file", keep_readers),
    ("log_lines", "{count, bytes}: log lines", log_lines),
    ("print_lines", "{count, bytes}: lines on standard output", print_lines),
    ("reports", "{count, bytes}: reports of progress", reports),
];

behalf_guests::export_guest!(TOOLS);

fn size(arguments: &Value, name: &str) -> usize {
    usize::try_from(number(arguments, name, 0)).unwrap_or(usize::MAX)
}

fn wrong(error: impl std::fmt::Debug) -> Error {
    failed(&format!("{error:?}"))
}

/// Writes as much as the host takes, up to so many bytes, and returns how much that was.
fn write(body: &OutgoingBody, bytes: usize) -> Result<usize, Error> {
    let stream = body.write().map_err(wrong)?;
    let mut written = 0;
    while written < bytes {
        let room = usize::try_from(stream.check_write().map_err(wrong)?).unwrap_or(usize::MAX);
        if room == 0 {
            break;
        }
        let piece = room.min(bytes - written);
        stream.write(&vec![b'x'; piece]).map_err(wrong)?;
        written += piece;
    }
    Ok(written)
}

fn keep_bodies(arguments: &Value) -> Outcome {
    let (mut kept, mut written) = (Vec::new(), 0);
    for _ in 0..size(arguments, "count") {
        let request = OutgoingRequest::new(Fields::new());
        let body = request.body().map_err(wrong)?;
        written += write(&body, size(arguments, "bytes"))?;
        drop(body);
        kept.push(request);
    }
    Ok(json!({"requests": kept.len(), "bytes": written}))
}

/// A field map of about so many bytes.
fn fields(bytes: usize) -> Result<Fields, Error> {
    let fields = Fields::new();
    let value = vec![b'x'; 4000];
    for index in 0..bytes / value.len() {
        fields.append(&format!("x-{index}"), &value).map_err(wrong)?;
    }
    Ok(fields)
}

fn keep_fields(arguments: &Value) -> Outcome {
    let made = (0..size(arguments, "count")).map(|_| fields(size(arguments, "bytes")));
    let kept = made.collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"fields": kept.len()}))
}

fn keep_methods(arguments: &Value) -> Outcome {
    let method = Method::Other("A".repeat(size(arguments, "bytes")));
    let mut kept = Vec::new();
    for _ in 0..size(arguments, "count") {
        let request = OutgoingRequest::new(Fields::new());
        request.set_method(&method).map_err(wrong)?;
        kept.push(request);
    }
    Ok(json!({"requests": kept.len()}))
}

fn keep_trailers(arguments: &Value) -> Outcome {
    let mut kept = Vec::new();
    for _ in 0..size(arguments, "count") {
        let request = OutgoingRequest::new(Fields::new());
        let body = request.body().map_err(wrong)?;
        OutgoingBody::finish(body, Some(fields(size(arguments, "bytes"))?)).map_err(wrong)?;
        kept.push(request);
    }
    Ok(json!({"requests": kept.len()}))
}

fn keep_sent(arguments: &Value) -> Outcome {
    let send = |_| handle(OutgoingRequest::new(Fields::new()), None).map_err(wrong);
    let kept = (0..size(arguments, "count")).map(send).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"sent": kept.len()}))
}

fn keep_rows(arguments: &Value) -> Outcome {
    let rows = database::query(text(arguments, "sql"), &[]).map_err(|error| failed(&error.message))?;
    Ok(json!({"rows": rows.rows.len(), "truncated": rows.truncated}))
}

fn keep_pollables(arguments: &Value) -> Outcome {
    let wait = |_| monotonic_clock::subscribe_duration(1 << 50);
    let kept: Vec<_> = (0..size(arguments, "count")).map(wait).collect();
    Ok(json!({"pollables": kept.len()}))
}

fn keep_readers(arguments: &Value) -> Outcome {
    let (folder, _) = get_directories().into_iter().next().ok_or_else(|| failed("no folder"))?;
    let (how, flags) = (OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE);
    let file = folder.open_at(PathFlags::empty(), "large", how, flags).map_err(wrong)?;
    file.write(&vec![b'x'; 1 << 16], 0).map_err(wrong)?;
    let mut kept = Vec::new();
    for _ in 0..size(arguments, "count") {
        let stream = file.read_via_stream(0).map_err(wrong)?;
        // The host reads all that was asked for, and the guest takes a part of it.
        stream.read(1 << 16).map_err(wrong)?;
        stream.subscribe().block();
        kept.push(stream);
    }
    Ok(json!({"streams": kept.len()}))
}

fn log_lines(arguments: &Value) -> Outcome {
    let line = "x".repeat(size(arguments, "bytes"));
    for _ in 0..size(arguments, "count") {
        log::write(log::Level::Info, &line);
    }
    Ok(json!({}))
}

fn print_lines(arguments: &Value) -> Outcome {
    let line = "x".repeat(size(arguments, "bytes"));
    for _ in 0..size(arguments, "count") {
        println!("{line}");
    }
    Ok(json!({}))
}

fn reports(arguments: &Value) -> Outcome {
    let message = "ä".repeat(size(arguments, "bytes") / 2);
    for done in 0..number(arguments, "count", 0) {
        progress::report(done, None, Some(&message));
    }
    Ok(json!({}))
}
