//! The callers of a check: two users with rows, an anonymous caller and the service role.

/// The word that marks text of Alice's in every fixture.
pub const ALICE_MARK: &str = "mark_alice_";

/// The word that marks text of Bob's.
pub const BOB_MARK: &str = "mark_bob_";

/// Alice's `sub`.
pub const ALICE: &str = "a11ce000-0000-4000-8000-000000000001";

/// Bob's `sub`.
pub const BOB: &str = "b0b00000-0000-4000-8000-000000000002";

/// The caller in whose name a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A user with rows.
    Alice,
    /// Another user with rows.
    Bob,
    /// A caller without a user: the holder of the public key.
    Anon,
    /// The app's back end, who may see everything.
    Service,
}

impl Caller {
    /// The caller's name in commands and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Anon => "anon",
            Self::Service => "service_role",
        }
    }

    /// The user's id, where the caller is one.
    pub fn subject(self) -> Option<&'static str> {
        match self {
            Self::Alice => Some(ALICE),
            Self::Bob => Some(BOB),
            Self::Anon | Self::Service => None,
        }
    }
}
