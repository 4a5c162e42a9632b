// The little Markdown that answers have, as elements: quotes, tables, lists and code. All else stays text as it stands, so nothing in
// an answer becomes a link, a picture or markup.

import { element, grid } from "./elements.js";

/** A kind of block: how its lines begin, and what they become. */
type Kind = [RegExp, (lines: string[]) => HTMLElement];

const KINDS: Kind[] = [
  [/^> ?/, (lines) => element("blockquote", "", inline(lines.map((line) => line.replace(/^> ?/, "")).join("\n")))],
  [/^\|/, table],
  [/^- /, (lines) => element("ul", "list", lines.map((line) => element("li", "", inline(line.slice(2)))))],
];

/** Shows a text. */
export function markdown(text: string): HTMLElement[] {
  const blocks: HTMLElement[] = [];
  let lines: string[] = [];
  let kind: Kind | undefined;
  const end = () => {
    if (lines.length > 0) blocks.push(kind === undefined ? element("p", "", inline(lines.join("\n"))) : kind[1](lines));
    lines = [];
  };
  for (const line of text.split("\n")) {
    const next = KINDS.find(([begins]) => begins.test(line));
    if (line.trim() === "" || next !== kind) end();
    kind = next;
    if (line.trim() !== "") lines.push(line);
  }
  end();
  return blocks;
}

/** Text with code between backticks. */
function inline(text: string): Node[] {
  const parts = text.split(/(`[^`\n]+`)/);
  return parts.map((part, n) => (n % 2 === 0 ? document.createTextNode(part) : element("code", "", part.slice(1, -1))));
}

function table(lines: string[]): HTMLElement {
  const cells = (line: string) =>
    line
      .replace(/^\|/, "")
      .replace(/\|\s*$/, "")
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll("\\|", "|"));
  const isRule = (row: string[]) => row.every((cell) => /^:?-+:?$/.test(cell));
  const [head = [], ...rows] = lines.map(cells).filter((row) => !isRule(row));
  return grid("Table of the answer", head, rows);
}
