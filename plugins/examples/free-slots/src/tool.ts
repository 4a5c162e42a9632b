/**
 * Free time in the caller's calendar. No statement here names a user: row-level security leaves only the events of the person the call is
 * for.
 */

import { ToolError, defineTool, exportTools, query } from "behalf-sdk";
import * as Type from "typebox";

import { freeSpans, written } from "./slots.js";

const MAX_DAYS = 62;

interface Day {
  opens: number;
  closes: number;
  opens_offset: number;
  closes_offset: number;
  /** Pairs of start and end. */
  busy: [number, number][];
}

// The database knows time zones, and when their clocks change; a component does not. An event counts for each day that it touches, with the
// time before and after it.
const DAYS = `
  with day as (
    select (d::date + $3::time) at time zone $5::text as opens, (d::date + $4::time) at time zone $5::text as closes
    from generate_series($1::date::timestamp, $2::date::timestamp, interval '1 day') as d
    where $6::boolean or extract(isodow from d) < 6
  )
  select extract(epoch from opens)::bigint as opens, extract(epoch from closes)::bigint as closes,
    extract(epoch from (opens at time zone $5::text) - (opens at time zone 'UTC'))::bigint as opens_offset,
    extract(epoch from (closes at time zone $5::text) - (closes at time zone 'UTC'))::bigint as closes_offset,
    coalesce((
      select jsonb_agg(jsonb_build_array(extract(epoch from e.starts_at)::bigint, extract(epoch from e.ends_at)::bigint))
      from public.events e
      where not coalesce(e.is_free, false)
        and e.starts_at < day.closes + make_interval(mins => $7::int) and e.ends_at > day.opens - make_interval(mins => $7::int)
    ), '[]') as busy
  from day
  order by opens`;

const Day = (description: string) =>
  Type.String({ pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description, examples: ["2026-03-02"] });
const Time = (description: string) => Type.String({ pattern: "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description });

export const freeSlots = defineTool({
  name: "free_slots",
  title: "Find free time",
  description:
    "When the current user has time: gaps between the events of the user's calendar, within working hours, of at least some minutes. Use it before suggesting a time for a meeting. It shows no event.",
  input: Type.Object(
    {
      from: Day("The first day, as YYYY-MM-DD."),
      to: Type.Optional(Day("The last day, as YYYY-MM-DD; the first day if left out. At most 62 days.")),
      minutes: Type.Optional(Type.Integer({ minimum: 5, maximum: 1440, description: "How long a gap has to be; 30 if left out." })),
      day_start: Type.Optional(Time("When a day begins, as HH:MM; 09:00 if left out.")),
      day_end: Type.Optional(Time("When a day ends, as HH:MM; 17:00 if left out.")),
      weekends: Type.Optional(Type.Boolean({ description: "Whether Saturdays and Sundays count; they do not if left out." })),
      buffer_minutes: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 120, description: "How long to stay free before and after each event; 0 if left out." }),
      ),
      time_zone: Type.Optional(
        Type.String({
          pattern: "^[A-Za-z][A-Za-z0-9_+/-]{0,63}$",
          description: "Whose hours are meant, such as Europe/Zurich; the app's if left out.",
          examples: ["Europe/Zurich"],
        }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "How many gaps at most; 20 if left out." })),
    },
    { additionalProperties: false },
  ),
  output: Type.Object(
    {
      time_zone: Type.String(),
      slots: Type.Array(
        Type.Object(
          {
            starts_at: Type.String({ description: "With the offset of the time zone." }),
            ends_at: Type.String(),
            minutes: Type.Integer(),
          },
          { additionalProperties: false },
        ),
        { maxItems: 100, description: "The earliest first." },
      ),
      truncated: Type.Boolean({ description: "Whether later gaps were left out." }),
    },
    { additionalProperties: false },
  ),
  readOnly: true,
  idempotent: true,

  call({ from, to = from, minutes = 30, day_start = "09:00", day_end = "17:00", weekends = false, buffer_minutes = 0, ...more }, context) {
    const { time_zone = timeZone(context.settings), limit = 20 } = more;
    const days = (time("to", to) - time("from", from)) / 86_400_000 + 1;
    if (days < 1) throw ToolError.invalidArguments(`"from" (${from}) is after "to" (${to}); swap them.`);
    if (days > MAX_DAYS) throw ToolError.invalidArguments(`These are ${days} days, and ${MAX_DAYS} is the most; ask for fewer.`);
    // Texts of one form, so their order is that of the times.
    if (day_start >= day_end) {
      throw ToolError.invalidArguments(`A day cannot end at ${day_end} that begins at ${day_start}.`);
    }
    const found = query<Day>(DAYS, from, to, day_start, day_end, time_zone, weekends, buffer_minutes);
    const slots = found.flatMap(({ opens, closes, opens_offset, closes_offset, busy }) => {
      // On the day when the clocks change within working hours, only UTC is right for both ends. Before about 1900, offsets had seconds.
      const offset = opens_offset === closes_offset && opens_offset % 60 === 0 ? opens_offset / 60 : 0;
      const events = busy.map(([start, end]) => ({ start, end }));
      return freeSpans({ start: opens, end: closes }, events, minutes * 60, buffer_minutes * 60).map(({ start, end }) => ({
        starts_at: written(start, offset),
        ends_at: written(end, offset),
        minutes: Math.floor((end - start) / 60),
      }));
    });
    console.info(`${slots.length} gaps in ${found.length} days`);
    return { time_zone, slots: slots.slice(0, limit), truncated: found.truncated || slots.length > limit };
  },
});

/** The pattern lets the 31st of February through, which the database would refuse less kindly. */
function time(name: string, day: string): number {
  const found = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(found.getTime()) || found.toISOString().slice(0, 10) !== day || day < "0001-01-01") {
    throw ToolError.invalidArguments(`"${name}" is no day of the calendar: ${day}.`);
  }
  return found.getTime();
}

function timeZone(settings: Record<string, unknown>): string {
  const zone = settings["time_zone"] ?? "UTC";
  if (typeof zone !== "string" || zone === "") {
    throw new ToolError("The plugin's setting `time_zone` has to be the name of a time zone; an operator can change it.");
  }
  return zone;
}

export const tool = exportTools(freeSlots);
