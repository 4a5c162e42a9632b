//! A channel gets another token, and the tokens of open channels are looked at again.
//!
//! A token of another user is accepted, as upstream: clients join before their user has signed in, and keep their channels when
//! another signs in. The channel's rights are asked anew, so it goes on only where the new user may read; subscriptions to changes
//! are the new user's from then on. What one user tracked is taken back when another user follows, so nobody is said to be present
//! who is not.

use std::sync::Arc;

use behalf_identity::Principal;
use behalf_telemetry::metric;

use super::channel::NONE;
use super::identify::{Refusal, ask, expired, verify};
use super::session::{Ended, Session, json};
use crate::channel::ChannelId;
use crate::protocol::{Incoming, decode};
use crate::rights::Rights;

/// Begins to verify the token that the client sent. There is no reply, whatever comes of it.
pub(super) fn begin(session: &mut Session, message: &Incoming, at: usize) {
    let Some(token) = json(message).and_then(decode::access_token) else { return };
    let channel = &mut session.channels[at];
    // Keys of the project and the same token again change nothing.
    if token.starts_with("sb_") || token.trim() == &*channel.identity.token {
        return;
    }
    channel.is_busy = true;
    let (id, room) = (channel.id(), channel.handle.room.clone());
    let (realtime, token) = (session.realtime.clone(), Arc::<str>::from(token.trim()));
    let client = session.opened.client;
    session.start(async move {
        let asked = async {
            let principal = verify(&realtime, &token).await?;
            let key = behalf_identity::CallerKey::new(&principal, Some(client));
            let rights = ask(&realtime, &principal, key, &room).await?;
            Ok((principal, rights))
        };
        let asked = asked.await;
        Box::new(move |session: &mut Session| ended(session, id, token, asked)) as Ended
    });
}

fn ended(session: &mut Session, id: ChannelId, token: Arc<str>, asked: Result<(Arc<Principal>, Rights), Refusal>) {
    let (principal, rights) = match asked {
        Ok(asked) => asked,
        Err(refusal) => {
            metric::realtime_refused("token");
            session.shut_down(id, &refusal.text);
            return;
        }
    };
    let identity = session.identity(token, Arc::clone(&principal));
    let realtime = session.realtime.clone();
    let Some(channel) = session.channel(id) else { return };
    channel.is_busy = false;
    let before = std::mem::replace(&mut channel.rights, rights);
    let lost = (before.read_broadcast && !rights.read_broadcast) || (before.read_presence && !rights.read_presence);
    let former = std::mem::replace(&mut channel.identity, identity).principal;
    if lost || (!rights.read_broadcast && !rights.read_presence) {
        metric::realtime_refused("token");
        channel.rights = NONE;
        let topic = channel.name().to_owned();
        let none_left = Refusal::unreadable(&topic).text;
        let one_lost = format!("You no longer have permission to read from this Channel topic: {topic}");
        session.shut_down(id, if rights.read_broadcast || rights.read_presence { &one_lost } else { &none_left });
        return;
    }
    if channel.has_changes {
        realtime.changes.set_principal(id, Arc::clone(&principal));
    }
    session.note_expiry();
    let is_another = former.subject().is_some() && former.subject() != principal.subject();
    if is_another || (before.write_presence && !rights.write_presence) {
        super::presence::take_back(session, id);
    }
}

/// Closes the channels whose tokens expired, and verifies the others again if it is time for that.
pub(super) fn look(session: &mut Session, again: bool) {
    let over = session.channels.iter().filter(|channel| channel.is_joined);
    let over: Vec<_> = over.filter_map(|channel| Some((channel.id(), expired(&channel.identity.principal)?))).collect();
    for (id, at) in over {
        session.shut_down(id, &Refusal::expired(at).text);
    }
    let tokens: Vec<_> = session
        .channels
        .iter()
        .filter(|channel| channel.is_joined)
        .map(|channel| (channel.id(), Arc::clone(&channel.identity.token)))
        .collect();
    if !again || session.is_looking || tokens.is_empty() {
        return;
    }
    session.is_looking = true;
    let realtime = session.realtime.clone();
    session.start(async move {
        let mut refused = Vec::new();
        for (id, token) in tokens {
            match realtime.web.verifier.verify(&token).await {
                // Where keys or sessions cannot be looked up, the channel goes on until they can.
                Err(error) if behalf_problem::Problem::kind(&error) == behalf_problem::Kind::Unavailable => {}
                Err(error) => refused.push((id, token, behalf_problem::Problem::detail(&error))),
                Ok(_) => {}
            }
        }
        Box::new(move |session: &mut Session| {
            session.is_looking = false;
            for (id, token, why) in refused {
                // Unless the channel got another meanwhile.
                if session.channel(id).is_some_and(|channel| channel.identity.token == token) {
                    session.shut_down(id, &why);
                }
            }
        }) as Ended
    });
}
