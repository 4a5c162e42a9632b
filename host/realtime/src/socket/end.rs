//! Why a socket ends.

use super::frame::FrameError;

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed it.
    Closed,
    /// The connection broke.
    Gone,
    /// More waits for the client than may.
    Slow,
    /// The client takes nothing.
    Stalled,
    /// The client says nothing.
    Idle,
    /// A frame breaks the protocol of websockets.
    Protocol,
    /// A frame is no message of the protocol of channels.
    NoMessage,
    /// A frame is too large.
    TooLarge,
    /// The client joins too often.
    Joins,
    /// The host stops.
    Stopping,
}

impl End {
    /// The code and the text of the close frame; none where nobody would read it.
    pub(super) fn close(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Closed => Some((1000, "")),
            Self::Gone | Self::Stalled => None,
            Self::Slow => Some((1008, "too many messages wait for this socket; read faster")),
            Self::Idle => Some((1000, "no heartbeat came")),
            Self::Protocol => Some((1002, "")),
            Self::NoMessage => Some((1007, "this is no message of the protocol")),
            Self::TooLarge => Some((1009, "the message is too large")),
            Self::Joins => Some((1008, "too many joins per second")),
            Self::Stopping => Some((1012, "the server restarts")),
        }
    }

    /// The reason as metrics know it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Gone => "gone",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::Idle => "idle",
            Self::Protocol => "protocol",
            Self::NoMessage => "no_message",
            Self::TooLarge => "too_large",
            Self::Joins => "joins",
            Self::Stopping => "stopping",
        }
    }
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Protocol => Self::Protocol,
            FrameError::TooLarge => Self::TooLarge,
        }
    }
}
