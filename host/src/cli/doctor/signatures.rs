use crate::config::{PluginSignatures, Settings};
use crate::db::Finding;
use crate::tools::Signatures;

/// Whose plugins are taken.
pub(super) fn examine(settings: &Settings) -> Finding {
    const NAME: &str = "plugin-signatures";
    const MEND: &str =
        "set BEHALF_PLUGIN_KEYS to `ed25519:…` or to files with public keys; `behalf keys --signing FILE` makes a pair";
    let required = settings.plugin_signatures == PluginSignatures::Required;
    match Signatures::load(&settings.plugin_keys, required) {
        Err(error) => Finding::error(NAME, error.to_string(), MEND),
        Ok(signatures) if required => Finding::ok(NAME, format!("required, by one of {} keys", signatures.keys())),
        Ok(signatures) if signatures.keys() > 0 => Finding::warning(
            NAME,
            format!("{} keys are trusted, and a plugin without a signature is taken all the same", signatures.keys()),
            "set BEHALF_PLUGIN_SIGNATURES=required",
        ),
        Ok(_) => Finding::ok(NAME, "not required: whoever has the service key may register any component"),
    }
}
