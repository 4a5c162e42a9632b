//! Makes whatever HTTP request it is told to, without following redirects, and says exactly what came of it.

use behalf_guests::{Outcome, Tool, Value, json, number, text};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

const TOOLS: &[Tool] = &[
    ("fetch", "{url, method?, headers?, body?, max_bytes?}: one request; an error is part of the answer", fetch),
    ("fetch_forever", "{url}: the same request again and again", fetch_forever),
    ("send_forever", "{url}: a request whose body never ends", send_forever),
];

behalf_guests::export_guest!(TOOLS);

fn fetch(arguments: &Value) -> Outcome {
    Ok(send(arguments).unwrap_or_else(|error| json!({"error": error})))
}

fn fetch_forever(arguments: &Value) -> Outcome {
    loop {
        // Whatever it says, again: a guest that does not know when to stop.
        let _ = send(arguments);
    }
}

fn send_forever(arguments: &Value) -> Outcome {
    let sent = request(arguments, "POST").and_then(|request| {
        let body = request.body().map_err(|()| String::from("no body"))?;
        let stream = body.write().map_err(|()| String::from("no stream"))?;
        let _response = handle(request, None).map_err(|error| named(&error))?;
        let chunk = vec![b'x'; 4096];
        let mut bytes = 0_u64;
        loop {
            if let Err(error) = stream.blocking_write_and_flush(&chunk) {
                return Ok(json!({"bytes": bytes, "error": error.to_string()}));
            }
            bytes += 4096;
        }
    });
    Ok(sent.unwrap_or_else(|error| json!({"error": error})))
}

fn named(error: &ErrorCode) -> String {
    format!("{error:?}")
}

fn request(arguments: &Value, default_method: &str) -> Result<OutgoingRequest, String> {
    let url = text(arguments, "url");
    let (scheme, rest) = url.split_once("://").ok_or("not a URL")?;
    let (authority, path) = match rest.find(['/', '?']) {
        Some(index) => rest.split_at(index),
        None => (rest, "/"),
    };
    let headers = Fields::new();
    for (name, value) in arguments["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default().as_bytes().to_vec();
        headers.append(name, &value).map_err(|error| format!("header {name}: {error:?}"))?;
    }
    let method = match arguments["method"].as_str().unwrap_or(default_method) {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        other => Method::Other(String::from(other)),
    };
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(String::from(other)),
    };
    let request = OutgoingRequest::new(headers);
    let set = request
        .set_method(&method)
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    set.map_err(|()| String::from("not a request"))?;
    Ok(request)
}

fn send(arguments: &Value) -> Result<Value, String> {
    let request = request(arguments, "GET")?;
    let body = request.body().map_err(|()| String::from("no body"))?;
    let pending = handle(request, None).map_err(|error| named(&error))?;
    if let Some(content) = arguments["body"].as_str() {
        let stream = body.write().map_err(|()| String::from("no stream"))?;
        for chunk in content.as_bytes().chunks(4096) {
            stream.blocking_write_and_flush(chunk).map_err(|error| error.to_string())?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|error| named(&error))?;
    let response = loop {
        match pending.get() {
            Some(response) => break response,
            None => pending.subscribe().block(),
        }
    };
    let response = response.map_err(|()| String::from("taken"))?.map_err(|error| named(&error))?;
    answer(&response, usize::try_from(number(arguments, "max_bytes", 1 << 16)).unwrap_or(usize::MAX))
}

fn answer(response: &IncomingResponse, max_bytes: usize) -> Result<Value, String> {
    let headers: serde_json::Map<_, _> = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, json!(String::from_utf8_lossy(&value))))
        .collect();
    let body = response.consume().map_err(|()| String::from("no body"))?;
    let stream = body.stream().map_err(|()| String::from("no stream"))?;
    let mut bytes = Vec::new();
    let end = loop {
        if bytes.len() >= max_bytes {
            break Value::Null;
        }
        match stream.blocking_read(1 << 16) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break Value::Null,
            Err(error) => break json!(error.to_string()),
        }
    };
    bytes.truncate(max_bytes);
    Ok(json!({
        "status": response.status(),
        "headers": headers,
        "body": String::from_utf8_lossy(&bytes),
        "body_error": end,
    }))
}
