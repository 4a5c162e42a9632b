/* What models are told of the tool. */
#ifndef MY_TOOL_H
#define MY_TOOL_H

#include "behalf.h"

/* clang-format off */
static const char my_tool_definition[] = BEHALF_JSON({
  "name": "my_tool",
  "title": "Find notes",
  "description": "Finds the current user's notes whose title or body contain a text, newest first. Without a text it lists the newest notes.",
  "inputSchema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
      "search": {
        "type": "string",
        "maxLength": 200,
        "description": "What titles or bodies must contain, in upper or lower case.",
        "examples": ["garden"]
      },
      "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 10, "description": "How many notes at most." }
    },
    "additionalProperties": false
  },
  "outputSchema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
      "notes": {
        "type": "array",
        "maxItems": 100,
        "items": {
          "type": "object",
          "properties": {
            "id": { "type": "string", "maxLength": 36 },
            "title": { "type": "string" },
            "created_at": { "type": "string", "maxLength": 40 }
          },
          "required": ["id", "title", "created_at"],
          "additionalProperties": false
        }
      },
      "truncated": { "type": "boolean", "description": "Whether there are more notes than were returned." }
    },
    "required": ["notes", "truncated"],
    "additionalProperties": false
  },
  "annotations": { "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false }
});
/* clang-format on */

#endif
