/**
 * The caller's notes as one document. No statement here names a user: row-level security leaves only the rows of the
 * person the call is for.
 */

import { ToolError, defineTool, exportTools, likeLiteral, query } from "behalf-sdk";
import * as Type from "typebox";

import { csv, markdown } from "./document.js";
import type { Note } from "./document.js";

const MAX_NOTES = 500;

// Days are the database's, which keeps times in UTC. What a project's notes leave out is empty in the document.
const NOTES = `
  select coalesce(title, '') as title, coalesce(body, '') as body, created_at
  from public.notes
  where created_at is not null
    and ($1::text is null or title ilike $1 or body ilike $1)
    and ($2::date is null or created_at >= $2::date)
    and ($3::date is null or created_at < $3::date + 1)
  order by created_at, title
  limit $4`;

const Day = (description: string) =>
  Type.String({ pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description, examples: ["2026-03-31"] });

export const notesExport = defineTool({
  name: "notes_export",
  title: "Export notes",
  description:
    "The current user's notes as one Markdown or CSV document, oldest first, optionally only those that contain a text or were written in a range of days. Use it to hand notes over as a file or to read many at once.",
  input: Type.Object(
    {
      format: Type.Optional(
        Type.Union([Type.Literal("markdown"), Type.Literal("csv")], { description: "markdown if left out." }),
      ),
      search: Type.Optional(
        Type.String({ minLength: 1, maxLength: 200, description: "Text that the title or the body contains." }),
      ),
      from: Type.Optional(Day("The first day, as YYYY-MM-DD.")),
      to: Type.Optional(Day("The last day, as YYYY-MM-DD.")),
    },
    { additionalProperties: false },
  ),
  output: Type.Object(
    {
      filename: Type.String(),
      media_type: Type.String(),
      document: Type.String(),
      notes: Type.Integer({ description: "How many notes are in the document." }),
      truncated: Type.Boolean({ description: "Whether notes were left out because the document would be too long." }),
    },
    { additionalProperties: false },
  ),
  readOnly: true,
  idempotent: true,

  call({ format = "markdown", search, from, to }, context) {
    if (from !== undefined) checkDay("from", from);
    if (to !== undefined) checkDay("to", to);
    if (from !== undefined && to !== undefined && from > to) {
      throw ToolError.invalidArguments(`"from" (${from}) is after "to" (${to}); swap them.`);
    }
    context.progress(0, 2, "Reading notes");
    const pattern = search === undefined ? null : `%${likeLiteral(search)}%`;
    const found = query<Note>(NOTES, pattern, from, to, MAX_NOTES + 1);
    const notes = found.slice(0, MAX_NOTES);

    context.progress(1, 2, "Writing the document");
    const written = format === "csv" ? csv(notes) : markdown(title(context.settings), notes);
    context.progress(2, 2);
    console.info(`exported ${written.notes} of ${found.length} notes as ${format}`);
    return {
      filename: format === "csv" ? "notes.csv" : "notes.md",
      media_type: format === "csv" ? "text/csv" : "text/markdown",
      document: written.text,
      notes: written.notes,
      truncated: found.truncated || written.notes < found.length,
    };
  },
});

/** The pattern lets the 31st of February through, which the database would refuse less kindly. */
function checkDay(name: string, day: string): void {
  const time = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(time.getTime()) || time.toISOString().slice(0, 10) !== day) {
    throw ToolError.invalidArguments(`"${name}" is no day of the calendar: ${day}.`);
  }
}

function title(settings: Record<string, unknown>): string {
  return typeof settings["title"] === "string" ? settings["title"] : "Notes";
}

export const tool = exportTools(notesExport);
