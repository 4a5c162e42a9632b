/**
 * Expenses in one currency. No statement here names a user: row-level security leaves only the expenses of the person the call is for. The
 * rates are kept for all callers, because everybody gets the same ones.
 */

import { ToolError, commit, defineTool, exportTools, kv, query } from "behalf-sdk";

import { fetchRates, isOutage, isRates } from "./rates.js";

const KEY = "latest";
const MINUTE = 60_000;

/** Rates that are older are no answer any more, also where the server is out of reach. */
const OLDEST = 7 * 24 * 60 * MINUTE;

// The database calculates, because numbers of JavaScript would round. Amounts leave it in hundredths, as integers, so that their sum is exact.
const EXPENSES = `
  with rate as (select key as currency, value::numeric as units from jsonb_each_text($1::jsonb)),
  wanted as (select units from rate where currency = $2),
  period as (select coalesce($3::text || '-01', to_char(current_date, 'YYYY-MM-01'))::date as first)
  select coalesce(nullif(e.category, ''), 'uncategorised') as category, e.currency, count(*) as expenses,
    sum(e.amount)::text as total, round(sum(e.amount) * max(wanted.units) / max(rate.units) * 100)::bigint as converted
  from period
    cross join wanted
    join public.expenses e on e.spent_on >= period.first and e.spent_on < period.first + interval '1 month'
    left join rate on rate.currency = e.currency
  where e.amount is not null and e.currency is not null
  group by 1, 2
  order by 1, 2`;

const TEXT_OF_AMOUNT = { type: "string", pattern: "^-?[0-9]+\\.[0-9]{2}$" };

export const convertExpenses = defineTool({
  name: "convert_expenses",
  title: "Expenses in one currency",
  description:
    "Adds up the current user's expenses of a month in one currency, in all and by category, with today's exchange rates. Use it where a user has expenses in several currencies; use spending_report for those of one.",
  input: {
    type: "object",
    properties: {
      currency: { type: "string", pattern: "^[A-Z]{3}$", description: "The currency to convert to, as its ISO 4217 code.", examples: ["EUR"] },
      month: {
        type: "string",
        pattern: "^[0-9]{4}-(0[1-9]|1[0-2])$",
        description: "The month of the expenses as YYYY-MM; the current one if left out.",
        examples: ["2025-03"],
      },
    },
    required: ["currency"],
    additionalProperties: false,
  },
  output: {
    type: "object",
    properties: {
      currency: { type: "string" },
      rates_as_of: { type: "string", description: "When the rates were made." },
      rates_are_old: { type: "boolean", description: "Whether the rates server was out of reach, so that these are older ones." },
      total: { ...TEXT_OF_AMOUNT, description: "Of all expenses that could be converted." },
      expenses: { type: "integer", description: "How many those are." },
      categories: {
        type: "array",
        description: "The most expensive first.",
        items: {
          type: "object",
          properties: { category: { type: "string" }, total: TEXT_OF_AMOUNT, expenses: { type: "integer" } },
          required: ["category", "total", "expenses"],
          additionalProperties: false,
        },
      },
      not_converted: {
        type: "array",
        description: "What has no rate, and is missing in the total.",
        items: {
          type: "object",
          properties: { category: { type: "string" }, currency: { type: "string" }, total: { type: "string" }, expenses: { type: "integer" } },
          required: ["category", "currency", "total", "expenses"],
          additionalProperties: false,
        },
      },
      truncated: { type: "boolean", description: "Whether there were more expenses than could be read." },
    },
    required: ["currency", "rates_as_of", "rates_are_old", "total", "expenses", "categories", "not_converted", "truncated"],
    additionalProperties: false,
  },
  // It writes, but nothing of a user: it keeps the rates, and a call with the same ones changes nothing.
  destructive: false,
  idempotent: true,
  openWorld: true,

  async call({ currency, month }, { settings }) {
    if (month !== undefined && month < "0001-01") throw ToolError.invalidArguments(`There is no month ${month}.`);
    const { rates, isNew, isOld } = await currentRates(settings);
    if (!Object.hasOwn(rates.rates, currency)) {
      throw ToolError.invalidArguments(`There is no rate of ${currency}; give the ISO 4217 code of a currency that is in use.`);
    }
    const rows = query(EXPENSES, rates.rates, currency, month);
    // Last, because other calls that write wait from here to the end of this one.
    if (isNew) kv.set(KEY, rates);
    console.info(`${rows.length} sums`);
    return { currency, rates_as_of: rates.as_of, rates_are_old: isOld, ...sums(rows), truncated: rows.truncated };
  },
});

/** The rates that are kept, or the server's where those are too old. */
async function currentRates(settings) {
  const now = Date.now();
  const value = kv.get(KEY);
  const kept = isRates(value) ? value : undefined;
  const age = kept === undefined ? Infinity : now - kept.fetched;
  if (age < maxAge(settings) && age >= 0) return { rates: kept, isNew: false, isOld: false };
  // Reading the store has begun a transaction, which must not wait for a server.
  commit();
  try {
    return { rates: await fetchRates(ratesUrl(settings), now), isNew: true, isOld: false };
  } catch (error) {
    if (kept === undefined || age > OLDEST || !isOutage(error)) throw error;
    console.warn(`older rates are used: ${error.message}`);
    return { rates: kept, isNew: false, isOld: true };
  }
}

function sums(rows) {
  const categories = new Map();
  const not_converted = [];
  for (const { category, currency, expenses, total, converted } of rows) {
    if (converted === null) {
      not_converted.push({ category, currency, total, expenses });
      continue;
    }
    const sum = categories.get(category) ?? { category, hundredths: 0n, expenses: 0 };
    sum.hundredths += BigInt(converted);
    sum.expenses += expenses;
    categories.set(category, sum);
  }
  const all = [...categories.values()].sort((a, b) => (a.hundredths === b.hundredths ? 0 : a.hundredths < b.hundredths ? 1 : -1));
  return {
    total: amount(all.reduce((sum, { hundredths }) => sum + hundredths, 0n)),
    expenses: all.reduce((sum, { expenses }) => sum + expenses, 0),
    categories: all.map(({ category, hundredths, expenses }) => ({ category, total: amount(hundredths), expenses })),
    not_converted,
  };
}

function amount(hundredths) {
  const digits = String(hundredths < 0n ? -hundredths : hundredths).padStart(3, "0");
  return `${hundredths < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function maxAge({ max_age_minutes = 360 }) {
  if (!Number.isFinite(max_age_minutes) || max_age_minutes < 1) {
    throw new ToolError("The plugin's setting `max_age_minutes` has to be a number from 1 on; an operator can change it.");
  }
  return max_age_minutes * MINUTE;
}

function ratesUrl({ rates_url = "https://openexchangerates.org/api/latest.json" }) {
  if (typeof rates_url !== "string") {
    throw new ToolError("The plugin's setting `rates_url` has to be the address of the rates; an operator can change it.");
  }
  return rates_url;
}

export const tool = exportTools(convertExpenses);
