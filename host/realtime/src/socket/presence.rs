//! A client says who is present, and hears who is.

use std::sync::Arc;

use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use serde_json::value::RawValue;

use super::session::{Answer, Ended, Session, json};
use crate::channel::{ChannelId, ToChannel};
use crate::protocol::{Incoming, decode, encode, is_fit};

/// Does what a `presence` message asks for.
pub(super) fn begin(session: &mut Session, message: &Incoming, at: usize) {
    let (id, share) = (session.channels[at].id(), Arc::clone(&session.channels[at].identity.share));
    let Some((event, payload)) = json(message).and_then(decode::presence) else {
        // As upstream, which asks for nothing but an event.
        session.reply(message, true, "{}");
        return;
    };
    if !share.presence() {
        metric::realtime_refused("presence");
        session.shut_down(id, "Too many presence messages per second");
        return;
    }
    match &*event {
        "track" => track(session, message, at, payload),
        "untrack" => untrack(session, message, at),
        _ => session.refuse(message, "UnknownPresenceEvent: a presence is tracked or untracked"),
    }
}

fn track(session: &mut Session, message: &Incoming, at: usize, payload: Option<Box<RawValue>>) {
    let channel = &session.channels[at];
    let Some(meta) = payload.or_else(|| RawValue::from_string("{}".to_owned()).ok()) else { return };
    let refusal = if !channel.rights.write_presence {
        Some("Unauthorized: You do not have permissions to write presence to this Channel topic")
    } else if !meta.get().starts_with('{') {
        Some("Presence track payload must be a map")
    } else if !is_fit(meta.get().as_bytes()) {
        Some("the payload is no JSON that every client can read")
    } else {
        None
    };
    if let Some(reason) = refusal {
        metric::realtime_refused("presence");
        session.refuse(message, reason);
        return;
    }
    if meta.get().len() > session.realtime.options.max_message_bytes {
        let id = channel.id();
        session.shut_down(id, "Track message size exceeded");
        return;
    }
    // Who is present hears who else is.
    let enters = !channel.presence;
    let channel = &mut session.channels[at];
    channel.is_busy = true;
    channel.presence = true;
    let (id, handle, key) = (channel.id(), channel.handle.clone(), channel.presence_key.clone());
    let (presence, answer) = (session.realtime.presence.clone(), Answer::to(message));
    session.start(async move {
        let tracked = async {
            if enters {
                presence.enter(&handle).await?;
            }
            presence.track(&handle, &key, &meta).await
        };
        let tracked = tracked.await;
        ended(id, answer, tracked.map_err(|error| error.to_string()))
    });
}

fn untrack(session: &mut Session, message: &Incoming, at: usize) {
    let channel = &mut session.channels[at];
    channel.is_busy = true;
    let (id, handle) = (channel.id(), channel.handle.clone());
    let (presence, answer) = (session.realtime.presence.clone(), Answer::to(message));
    session.start(async move {
        let done = presence.untrack(&handle).await;
        ended(id, answer, done.map_err(|error| error.to_string()))
    });
}

/// Frees the channel and answers. The error is the reason for the client.
fn ended(id: ChannelId, answer: Answer, done: Result<(), String>) -> Ended {
    Box::new(move |session: &mut Session| {
        if let Some(channel) = session.channel(id) {
            channel.is_busy = false;
        }
        let version = session.version();
        session.put(match done {
            Ok(()) => answer.frame(version, true, "{}"),
            Err(reason) => {
                metric::realtime_refused("presence");
                answer.frame(version, false, &encode::reason(&format!("UnableToTrackPresence: {reason}")))
            }
        });
    })
}

/// Tells a channel that has joined who is there, if it wants to know and may.
pub(super) fn enter(session: &mut Session, id: ChannelId) {
    let Some(channel) = session.channel(id).filter(|channel| channel.hears_presence()) else { return };
    channel.is_busy = true;
    let handle = channel.handle.clone();
    let presence = session.realtime.presence.clone();
    session.start(async move {
        if let Err(error) = presence.enter(&handle).await {
            tracing::warn!(error = error.log_text(), "cannot tell a channel who is there");
            let message = "Realtime was unable to read who is present".to_owned();
            handle.push(ToChannel::System { extension: "presence", is_ok: false, message });
        }
        Box::new(move |session: &mut Session| free(session, id)) as Ended
    });
}

/// Takes back what the channel tracked.
pub(super) fn take_back(session: &mut Session, id: ChannelId) {
    let Some(channel) = session.channel(id) else { return };
    channel.is_busy = true;
    let handle = channel.handle.clone();
    let presence = session.realtime.presence.clone();
    session.start(async move {
        if let Err(error) = presence.untrack(&handle).await {
            tracing::warn!(error = error.log_text(), "cannot take a presence back");
            // Nobody may be said to be present who is not.
            presence.leave(&handle);
        }
        Box::new(move |session: &mut Session| free(session, id)) as Ended
    });
}

fn free(session: &mut Session, id: ChannelId) {
    if let Some(channel) = session.channel(id) {
        channel.is_busy = false;
    }
}
