/** Numbers of a JSON text that JavaScript cannot hold. `JSON.parse` would round them without a word. */

/** A text without this has no number that could be rounded. */
const LONG = /[-+.\deE]{16}|\d[eE]/;

/** The first number in a JSON text that would be rounded, as it is written; undefined where there is none. */
export function roundedNumber(text) {
  if (!LONG.test(text)) return undefined;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === '"') {
      for (at += 1; at < text.length && text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    } else if (sign === "-" || (sign >= "0" && sign <= "9")) {
      const start = at;
      while (at + 1 < text.length && "0123456789+-.eE".includes(text[at + 1])) at += 1;
      const number = text.slice(start, at + 1);
      if (!isHeld(number)) return number;
    }
  }
  return undefined;
}

/** A whole number is held up to 2^53; a fraction, where it is what a program prints of a double, with however many digits. */
function isHeld(number) {
  const value = Number(number);
  if (!/[.eE]/.test(number)) return Number.isSafeInteger(value);
  const { digits, exponent } = decimal(number);
  if (digits === "") return true;
  if (!Number.isFinite(value) || digits.length > 100) return false;
  const held = decimal(value.toExponential(digits.length - 1));
  return held.digits === digits && held.exponent === exponent;
}

/** A number as its significant digits and the place of the first one. */
function decimal(number) {
  const [mantissa, power = "0"] = number.replace(/^-/, "").split(/[eE]/);
  const [whole, fraction = ""] = mantissa.split(".");
  const all = whole + fraction;
  const first = all.search(/[1-9]/);
  if (first < 0) return { digits: "", exponent: 0 };
  return { digits: all.slice(first).replace(/0+$/, ""), exponent: Number(power) + whole.length - first };
}
