//! The hash of a blob's bytes, which becomes its `ETag`.

use md5::digest::Output;
use md5::digest::common::hazmat::{SerializableState as _, SerializedState};
use md5::{Digest as _, Md5};

/// MD5, as clients of Supabase Storage know it. It tells versions of an object apart and protects nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hash(Md5);

impl Hash {
    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The `ETag`, with its quotes.
    pub(crate) fn etag(self) -> String {
        let hash: Output<Md5> = self.0.finalize();
        format!("\"{}\"", hex::encode(hash))
    }

    /// What another host needs to go on.
    pub(crate) fn save(&self) -> String {
        hex::encode(self.0.serialize())
    }

    /// Goes on where [`Hash::save`] was called.
    pub(crate) fn resume(text: &str) -> Option<Self> {
        let bytes = hex::decode(text).ok()?;
        let state = SerializedState::<Md5>::try_from(bytes.as_slice()).ok()?;
        Md5::deserialize(&state).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_goes_on_at_another_host() {
        let mut whole = Hash::default();
        whole.update(b"one, two");
        let mut first = Hash::default();
        first.update(b"one,");
        let mut second = Hash::resume(&first.save()).expect("a state");
        second.update(b" two");
        assert_eq!(second.etag(), whole.etag());
        assert_eq!(Hash::default().etag(), "\"d41d8cd98f00b204e9800998ecf8427e\"");
        assert!(Hash::resume("00").is_none() && Hash::resume("no hex").is_none());
    }
}
