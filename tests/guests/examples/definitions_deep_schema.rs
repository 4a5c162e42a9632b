//! An input schema nested deeper than a parser's stack may be.

const DEPTH: usize = 100_000;

behalf_guests::export_definitions!(format!(
    "[{{\"name\": \"deep\", \"description\": \"…\", \"inputSchema\": {{\"type\": \"object\", \"not\": {}true{}}}}}]",
    "{\"not\":".repeat(DEPTH),
    "}".repeat(DEPTH),
));
