/* What models are told of the tool. */
#ifndef MERCHANT_DUPLICATES_H
#define MERCHANT_DUPLICATES_H

#include "behalf.h"

/* clang-format off */
static const char merchant_duplicates_definition[] = BEHALF_JSON({
  "name": "merchant_duplicates",
  "title": "Find merchants with two names",
  "description": "Finds merchants in the current user's expenses whose names are probably the same one, such as \"Green Grocer\" and \"GREEN GROCERS\". Changes nothing. Use it before summing up by merchant, or when the user wants to tidy up.",
  "inputSchema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
      "min_similarity": {
        "type": "number",
        "minimum": 0.6,
        "maximum": 1,
        "default": 0.8,
        "description": "How alike names must be: 1 is the same but for case, spaces and punctuation, 0.8 lets one letter in five differ."
      },
      "limit": { "type": "integer", "minimum": 1, "maximum": 50, "default": 20, "description": "How many groups at most." }
    },
    "additionalProperties": false
  },
  "outputSchema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
      "groups": {
        "type": "array",
        "maxItems": 50,
        "description": "The most alike first.",
        "items": {
          "type": "object",
          "properties": {
            "similarity": { "type": "number", "description": "Of the least alike pair that holds the group together." },
            "merchants": {
              "type": "array",
              "minItems": 2,
              "description": "The most used first; its name is the one to keep.",
              "items": {
                "type": "object",
                "properties": {
                  "name": { "type": "string" },
                  "expenses": { "type": "integer", "description": "How many." },
                  "last_used": { "type": "string", "maxLength": 40, "description": "The day of the latest." }
                },
                "required": ["name", "expenses", "last_used"],
                "additionalProperties": false
              }
            }
          },
          "required": ["similarity", "merchants"],
          "additionalProperties": false
        }
      },
      "merchants_compared": { "type": "integer" },
      "truncated": { "type": "boolean", "description": "Whether merchants, comparisons or groups were left out." }
    },
    "required": ["groups", "merchants_compared", "truncated"],
    "additionalProperties": false
  },
  "annotations": { "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false }
});
/* clang-format on */

#endif
