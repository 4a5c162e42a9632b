//! Why a request was not sent, for the author of its tool and for the operator: what was asked, what is granted, and what to change.
//! The guest gets WASI's code for it, which has no room for words.

use http::Method;

use super::grant::HttpMethods;
use super::records::EgressRecord;
use super::send::HttpGrant;
use crate::capabilities::LogLine;
use crate::egress::Target;

/// Granted hosts that are listed.
const MAX_HOSTS: usize = 8;

/// The level of these lines in the log of a call.
const LEVEL: &str = "host";

/// Why a request that is well formed may not be sent; none where it may.
pub(super) fn denial(target: &Target, method: &Method, grant: &HttpGrant) -> Option<String> {
    if !target.is_granted(&grant.hosts) {
        let list = |quote: &str| {
            let hosts = grant.hosts.iter().take(MAX_HOSTS).map(|host| format!("{quote}{host}{quote}"));
            hosts.collect::<Vec<_>>().join(", ")
        };
        let more = grant.hosts.len().saturating_sub(MAX_HOSTS);
        let (granted, more) = (list(""), if more == 0 { String::new() } else { format!(" and {more} more") });
        let fix = format!("in plugin.toml, [grants.http]: hosts = [{}, \"{}\"]", list("\""), target.authority());
        return Some(format!("granted are {granted}{more}; {fix}"));
    }
    match grant.methods {
        methods if methods.allow(method) => None,
        HttpMethods::None => {
            Some("the tool says in its definition that it sends none (`openWorldHint: false`)".to_owned())
        }
        _ => Some(
            "the tool says in its definition that it only reads (`readOnlyHint`), so it may send GET and HEAD"
                .to_owned(),
        ),
    }
}

/// What the log of the call says of its requests that were not sent.
pub(crate) fn log_lines(records: &[EgressRecord]) -> impl Iterator<Item = LogLine> {
    records.iter().filter_map(|record| {
        let EgressRecord { method, host, port, reason, .. } = record;
        let reason = reason.as_ref()?;
        Some(LogLine { level: LEVEL, message: format!("{method} to {host}:{port} was not sent: {reason}").into() })
    })
}

/// The reason where a granted name leads to an address that no request may go to.
pub(super) const PRIVATE: &str = "the host's address is in a private network, which the operator has to allow";
