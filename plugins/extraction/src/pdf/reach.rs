//! How far a piece of text can reach, so that no text is longer than any page.
//!
//! The layout takes memory for each point between the texts that are the farthest apart. Places outside of the page do
//! not count for it, but the end of a text does.

/// Most points from the beginning of a text to its end, with each character as wide as the widest of its font. A page has
/// at most 14,400.
pub(super) const MAX_REACH: f64 = 250_000.0;
/// Most saved states.
const MAX_STATES: usize = 10_000;

/// The numbers and the text that an operator has.
#[derive(Clone, Copy, Default)]
pub(super) struct Operands {
    /// The last numbers outside of arrays, the last one at the end.
    pub(super) last: [f64; 6],
    /// How many numbers there are outside of arrays.
    pub(super) count: usize,
    /// The sum of the numbers in arrays, without their signs.
    pub(super) moved: f64,
    /// Bytes of text.
    pub(super) text: usize,
    /// Whether a number is larger than any that a page needs.
    pub(super) is_wild: bool,
}

impl Operands {
    /// Adds a number, and gives it.
    pub(super) fn push(&mut self, number: &[u8], in_array: bool) -> f64 {
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok()).unwrap_or_default();
        self.is_wild |= !number.is_finite() || number.abs() > 1e7;
        if in_array {
            self.moved += number.abs();
        } else {
            self.last.rotate_left(1);
            self.last[5] = number;
            self.count += 1;
        }
        number
    }
}

/// Whether an operator has as many numbers as it needs. With others it is not known here what the library makes of it.
pub(super) fn is_complete(operator: &[u8], operands: &Operands) -> bool {
    let needed = match operator {
        b"cm" | b"Tm" => 6,
        b"Tf" | b"Tz" | b"Tc" | b"Tw" => 1,
        b"\"" => 2,
        _ => return true,
    };
    operands.count == needed
}

/// What of the state of a page makes its text larger.
pub(super) struct State {
    /// The scales of the saved states, and that of this one.
    scales: Vec<f64>,
    text_scale: f64,
    size: f64,
    widest: f64,
    stretch: f64,
    letter_space: f64,
    word_space: f64,
}

impl State {
    pub(super) fn new() -> Self {
        let (letter_space, word_space) = (0.0, 0.0);
        Self { scales: vec![1.0], text_scale: 1.0, size: 0.0, widest: 1.0, stretch: 1.0, letter_space, word_space }
    }

    /// The scale of what is painted now.
    pub(super) fn scale(&self) -> f64 {
        self.scales.last().copied().unwrap_or(1.0)
    }

    /// Follows an operator.
    pub(super) fn follow(&mut self, operator: &[u8], operands: &Operands) {
        let last = operands.last[5];
        match operator {
            b"q" if self.scales.len() < MAX_STATES => self.scales.push(self.scale()),
            b"Q" if self.scales.len() > 1 => drop(self.scales.pop()),
            b"cm" => {
                let scale = scale_of(&operands.last);
                if let Some(last) = self.scales.last_mut() {
                    *last *= scale;
                }
            }
            b"BT" => self.text_scale = 1.0,
            b"Tm" => self.text_scale = scale_of(&operands.last),
            b"Tf" => self.size = last.abs(),
            b"Tz" => self.stretch = last.abs() / 100.0,
            b"Tc" => self.letter_space = last.abs(),
            b"Tw" => self.word_space = last.abs(),
            b"\"" => (self.word_space, self.letter_space) = (operands.last[4].abs(), last.abs()),
            _ => {}
        }
    }

    /// Says how many ems the widest character of the font has.
    pub(super) fn widen(&mut self, ems: f64) {
        self.widest = ems;
    }

    /// How far a text reaches at most.
    #[expect(clippy::cast_precision_loss, reason = "a text is shorter than 2^52 bytes")]
    pub(super) fn reach(&self, operands: &Operands) -> f64 {
        let each = self.size * self.widest * self.stretch + self.letter_space + self.word_space;
        let moved = self.size * self.stretch * operands.moved / 1000.0;
        (each * operands.text as f64 + moved) * self.text_scale * self.scale()
    }
}

/// How much longer a matrix makes anything at most.
pub(super) fn scale_of(matrix: &[f64; 6]) -> f64 {
    let [a, b, c, d, ..] = matrix.map(f64::abs);
    (a + c).max(b + d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operands(numbers: &str, text: usize) -> Operands {
        let mut operands = Operands { text, ..Operands::default() };
        for number in numbers.split_whitespace() {
            operands.push(number.as_bytes(), false);
        }
        operands
    }

    #[test]
    fn scales_and_sizes_multiply() {
        let mut state = State::new();
        let numbers =
            [("q", ""), ("cm", "2 0 0 2 9 9"), ("BT", ""), ("Tf", "12"), ("Tm", "0 3 -3 0 1 1"), ("Tz", "50")];
        for (operator, numbers) in numbers {
            state.follow(operator.as_bytes(), &operands(numbers, 0));
        }
        let near = |reach: f64, expected: f64| assert!((reach - expected).abs() < 1e-6, "{reach} is not {expected}");
        near(state.reach(&operands("", 10)), 10.0 * 12.0 * 0.5 * 2.0 * 3.0);
        state.follow(b"Q", &operands("", 0));
        state.follow(b"Q", &operands("", 0));
        state.follow(b"Tc", &operands("-4", 0));
        near(state.reach(&operands("", 1)), (12.0 * 0.5 + 4.0) * 3.0);
        let mut moved = operands("", 0);
        moved.push(b"-2000", true);
        near(state.reach(&moved), 2.0 * 12.0 * 0.5 * 3.0);
    }

    #[test]
    fn numbers_beyond_any_page_are_wild() {
        assert!(operands("99999999999999999999999999999999999999999999", 0).is_wild);
        assert!(operands("-10000001", 0).is_wild);
        assert!(!operands("5 .5 -.5 1.2.3", 0).is_wild);
        assert!(is_complete(b"cm", &operands("1 0 0 1 0 0", 0)));
        assert!(!is_complete(b"cm", &operands("1 0 0 1.0 0", 0)));
        assert!(is_complete(b"re", &operands("", 0)));
    }
}
