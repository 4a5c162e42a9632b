//! Reads and writes objects, and says exactly what came of it: a tool that says nothing of itself, and one that says it only reads.

use behalf_guests::{Outcome, Value, failed, json, number, storage, text};

const ABOUT: &str =
    "{do: list|read|write|remove|sign|flood, bucket, name?, text?, bytes?, prefix?, cursor?, max?, upsert?}";

struct Component;

impl behalf_guests::Guest for Component {
    fn definitions() -> String {
        let silent = behalf_guests::definition("objects", ABOUT);
        let mut reading = behalf_guests::definition("reading_objects", ABOUT);
        reading["annotations"] = json!({"readOnlyHint": true});
        json!([silent, reading]).to_string()
    }

    fn call(_name: String, arguments: String) -> Result<String, behalf_guests::Error> {
        let arguments: Value = serde_json::from_str(&arguments).map_err(|error| failed(&error.to_string()))?;
        let done = act(&arguments)?;
        // A call that fails after what it did.
        if arguments["then"] == "fail" { Err(failed("as told")) } else { Ok(done.to_string()) }
    }
}

behalf_guests::bindings::export_component!(Component with_types_in behalf_guests::bindings);

fn act(arguments: &Value) -> Outcome {
    let (bucket, name) = (text(arguments, "bucket"), text(arguments, "name"));
    let done = match text(arguments, "do") {
        "list" => {
            let cursor = arguments["cursor"].as_str();
            let limit = u32::try_from(number(arguments, "max", 100)).unwrap_or(u32::MAX);
            storage::list_objects(bucket, text(arguments, "prefix"), limit, cursor).map(|page| {
                let names: Vec<_> = page.objects.iter().map(|one| one.name.as_str()).collect();
                json!({"names": names, "next": page.next})
            })
        }
        "read" => storage::read(bucket, name, number(arguments, "max", 1_000_000)).map(|content| {
            let text = String::from_utf8_lossy(&content.bytes);
            json!({"text": text, "content_type": content.content_type})
        }),
        "write" => {
            let bytes = match arguments["bytes"].as_u64() {
                Some(bytes) => vec![b'x'; usize::try_from(bytes).unwrap_or(usize::MAX)],
                None => text(arguments, "text").as_bytes().to_vec(),
            };
            let upsert = arguments["upsert"].as_bool().unwrap_or(true);
            let content_type = arguments["content_type"].as_str().unwrap_or("text/plain");
            storage::write(bucket, name, &bytes, content_type, upsert).map(|()| json!("written"))
        }
        "remove" => storage::remove(bucket, name).map(|()| json!("removed")),
        "sign" => {
            let seconds = u32::try_from(number(arguments, "max", 60)).unwrap_or(u32::MAX);
            storage::signed_url(bucket, name, seconds).map(Value::from)
        }
        _ => flood(bucket),
    };
    Ok(done.unwrap_or_else(|error| json!({"code": error.code, "message": error.message, "retryable": error.retryable})))
}

/// Lists until the host no longer lets it, and says how often it did.
fn flood(bucket: &str) -> Result<Value, storage::Error> {
    let mut count = 0;
    loop {
        match storage::list_objects(bucket, "", 1, None) {
            Ok(_) => count += 1,
            Err(error) => return Ok(json!({"count": count, "code": error.code})),
        }
    }
}
