//! Pages turned so that their text runs from left to right.

/// The page of a file that does not say how large it is, as the library takes it.
pub(super) const LETTER: [f64; 4] = [0.0, 0.0, 612.0, 792.0];

/// A turn by quarters against the clock that leaves the page where it is.
pub(super) struct Turn {
    quarters: u8,
    matrix: [f64; 6],
}

impl Turn {
    /// For a page with these sides: left, bottom, right, top.
    pub(super) fn new(quarters: u8, [left, bottom, right, top]: [f64; 4]) -> Self {
        let matrix = match quarters % 4 {
            1 => [0.0, 1.0, -1.0, 0.0, bottom + top, 0.0],
            2 => [-1.0, 0.0, 0.0, -1.0, left + right, bottom + top],
            3 => [0.0, -1.0, 1.0, 0.0, 0.0, left + right],
            _ => [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        };
        Self { quarters, matrix }
    }

    /// The operator that turns what comes after it.
    pub(super) fn operator(&self) -> String {
        if self.quarters == 0 {
            return String::new();
        }
        let numbers = self.matrix.map(|number| number.to_string());
        format!("{} cm ", numbers.join(" "))
    }

    /// Where sides are then.
    pub(super) fn sides(&self, [left, bottom, right, top]: [f64; 4]) -> [f64; 4] {
        let (one, other) = (moved(&self.matrix, left, bottom), moved(&self.matrix, right, top));
        [one.0.min(other.0), one.1.min(other.1), one.0.max(other.0), one.1.max(other.1)]
    }
}

/// Where a matrix moves a point.
pub(super) fn moved(matrix: &[f64; 6], x: f64, y: f64) -> (f64, f64) {
    (matrix[0] * x + matrix[2] * y + matrix[4], matrix[1] * x + matrix[3] * y + matrix[5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stays_where_it_is() {
        let sides = [10.0, 20.0, 110.0, 220.0];
        let turned = [20.0, 10.0, 220.0, 110.0];
        for (quarters, expected) in [(0, sides), (1, turned), (2, sides), (3, turned), (4, sides)] {
            let moved = Turn::new(quarters, sides).sides(sides);
            assert!(moved.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{quarters}: {moved:?}");
        }
        assert_eq!(Turn::new(1, sides).operator(), "0 1 -1 0 240 0 cm ");
        assert_eq!(Turn::new(0, sides).operator(), "");
    }
}
