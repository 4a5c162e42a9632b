//! Resources: tools whose definitions name an address. To read one is to call its tool.

use behalf_contracts::{ToolInfo, ToolResource};
use rmcp::model::{ContentBlock, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::{Map, Value};

use crate::convert;

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

/// The resource of a tool, where it has one address.
pub(crate) fn resource(info: &ToolInfo) -> Option<Resource> {
    let ToolResource { uri, mime_type } = info.resource.as_ref().filter(|resource| !has_variables(resource))?;
    let mut resource = Resource::new(uri.as_str(), info.name.clone()).with_description(info.description.clone());
    (resource.title, resource.mime_type) = (info.title.clone(), mime_type.clone());
    Some(resource)
}

/// The resources of a tool, where their addresses have variables.
pub(crate) fn template(info: &ToolInfo) -> Option<ResourceTemplate> {
    let ToolResource { uri, mime_type } = info.resource.as_ref().filter(|resource| has_variables(resource))?;
    let mut template =
        ResourceTemplate::new(uri.as_str(), info.name.clone()).with_description(info.description.clone());
    (template.title, template.mime_type) = (info.title.clone(), mime_type.clone());
    Some(template)
}

fn has_variables(resource: &ToolResource) -> bool {
    resource.uri.variables().next().is_some()
}

/// The tool that an address belongs to, and the tool's arguments. An address of several tools is the first one's.
pub(crate) fn find<'a>(tools: &'a [ToolInfo], uri: &str) -> Option<(&'a ToolInfo, Map<String, Value>)> {
    tools.iter().find_map(|info| {
        let values = info.resource.as_ref()?.uri.values(uri)?;
        Some((info, convert::arguments(info, values)))
    })
}

/// What the tool answered as the content of its resource. None where it is a link, which has none.
pub(crate) fn contents(info: &ToolInfo, uri: &str, json: &str) -> Option<ReadResourceResult> {
    let declared = info.resource.as_ref().and_then(|resource| resource.mime_type.as_deref());
    let text = |text: &str, kind: &str| ResourceContents::text(text, uri).with_mime_type(declared.unwrap_or(kind));
    let value = serde_json::from_str::<Value>(json).unwrap_or_default();
    let contents = match (&value, convert::blocks(&value)) {
        (Value::String(answer), _) => vec![text(answer, TEXT)],
        (_, None) => vec![text(json, JSON)],
        (_, Some(blocks)) => blocks
            .into_iter()
            .map(|block| match block {
                ContentBlock::Text(block) => Some(text(&block.text, TEXT)),
                ContentBlock::Image(image) => {
                    Some(ResourceContents::blob(image.data, uri).with_mime_type(image.mime_type))
                }
                ContentBlock::Audio(audio) => {
                    Some(ResourceContents::blob(audio.data, uri).with_mime_type(audio.mime_type))
                }
                ContentBlock::Resource(embedded) => Some(embedded.resource),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?,
    };
    Some(ReadResourceResult::new(contents))
}
