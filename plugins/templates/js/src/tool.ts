/**
 * Finds the caller's notes. No statement here names a user: row-level security leaves only the rows of the person the
 * call is for.
 */

import { ToolError, defineTool, exportTools, likeLiteral, query } from "behalf-sdk";
import type { Context } from "behalf-sdk";
import * as Type from "typebox";

const MAX_LIMIT = 100;

interface Note {
  id: string;
  title: string;
  created_at: string;
}

// Some letters of the pattern may be wild cards; what the caller typed is not meant as one. The limit is one more than
// what is returned, which tells whether there are more.
const SEARCH = `
  select id, title, created_at
  from public.notes
  where $1::text is null or title ilike $1 or body ilike $1
  order by created_at desc, id
  limit $2`;

export const myTool = defineTool({
  name: "my_tool",
  title: "Find notes",
  description:
    "Finds the current user's notes whose title or body contain a text, newest first. Without a text: the newest.",
  input: Type.Object(
    {
      search: Type.Optional(
        Type.String({ minLength: 1, maxLength: 200, description: "Text that the title or the body contains." }),
      ),
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: MAX_LIMIT, description: "How many notes at most; 10 if left out." }),
      ),
    },
    { additionalProperties: false },
  ),
  output: Type.Object(
    {
      notes: Type.Array(
        Type.Object(
          { id: Type.String(), title: Type.String(), created_at: Type.String() },
          { additionalProperties: false },
        ),
      ),
      truncated: Type.Boolean({ description: "Whether there are more notes than these." }),
    },
    { additionalProperties: false },
  ),
  readOnly: true,
  idempotent: true,

  call({ search, limit }, context) {
    if (search?.trim() === "") {
      throw ToolError.invalidArguments("The text to search for is blank; leave it out to get the newest notes.");
    }
    const most = limit ?? defaultLimit(context);

    context.progress(0, 1, "Searching");
    const pattern = search === undefined ? null : `%${likeLiteral(search)}%`;
    const notes = query<Note>(SEARCH, pattern, most + 1);
    context.progress(1, 1);
    console.info(`found ${Math.min(notes.length, most)} notes`);
    return { notes: notes.slice(0, most), truncated: notes.length > most };
  },
});

/** What the operator set as `default_limit`. */
function defaultLimit({ settings }: Context): number {
  const limit = settings["default_limit"] ?? 10;
  if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw new ToolError(`The setting default_limit must be a whole number from 1 to ${MAX_LIMIT}; ask the operator.`);
  }
  return limit;
}

export const tool = exportTools(myTool);
