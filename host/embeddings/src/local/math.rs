//! The loops over numbers that are not products of matrices, written so that the compiler makes vector instructions of them.
//!
//! Sums are kept in lanes, because additions of floats may not be reordered otherwise.

#![expect(clippy::inline_always, reason = "only inside of a dispatch are there wide instructions")]

/// Sums that are kept beside each other; as many floats as the widest registers hold.
const LANES: usize = 16;

/// Adds `bias` to each row of `x`.
pub(super) fn add_bias(x: &mut [f32], bias: &[f32]) {
    pulp::Arch::new().dispatch(|| {
        for row in x.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
        }
    });
}

/// `gelu(x + bias)` for each row of `x`.
pub(super) fn add_bias_and_gelu(x: &mut [f32], bias: &[f32]) {
    pulp::Arch::new().dispatch(|| {
        for row in x.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(x, b)| *x = gelu(*x + b));
        }
    });
}

/// A layer's normalisation of rows: the mean becomes 0, the variance 1, then `scale` and `shift`.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// What keeps a row of equal numbers from being divided by zero; the model was trained with it.
const EPSILON: f32 = 1e-12;

impl Norm {
    /// Normalises each row of `x + added + bias` into `x`.
    pub(super) fn apply(&self, x: &mut [f32], added: &[f32], bias: &[f32]) {
        let width = self.scale.len();
        pulp::Arch::new().dispatch(|| {
            for (row, added) in x.chunks_exact_mut(width).zip(added.chunks_exact(width)) {
                row.iter_mut().zip(added).zip(bias).for_each(|((x, a), b)| *x += a + b);
                self.normalise(row);
            }
        });
    }

    /// Normalises each row of `x`.
    pub(super) fn apply_alone(&self, x: &mut [f32]) {
        pulp::Arch::new().dispatch(|| x.chunks_exact_mut(self.scale.len()).for_each(|row| self.normalise(row)));
    }

    #[inline(always)]
    fn normalise(&self, row: &mut [f32]) {
        #[expect(clippy::cast_precision_loss, reason = "a row has a few hundred numbers")]
        let count = row.len() as f32;
        let mean = sum(row, |x| x) / count;
        row.iter_mut().for_each(|x| *x -= mean);
        let factor = (sum(row, |x| x * x) / count + EPSILON).sqrt().recip();
        for ((x, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
            *x = *x * factor * scale + shift;
        }
    }
}

/// Makes weights of each row of `width` numbers: positive, and their sum is 1.
pub(super) fn softmax(x: &mut [f32], width: usize) {
    pulp::Arch::new().dispatch(|| {
        for row in x.chunks_exact_mut(width) {
            let most = greatest(row);
            row.iter_mut().for_each(|x| *x = exp_of_negative(*x - most));
            let factor = sum(row, |x| x).recip();
            row.iter_mut().for_each(|x| *x *= factor);
        }
    });
}

/// Gives a vector the length 1. `None` if it has none.
pub(crate) fn normalised(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    // Squares of large floats leave the range of f32.
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !length.is_finite() || length < 1e-12 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "each is between -1 and 1")]
    vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    Some(vector)
}

#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let pieces = row.chunks_exact(LANES);
    let rest = pieces.remainder();
    for piece in pieces {
        lanes.iter_mut().zip(piece).for_each(|(lane, x)| *lane += of(*x));
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| of(*x)).sum::<f32>()
}

#[inline(always)]
fn greatest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let pieces = row.chunks_exact(LANES);
    let rest = pieces.remainder();
    for piece in pieces {
        lanes.iter_mut().zip(piece).for_each(|(lane, x)| *lane = if *x > *lane { *x } else { *lane });
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// The exponential function for numbers up to 0, within a few units in the last place.
#[inline(always)]
fn exp_of_negative(x: f32) -> f32 {
    // Adding this number rounds to a whole one, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts; the first has so few digits that its products are exact.
    const LN2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    // 1/n! from 7 down.
    const SERIES: [f32; 7] = [1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    // The smallest power of two that is not denormal is e^-87.3.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN2.0 - whole * LN2.1;
    let series = SERIES.iter().fold(0.0, |sum, factor| sum * rest + factor) * rest + 1.0;
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// `x · Φ(x)`, where Φ is the normal distribution. Φ comes from a quotient of polynomials in x² that was fitted to erf between
/// -4 and 4; beyond, erf is 1 in `f32`. The largest error is 1e-6.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    // From the highest power down.
    const P: [f32; 7] =
        [1.921_425_8e-8, -1.990_046e-6, 1.555_153_4e-4, 4.292_588_7e-3, 5.243_249_6e-2, 2.139_367_1e-1, 1.128_378_6];
    const Q: [f32; 5] = [1.097_887_9e-3, 1.555_036_1e-2, 1.207_963_5e-1, 5.229_241e-1, 1.0];
    let t = (x * std::f32::consts::FRAC_1_SQRT_2).clamp(-4.0, 4.0);
    let square = t * t;
    let value = |polynomial: &[f32]| polynomial.iter().fold(0.0, |sum, factor| sum * square + factor);
    0.5 * x * (1.0 + t * value(&P) / value(&Q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for n in 0..17_400_u16 {
            let x = -f32::from(n) / 200.0;
            let (ours, known) = (exp_of_negative(x), x.exp());
            assert!((ours - known).abs() <= known * 4e-7, "{x}: {ours} {known}");
        }
        assert!(exp_of_negative(-1e30) < 1e-37);
        assert!(exp_of_negative(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_is_within_a_millionth_of_its_table() {
        // x · (1 + erf(x / √2)) / 2, computed in double precision.
        for (x, known) in [
            (-6.0, -5.919_525_7e-9_f32),
            (-2.0, -0.045_500_264),
            (-1.0, -0.158_655_25),
            (-0.1, -0.046_017_216),
            (0.0, 0.0),
            (0.5, 0.345_731_23),
            (1.0, 0.841_344_7),
            (3.0, 2.995_950_3),
            (9.0, 9.0),
        ] {
            assert!((gelu(x) - known).abs() < 1.1e-6, "{x}: {} {known}", gelu(x));
        }
    }

    #[test]
    fn weights_of_a_row_add_up_to_one() {
        let mut x = vec![3.0, 1.0, 0.2, -40.0, 100.0, 100.0, 0.0, 0.0];
        softmax(&mut x, 4);
        for (ours, known) in x.iter().zip([0.836_018_8, 0.113_142_84, 0.050_838_35, 0.0, 0.5, 0.5, 0.0, 0.0_f32]) {
            assert!((ours - known).abs() < 1e-6, "{x:?}");
        }
    }

    #[test]
    fn rows_of_any_width_are_summed_whole() {
        let row: Vec<f32> = (1..=37_u8).map(f32::from).collect();
        assert!((sum(&row, |x| x) - 703.0).abs() < 1e-3);
        assert!((greatest(&row) - 37.0).abs() < 1e-6);
    }

    #[test]
    fn vectors_without_a_direction_have_no_length() {
        assert_eq!(normalised(vec![0.0; 3]), None);
        assert_eq!(normalised(vec![f32::NAN, 1.0]), None);
        assert_eq!(normalised(vec![f32::INFINITY, 1.0]), None);
        assert_eq!(normalised(vec![3e38, 0.0]), Some(vec![1.0, 0.0]));
        assert_eq!(normalised(vec![3.0, 4.0]), Some(vec![0.6, 0.8]));
    }
}
