/** Notes as a document. */

export interface Note {
  title: string;
  body: string;
  created_at: string;
}

/** Its characters at most; the rest of the notes is left out, whole notes at a time. */
export const MAX_CHARACTERS = 200_000;

export interface Document {
  text: string;
  /** How many of the notes are in it. */
  notes: number;
}

/** One section for each note below the document's title. */
export function markdown(title: string, notes: readonly Note[]): Document {
  return joined(`# ${headline(title)}\n`, notes, (note) => {
    const body = note.body.replaceAll("\r\n", "\n").trim();
    return `\n## ${headline(note.title)}\n\n*${day(note)}*\n${body === "" ? "" : `\n${deeper(body)}\n`}`;
  });
}

/** RFC 4180, with a first line of names. */
export function csv(notes: readonly Note[]): Document {
  const line = (fields: string[]) => `${fields.map(field).join(",")}\r\n`;
  return joined(line(["created_at", "title", "body"]), notes, (note) => line([note.created_at, note.title, note.body]));
}

function joined(start: string, notes: readonly Note[], render: (note: Note) => string): Document {
  let text = start;
  let count = 0;
  for (const note of notes) {
    const next = render(note);
    if (text.length + next.length > MAX_CHARACTERS) break;
    text += next;
    count += 1;
  }
  return { text, notes: count };
}

/** One line: what is in a headline cannot begin another block. */
function headline(text: string): string {
  const line = text.replace(/\s+/g, " ").trim().replace(/[\\`*_[\]<>#]/g, "\\$&");
  return line === "" ? "Untitled" : line;
}

/** Headlines of a note are below the note's own, except in blocks of code, where `#` is none. */
function deeper(body: string): string {
  let fence: string | undefined;
  const lines = body.split("\n").map((line) => {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined && fence === undefined) fence = mark;
    else if (mark !== undefined && fence !== undefined && mark.startsWith(fence)) fence = undefined;
    else if (fence === undefined) return line.replace(/^ {0,3}(#{1,6})(?=\s|$)/, (_, marks: string) => `##${marks}`.slice(0, 6));
    return line;
  });
  // A block of code that the note does not close would swallow the notes after it.
  return fence === undefined ? lines.join("\n") : [...lines, fence].join("\n");
}

function day({ created_at }: Note): string {
  return created_at.slice(0, 10);
}

/**
 * A field in quotes where it needs them. A program that opens the file takes a field that begins like a formula for one;
 * the apostrophe tells it not to.
 */
function field(value: string): string {
  const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
