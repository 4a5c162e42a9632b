//! Checks the keys that plugins are signed with.

use behalf_telemetry::Finding;

use crate::signature::Signatures;

/// Says which plugins the host accepts: `keys` are the trusted keys as the settings name them, and `required` says whether a
/// plugin needs a signature.
pub fn examine_signatures(keys: &[String], required: bool) -> Finding {
    const NAME: &str = "plugin-signatures";
    const FIX: &str =
        "set BEHALF_PLUGIN_KEYS to `ed25519:…` or to files with public keys; `behalf keys --signing FILE` makes a pair";
    match Signatures::load(keys, required) {
        Err(error) => Finding::error(NAME, error.to_string(), FIX),
        Ok(signatures) if required => Finding::ok(NAME, format!("required, by one of {} keys", signatures.keys())),
        Ok(signatures) if signatures.keys() > 0 => Finding::warning(
            NAME,
            format!("{} keys are trusted, and a plugin without a signature is taken all the same", signatures.keys()),
            "set BEHALF_PLUGIN_SIGNATURES=required",
        ),
        Ok(_) => Finding::ok(NAME, "not required: whoever has the service key may register any component"),
    }
}
