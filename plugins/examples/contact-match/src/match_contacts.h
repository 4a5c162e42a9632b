/* What models are told of the tool. */
#ifndef MATCH_CONTACTS_H
#define MATCH_CONTACTS_H

#include "behalf.h"

/* clang-format off */
static const char match_contacts_definition[] = BEHALF_JSON({
  "name": "match_contacts",
  "title": "Find a contact by a similar name",
  "description": "Finds out whether somebody is among the current user's contacts already, also where the name is spelled in another way: \"Anna Mueller\" finds \"Dr. Müller, Anna\". Changes nothing. Use it before adding a contact, or when a name that the user says is not found.",
  "inputSchema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
      "name": {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "description": "The person's name, in any order of its parts.",
        "examples": ["Anna Mueller"]
      },
      "email": {
        "type": "string",
        "minLength": 3,
        "maxLength": 254,
        "description": "The person's address, if it is known: a contact with the same one is found whatever its name."
      },
      "min_score": {
        "type": "number",
        "minimum": 0.3,
        "maximum": 1,
        "default": 0.7,
        "description": "How alike names must be: 1 is the same but for case, accents, titles and the order of words."
      },
      "limit": { "type": "integer", "minimum": 1, "maximum": 50, "default": 5, "description": "How many contacts at most." }
    },
    "required": ["name"],
    "additionalProperties": false
  },
  "outputSchema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
      "matches": {
        "type": "array",
        "maxItems": 50,
        "description": "The most alike first.",
        "items": {
          "type": "object",
          "properties": {
            "id": { "type": "string", "maxLength": 36 },
            "name": { "type": "string" },
            "email": { "type": ["string", "null"] },
            "score": { "type": "number", "minimum": 0, "maximum": 1 },
            "reason": { "enum": ["same_email", "same_name", "similar_name"] }
          },
          "required": ["id", "name", "email", "score", "reason"],
          "additionalProperties": false
        }
      },
      "contacts_compared": { "type": "integer" },
      "truncated": { "type": "boolean", "description": "Whether contacts were not compared, or matches left out." }
    },
    "required": ["matches", "contacts_compared", "truncated"],
    "additionalProperties": false
  },
  "annotations": { "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false }
});
/* clang-format on */

#endif
