//! `tracing`'s events as log lines of the host.

use alloc::string::String;
use core::fmt::{Debug, Write as _};
use core::sync::atomic::{AtomicU64, Ordering};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread_local;
use std::vec::Vec;

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Dispatch, Event, Interest, Level, Metadata, Subscriber, dispatcher};

/// Makes `tracing`'s macros write to the host's log. A subscriber that is there already stays.
pub fn install() {
    // Fails only where there is one.
    let _ = dispatcher::set_global_default(Dispatch::new(HostLog::default()));
}

thread_local! {
    /// The spans that were entered and not left, the outermost first.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// Writes an event as `outer{a=1}:inner: message b=2`.
#[derive(Default)]
struct HostLog {
    last_id: AtomicU64,
    spans: Mutex<BTreeMap<u64, Span>>,
}

struct Span {
    metadata: &'static Metadata<'static>,
    fields: Fields,
    handles: usize,
}

impl HostLog {
    fn spans(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for HostLog {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.spans().insert(id, Span { metadata: attributes.metadata(), fields, handles: 1 });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(span) = self.spans().get_mut(&span.into_u64()) {
            values.record(&mut span.fields);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        {
            let spans = self.spans();
            let entered: Vec<_> = ENTERED.with_borrow(Clone::clone);
            for span in entered.iter().filter_map(|id| spans.get(&id.into_u64())) {
                line.push_str(span.metadata.name());
                if !span.fields.named.is_empty() {
                    // Writing to a string cannot fail.
                    let _ = write!(line, "{{{}}}", span.fields.named);
                }
                line.push_str(": ");
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.push_str(&fields.message);
        if !fields.message.is_empty() && !fields.named.is_empty() {
            line.push(' ');
        }
        line.push_str(&fields.named);
        crate::log::write(level(*event.metadata().level()), &line);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.clone()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(index) = entered.iter().rposition(|id| id == span) {
                entered.remove(index);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = self.spans().get_mut(&id.into_u64()) {
            span.handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = self.spans();
        let is_last = spans.get_mut(&id.into_u64()).is_some_and(|span| {
            span.handles -= 1;
            span.handles == 0
        });
        if is_last {
            spans.remove(&id.into_u64());
        }
        is_last
    }

    fn current_span(&self) -> Current {
        let Some(id) = ENTERED.with_borrow(|entered| entered.last().cloned()) else { return Current::none() };
        match self.spans().get(&id.into_u64()) {
            Some(span) => Current::new(id, span.metadata),
            None => Current::none(),
        }
    }
}

/// The fields of an event or a span: the message, and the others as `name=value`.
#[derive(Default)]
struct Fields {
    message: String,
    named: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            let space = if self.named.is_empty() { "" } else { " " };
            write!(self.named, "{space}{}={value:?}", field.name())
        };
    }
}

fn level(level: Level) -> crate::log::Level {
    match level {
        Level::ERROR => crate::log::Level::Error,
        Level::WARN => crate::log::Level::Warn,
        Level::INFO => crate::log::Level::Info,
        Level::DEBUG => crate::log::Level::Debug,
        Level::TRACE => crate::log::Level::Trace,
    }
}

#[cfg(test)]
mod tests {
    use tracing::{debug, info, info_span, warn};

    use crate::mock::Host;

    #[test]
    fn an_event_is_a_log_line() {
        let host = Host::new();
        info!("plain");
        warn!(rows = 3, table = "notes", "cut after {} rows", 3);
        debug!(found = %"x");
        assert_eq!(host.log_lines(), ["info plain", r#"warn cut after 3 rows rows=3 table="notes""#, "debug found=x"]);
    }

    #[test]
    fn spans_stand_before_it() {
        let host = Host::new();
        let outer = info_span!("outer", id = 1, later = tracing::field::Empty).entered();
        info_span!("inner").in_scope(|| info!("both"));
        outer.record("later", true);
        info!("one");
        drop(outer);
        info!("none");
        assert_eq!(
            host.log_lines(),
            ["info outer{id=1}: inner: both", "info outer{id=1 later=true}: one", "info none"]
        );
    }
}
