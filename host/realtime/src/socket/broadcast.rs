//! A client sends a message to everybody in its room.

use behalf_telemetry::metric;

use super::session::{Answer, Ended, Session};
use crate::event::{Broadcast, Payload};
use crate::protocol::{Content, Incoming, MAX_NAME, decode, encode};

/// Sends the message, if the caller may; the reply comes when the bus has it.
pub(super) fn begin(session: &mut Session, message: &Incoming, at: usize) {
    let channel = &session.channels[at];
    let (id, ack) = (channel.id(), channel.ack);
    if !channel.identity.share.messages(1) {
        metric::realtime_refused("messages");
        session.shut_down(id, "Too many messages per second");
        return;
    }
    let broadcast = match checked(session, message, at) {
        Ok(broadcast) => broadcast,
        Err(reason) => {
            metric::realtime_refused("broadcast");
            // Who asked for no answers gets none, as upstream.
            if ack {
                session.refuse(message, &reason);
            }
            return;
        }
    };
    let channel = &mut session.channels[at];
    channel.is_busy = true;
    let except = (!channel.to_self).then_some(id);
    session.realtime.rooms.publish(&broadcast, except);
    let (bus, answer) = (session.realtime.bus.clone(), Answer::to(message));
    session.start(async move {
        let sent = bus.send(broadcast).await;
        Box::new(move |session: &mut Session| {
            if let Some(channel) = session.channel(id) {
                channel.is_busy = false;
            }
            let version = session.version();
            match sent {
                Ok(()) if ack => session.put(answer.frame(version, true, "{}")),
                Ok(()) => {}
                Err(_) => {
                    metric::realtime_refused("bus_full");
                    if ack {
                        session.put(answer.frame(version, false, &encode::reason("Too many messages per second")));
                    }
                }
            }
        }) as Ended
    });
}

/// The message, or why it is not sent.
fn checked(session: &Session, message: &Incoming, at: usize) -> Result<Broadcast, String> {
    let channel = &session.channels[at];
    if !channel.rights.write_broadcast {
        let topic = channel.name();
        return Err(format!("Unauthorized: You do not have permissions to write to this Channel topic: {topic}"));
    }
    let (event, payload) = match &message.content {
        Content::Json(json) => decode::broadcast(json).ok_or("a broadcast has the name of an event")?,
        Content::Broadcast { event, payload } => (event.clone(), payload.clone()),
        Content::Other => return Err("a broadcast is text, or a binary frame of kind 3".to_owned()),
    };
    let payload = payload.ok_or("the payload is no JSON that every client can read")?;
    let (Payload::Json(bytes) | Payload::Binary(bytes)) = &payload;
    if bytes.len() > session.realtime.options.max_message_bytes {
        return Err("Payload size exceeded".to_owned());
    }
    if event.len() > MAX_NAME {
        return Err("the name of an event has at most 255 bytes".to_owned());
    }
    Ok(Broadcast { room: channel.handle.room.clone(), event: event.into(), payload, meta: None })
}
