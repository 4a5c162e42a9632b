//! Reads documents: the job `sources.extract`.
