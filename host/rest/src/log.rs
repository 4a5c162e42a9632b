//! The log of requests: each leaves a row, also where its client went away.

use std::time::Instant;

use behalf_caller_db::{AppLog, AppRecord};
use behalf_identity::Principal;
use uuid::Uuid;

/// The row of a request that is under way. It is added to the log when this is dropped.
pub(crate) struct Logged<'a> {
    log: &'a AppLog,
    record: AppRecord,
    begun: Instant,
    /// The part of the reads that is kept.
    kept_reads: f64,
    is_read: bool,
}

impl<'a> Logged<'a> {
    pub(crate) fn begin(
        log: &'a AppLog,
        principal: &Principal,
        request_id: &str,
        method: &'static str,
        kept_reads: f64,
    ) -> Self {
        let request_id = Uuid::try_parse(request_id).unwrap_or_else(|_| Uuid::now_v7());
        let mut record = AppRecord::begin(principal, request_id, method);
        // Until a plan says it, nothing of the request is known to hold no values.
        "not planned".clone_into(&mut record.shape);
        Self { log, record, begun: Instant::now(), kept_reads, is_read: false }
    }

    /// The request was planned.
    pub(crate) fn planned(&mut self, shape: &str, is_read: bool) {
        shape.clone_into(&mut self.record.shape);
        self.is_read = is_read;
        self.record.code = None;
    }

    /// The request was answered.
    pub(crate) fn answered(&mut self, status: u16, rows: Option<i64>, transaction: Option<String>) {
        self.record.status = Some(status.into());
        self.record.rows = rows;
        self.record.transaction_id = transaction;
    }

    /// The request failed.
    pub(crate) fn failed(&mut self, (status, code): (u16, String)) {
        self.record.status = Some(status.into());
        self.record.code = Some(code);
    }

    /// Whether the row is kept: all but some of the reads that were answered.
    fn is_kept(&self) -> bool {
        let went_well = self.record.status.is_some_and(|status| status < 400);
        if !self.is_read || !went_well || self.kept_reads >= 1.0 {
            return true;
        }
        // The last bits of the id are random.
        let bits = u32::try_from(self.record.request_id.as_u128() & 0xffff_ffff).unwrap_or_default();
        f64::from(bits) < self.kept_reads * f64::from(u32::MAX)
    }
}

impl Drop for Logged<'_> {
    fn drop(&mut self) {
        if self.is_kept() {
            let mut record = std::mem::take(&mut self.record);
            record.duration_us = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX);
            self.log.add(record);
        }
    }
}
