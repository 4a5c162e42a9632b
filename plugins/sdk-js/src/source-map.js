/**
 * Where the lines of a bundle come from. The build puts everything into one file; with what it says of its lines, a stack
 * names the author's own files.
 */

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** How the engine names the bundle in a stack: file, line, column. */
const PLACE = /componentize-qjs:user\.js:(\d+):(\d+)/g;

/** The key of the map in a component's `globalThis`. */
export const MAP = Symbol.for("behalf.source-map");

/** The numbers of one segment, in the Base64 VLQ of source maps (<https://tc39.es/ecma426/>). */
function numbers(segment) {
  const read = [];
  let value = 0;
  let shift = 0;
  for (const sign of segment) {
    const digit = DIGITS.indexOf(sign);
    value |= (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) === 0) {
      read.push(value & 1 ? -(value >>> 1) : value >>> 1);
      value = shift = 0;
    }
  }
  return read;
}

/** The same, written. */
function written(values) {
  let text = "";
  for (const value of values) {
    let left = value < 0 ? (-value << 1) | 1 : value << 1;
    do {
      const digit = left & 31;
      left >>>= 5;
      text += DIGITS[left > 0 ? digit | 32 : digit];
    } while (left > 0);
  }
  return text;
}

/** The segments of each line of the bundle: where they begin, their source, and their line there. All count from 0. */
function lines(mappings) {
  let [source, line] = [0, 0];
  return mappings.split(";").map((text) => {
    let column = 0;
    const segments = [];
    for (const segment of text === "" ? [] : text.split(",")) {
      const [step, sourceStep, lineStep] = numbers(segment);
      column += step;
      // One number alone stands for code that the bundler itself wrote.
      if (sourceStep === undefined) continue;
      segments.push([column, (source += sourceStep), (line += lineStep)]);
    }
    return segments;
  });
}

/** A map without what a stack does not need: columns of sources, and all but the first segment of a line of a package. */
export function compact({ sources, mappings }) {
  const isPackage = sources.map((source) => source.includes("node_modules/"));
  let [lastSource, lastLine] = [0, 0];
  const kept = lines(mappings).map((segments) => {
    const [first] = segments;
    let [lastColumn, before] = [0, undefined];
    const texts = [];
    for (const segment of segments) {
      const [column, source, line] = segment;
      if (before !== undefined && ((before[1] === source && before[2] === line) || isPackage[first[1]])) continue;
      texts.push(written([column - lastColumn, source - lastSource, line - lastLine]));
      [lastColumn, lastSource, lastLine, before] = [column, source, line, segment];
    }
    return texts.join(",");
  });
  return { sources, mappings: kept.join(";") };
}

/** A stack, or another text with places of the bundle, with the author's files and lines in their place. */
export function withSources(text, map) {
  if (map === undefined || !text.includes("componentize-qjs:user.js:")) return text;
  const all = lines(map.mappings);
  return text.replace(PLACE, (place, line, column) => {
    const segments = all[line - 1] ?? [];
    // Columns in a stack count from 1.
    const found = segments.findLast(([start]) => start < column) ?? segments[0];
    return found === undefined ? place : `${map.sources[found[1]]}:${found[2] + 1}`;
  });
}
