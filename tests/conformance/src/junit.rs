//! The report as `JUnit` XML, for build servers.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as JunitReport, TestCase, TestCaseStatus, TestSuite};

use crate::report::{Report, Standing, Verdict};

impl Report {
    /// For build servers: a test case for each promise; what does not apply is skipped.
    pub fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        let mut suite = TestSuite::new(&self.facts.file);
        suite.add_test_cases(self.verdicts.iter().map(case));
        suite.add_property(("digest", self.facts.digest.as_str()));
        suite.add_property(("seed", self.seed.to_string().as_str()));
        for (name, value) in [
            ("size_bytes", self.measures.size_bytes),
            ("start_us", self.measures.start_us),
            ("memory_bytes", self.measures.memory_bytes),
        ] {
            suite.add_property((name, value.to_string().as_str()));
        }
        let mut report = JunitReport::new("behalf tool check");
        report.add_test_suite(suite);
        report.to_string()
    }
}

fn case(verdict: &Verdict) -> TestCase {
    let status = match verdict.standing {
        Standing::Kept => TestCaseStatus::success(),
        Standing::NotApplicable => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(verdict.reason.clone().unwrap_or_default());
            status
        }
        Standing::Broken => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let seen = |one: &crate::report::Broken| format!("{}\n  again: {}\n", one.seen, one.reproduce);
            let seen: String = verdict.broken.iter().map(seen).collect();
            status.set_message(verdict.promise.sentence);
            status.set_description(format!("{seen}fix: {}", verdict.promise.fix));
            status
        }
    };
    let mut case = TestCase::new(verdict.promise.id, status);
    case.set_classname("conformance").set_time(Duration::ZERO);
    case
}
