//! Size, start and memory, compared with the project's bounds.

use crate::suite::Suite;
use crate::test_bed::TestBed;

impl<G: TestBed> Suite<'_, G> {
    /// Compares what was measured with the project's bounds.
    pub(crate) fn measure(&mut self) {
        let bounds = self.project.bounds;
        let start_us = bounds.start_ms.map(|ms| ms.saturating_mul(1000));
        for (id, measured, bound, unit) in [
            ("measure.size", self.measures.size_bytes, bounds.size_bytes, "bytes"),
            ("measure.start", self.measures.start_us, start_us, "us"),
            ("measure.memory", self.measures.memory_bytes, bounds.memory_bytes, "bytes"),
        ] {
            let Some(bound) = bound.filter(|_| measured > 0) else { continue };
            self.findings.checked(id);
            if measured > bound {
                self.findings.broken(
                    id,
                    format!("{measured} {unit}, where {bound} are allowed"),
                    self.reproduce.check(id),
                );
            }
        }
    }
}
