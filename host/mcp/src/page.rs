//! Pages of lists, in order of names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_contracts::ToolInfo;
use rmcp::ErrorData;
use rmcp::model::PaginatedRequestParams;

/// Entries of one page.
const PAGE: usize = 50;

/// A part of a list, and the cursor of the next one.
pub(crate) type Page<T> = (Vec<T>, Option<String>);

/// The entries after the one that the request's cursor names. `entry` makes one of a tool, where the tool is in the list.
pub(crate) fn page<T>(
    tools: &[ToolInfo],
    request: Option<PaginatedRequestParams>,
    entry: impl Fn(&ToolInfo) -> Option<T>,
) -> Result<Page<T>, ErrorData> {
    let after = request.and_then(|request| request.cursor).as_deref().map(read_cursor).transpose()?;
    let rest = tools.iter().filter(|tool| after.as_ref().is_none_or(|after| tool.name > *after));
    let mut rest = rest.filter_map(|tool| Some((&tool.name, entry(tool)?)));
    let listed: Vec<_> = rest.by_ref().take(PAGE).collect();
    let last = listed.last().filter(|_| rest.next().is_some());
    let next = last.map(|(name, _)| URL_SAFE_NO_PAD.encode(name));
    Ok((listed.into_iter().map(|(_, entry)| entry).collect(), next))
}

fn read_cursor(cursor: &str) -> Result<String, ErrorData> {
    let name = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| ErrorData::invalid_params("this cursor is not one that the list gave", None))
}
