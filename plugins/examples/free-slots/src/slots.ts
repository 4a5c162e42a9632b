/** Free time between events. Times are seconds since 1970 here. */

export interface Span {
  start: number;
  end: number;
}

/**
 * The gaps in a window that no event takes, each of at least `least` seconds, in order. Events may be in any order, overlap, and reach
 * beyond the window. One that takes no time is none.
 */
export function freeSpans(window: Span, events: readonly Span[], least: number, buffer: number): Span[] {
  const busy = events
    .filter((event) => event.end > event.start)
    .map((event) => ({ start: event.start - buffer, end: event.end + buffer }))
    .sort((a, b) => a.start - b.start);
  const free: Span[] = [];
  let from = window.start;
  for (const event of [...busy, { start: window.end, end: window.end }]) {
    const until = Math.min(event.start, window.end);
    if (until - from >= least) free.push({ start: from, end: until });
    from = Math.max(from, event.end);
  }
  return free;
}

/** As in RFC 3339, with the offset of a time zone in minutes: `2026-03-02T09:00:00+01:00`. */
export function written(seconds: number, offset: number): string {
  const local = new Date((seconds + offset * 60) * 1000).toISOString().slice(0, 19);
  if (offset === 0) return `${local}Z`;
  const two = (number: number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
  return `${local}${offset < 0 ? "-" : "+"}${two(hours)}:${two(minutes)}`;
}
