//! What the tools say of themselves, beside what the component imports and what its project asks for.

use crate::suite::Suite;
use crate::test_bed::TestBed;
use crate::tool::Tool;

/// Grants of a right to write: where they stand, and how they are written in `plugin.toml`.
const WRITING: [(&str, &str); 3] = [
    ("/database/access", "access = \"write\" of [grants.database]"),
    ("/storage/access", "access = \"write\" of [grants.storage]"),
    ("/memory", "memory = \"write\" of [grants]"),
];

impl<G: TestBed> Suite<'_, G> {
    /// Compares the hints of all tools with the imports and the grants.
    pub(crate) fn claims(&mut self) {
        self.closed_world();
        self.unneeded_grants();
    }

    /// A component that imports HTTP and lets no tool send a request.
    fn closed_world(&mut self) {
        const ID: &str = "annotations.open_world";
        let sends = self.test_bed.facts().imports("wasi:http/outgoing-handler");
        if !sends || !self.tools.iter().any(Tool::is_closed) {
            return;
        }
        self.findings.checked(ID);
        if self.tools.iter().all(Tool::is_closed) {
            let seen = "the component imports wasi:http/outgoing-handler, and every tool declares openWorldHint: false";
            self.findings.broken(ID, seen, self.reproduce.inspect());
        }
    }

    /// A project that asks for a right to write where every tool says that it only reads.
    fn unneeded_grants(&mut self) {
        const ID: &str = "grants.needed";
        if !self.project.own_grants {
            return;
        }
        let only_reads = self.tools.iter().all(|tool| tool.read_only);
        for (place, written) in WRITING {
            if self.project.setup.grants.pointer(place).is_none_or(|access| access != "write") {
                continue;
            }
            self.findings.checked(ID);
            if only_reads {
                let seen = format!("plugin.toml asks for {written}, and every tool declares readOnlyHint: true");
                self.findings.broken(ID, seen, self.reproduce.check(ID));
            }
        }
    }
}
