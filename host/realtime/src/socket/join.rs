//! A channel is joined.

use std::net::IpAddr;
use std::sync::Arc;

use behalf_identity::{CallerKey, Principal};
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::channel::{Channel, NONE};
use super::end::End;
use super::identify::{Refusal, ask, verify};
use super::session::{Answer, Ended, Session, frame_of, json as json_of};
use crate::channel::{ChannelHandle, ChannelId, ToChannel, Wanted};
use crate::event::Broadcast;
use crate::messages::replay;
use crate::protocol::join::{AskedChange, Join, Replay, read};
use crate::protocol::{Incoming, MAX_NAME, Version, encode};
use crate::rights::Rights;
use crate::room::{Room, WIRE_PREFIX};
use crate::state::Realtime;

/// Said where subscriptions to changes are made.
const SUBSCRIBED: &str = "Subscribed to PostgreSQL";
/// Said to who asks whether stored messages are read.
const READY: &str = "Replication connection established";

/// What a join that was let in found.
struct Admitted {
    principal: Arc<Principal>,
    rights: Rights,
    replayed: Vec<Broadcast>,
    /// The subscriptions as the reply repeats them, and what to say of them.
    changes: Vec<Value>,
    subscribed: Option<Result<(), String>>,
}

/// What is asked while a join is under way.
struct Question {
    realtime: Realtime,
    handle: ChannelHandle,
    token: Arc<str>,
    client: IpAddr,
    replay: Option<Replay>,
    changes: Vec<AskedChange>,
}

/// Begins a join, or refuses it.
pub(super) fn begin(session: &mut Session, message: &Incoming) {
    if !session.opened.share.join() {
        // As upstream, which disconnects the client as well.
        metric::realtime_refused("joins");
        session.refuse(message, "ClientJoinRateLimitReached: Too many joins per second");
        session.end(End::Joins);
        return;
    }
    let (join, room) = match checked(session, message) {
        Ok(found) => found,
        Err(refusal) => {
            metric::realtime_refused("join");
            session.refuse(message, &refusal);
            return;
        }
    };
    let id = ChannelId(Uuid::now_v7());
    let handle = ChannelHandle::new(id, room, session.sink());
    let token = match join.token {
        Some(token) if token != *session.opened.token => Arc::from(token.trim()),
        _ => Arc::clone(&session.opened.token),
    };
    let version = session.version();
    session.channels.push(Channel {
        handle: handle.clone(),
        topic: message.topic.clone(),
        join_ref: message.join_ref.clone(),
        identity: session.identity(Arc::clone(&token), Arc::clone(&session.opened.principal)),
        rights: NONE,
        ack: join.ack,
        to_self: join.to_self,
        // Clients of the first version do not say whether they want it.
        presence: join.presence.unwrap_or(version == Version::One),
        knows_presence: false,
        presence_key: join.presence_key,
        has_changes: join.changes.iter().any(|(_, wanted)| wanted.is_some()),
        replayed: Vec::new(),
        early: join.replay.map(|_| Vec::new()),
        is_joined: false,
        is_busy: true,
    });
    let question = Question {
        realtime: session.realtime.clone(),
        handle,
        token,
        client: session.opened.client,
        replay: join.replay,
        changes: join.changes,
    };
    let (answer, says_ready) = (Answer::to(message), join.says_ready);
    session.start(async move {
        let admitted = question.ask().await;
        Box::new(move |session: &mut Session| ended(session, &question, &answer, admitted, says_ready)) as Ended
    });
}

/// What can be said of a join without asking anybody.
fn checked(session: &Session, message: &Incoming) -> Result<(Join, Room), String> {
    let name = match message.topic.strip_prefix(WIRE_PREFIX) {
        Some("") => return Err("TopicNameRequired: You must provide a topic name".to_owned()),
        Some(name) if message.topic.len() <= MAX_NAME && !name.contains('\0') => name,
        Some(_) => return Err("TopicNameInvalid: A topic has at most 255 bytes and no NUL".to_owned()),
        None => return Err("unmatched topic".to_owned()),
    };
    let options = &session.realtime.options;
    let join = read(json_of(message).unwrap_or(&Bytes::new()))?;
    if !options.public_channels && !join.is_private {
        return Err("PrivateOnly: This project only allows private channels".to_owned());
    }
    let channels = u32::try_from(session.channels.len()).unwrap_or(u32::MAX);
    if options.channels > 0 && channels >= options.channels {
        return Err("ChannelRateLimitReached: Too many channels".to_owned());
    }
    if join.replay.is_some() && !join.is_private {
        return Err("UnableToReplayMessages: Replay is not allowed for public channels".to_owned());
    }
    let room = Room::new(name, join.is_private);
    Ok((join, room))
}

impl Question {
    /// Asks who the caller is, what they may do, and what there is for them.
    async fn ask(&self) -> Result<Admitted, Refusal> {
        let Self { realtime, handle, .. } = self;
        let principal = verify(realtime, &self.token).await?;
        let key = CallerKey::new(&principal, Some(self.client));
        let rights = ask(realtime, &principal, key, &handle.room).await?;
        if !rights.read_broadcast && !rights.read_presence {
            return Err(Refusal::unreadable(handle.room.topic()));
        }
        // Before stored messages are read, so that none is missed between them and the live ones.
        realtime.rooms.join(handle.clone());
        realtime.bus.ready().await;
        let replayed = self.replayed(&principal, rights).await?;
        let (changes, subscribed) = self.subscribe(&principal).await;
        Ok(Admitted { principal, rights, replayed, changes, subscribed })
    }

    async fn replayed(&self, principal: &Principal, rights: Rights) -> Result<Vec<Broadcast>, Refusal> {
        let Some(wanted) = self.replay else { return Ok(Vec::new()) };
        let topic = self.handle.room.topic();
        if !rights.read_broadcast {
            return Err(Refusal::unreadable(topic));
        }
        let refusal = |text: &str| Refusal::new("UnableToReplayMessages", text);
        let (Some(since), Some(limit)) = (wanted.since, wanted.limit) else {
            return Err(refusal("Replay params are not valid"));
        };
        replay(&self.realtime.caller_db, principal, topic, since, limit).await.map_err(|error| {
            tracing::warn!(error = error.log_text(), "cannot replay stored messages");
            refusal("Realtime was unable to replay messages")
        })
    }

    /// Subscribes to changes. The reply repeats what was asked for, in order and with ids, whether it worked or not: clients end
    /// the channel otherwise.
    async fn subscribe(&self, principal: &Arc<Principal>) -> (Vec<Value>, Option<Result<(), String>>) {
        if self.changes.is_empty() {
            return (Vec::new(), None);
        }
        let wanted: Option<Vec<Wanted>> = self.changes.iter().map(|(_, wanted)| wanted.clone()).collect();
        let subscribed = match wanted {
            Some(wanted) => {
                let asked = self.realtime.changes.subscribe(&self.handle, Arc::clone(principal), &wanted);
                asked.await.map_err(|error| error.to_string())
            }
            None => {
                Err("No subscription params provided. Please provide at least a `schema` or `table` to subscribe to"
                    .to_owned())
            }
        };
        let ids = subscribed.as_ref().map_or(&[][..], Vec::as_slice);
        let listed = self.changes.iter().zip(1_i64..).enumerate().map(|(n, ((sent, _), number))| {
            let mut sent = sent.clone();
            sent.insert("id".to_owned(), json!(ids.get(n).copied().unwrap_or(number)));
            Value::Object(sent)
        });
        (listed.collect(), Some(subscribed.map(drop)))
    }
}

/// Does what the answers to a join's questions say.
fn ended(
    session: &mut Session,
    question: &Question,
    answer: &Answer,
    admitted: Result<Admitted, Refusal>,
    says_ready: bool,
) {
    let id = question.handle.id;
    let lost = session.channel(id).is_some_and(|channel| channel.has_lost());
    let admitted = match admitted {
        Ok(_) if lost => {
            Err(Refusal::new("UnableToReplayMessages", "Too many messages came while stored ones were read"))
        }
        admitted => admitted,
    };
    let version = session.version();
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            metric::realtime_refused("join");
            if let Some(at) = session.channels.iter().position(|channel| channel.id() == id) {
                session.remove(at);
            }
            session.put(answer.frame(version, false, &encode::reason(&refusal.reason())));
            return;
        }
    };
    let identity = session.identity(Arc::clone(&question.token), Arc::clone(&admitted.principal));
    let Some(channel) = session.channel(id) else { return };
    channel.identity = identity;
    channel.rights = admitted.rights;
    channel.is_joined = true;
    channel.is_busy = false;
    channel.has_changes = matches!(admitted.subscribed, Some(Ok(())));
    channel.replayed = admitted.replayed.iter().filter_map(id_of).collect();
    let early = channel.early.take().unwrap_or_default();
    session.note_expiry();
    metric::realtime_joined(if question.handle.room.is_private() { "private" } else { "public" });
    let changes = Value::Array(admitted.changes);
    session.put(answer.frame(version, true, &json!({ "postgres_changes": changes }).to_string()));
    let stored = admitted.replayed.iter().map(|message| encode::broadcast(message, version == Version::One));
    stored.filter_map(|encoded| frame_of(encoded, version)).for_each(|frame| session.put(frame));
    for encoded in early {
        let is_new = session.channel(id).is_some_and(|channel| channel.is_new(&encoded));
        if let Some(frame) = frame_of(encoded, version).filter(|_| is_new) {
            session.put(frame);
        }
    }
    say(&question.handle, admitted.subscribed, says_ready);
    super::presence::enter(session, id);
}

/// Says how far the channel is, in `system` messages after the reply.
fn say(handle: &ChannelHandle, subscribed: Option<Result<(), String>>, says_ready: bool) {
    if let Some(subscribed) = subscribed {
        let is_ok = subscribed.is_ok();
        let message = subscribed.err().unwrap_or_else(|| SUBSCRIBED.to_owned());
        handle.push(ToChannel::System { extension: "postgres_changes", is_ok, message });
    }
    if says_ready {
        handle.push(ToChannel::System { extension: "system", is_ok: true, message: READY.to_owned() });
    }
}

/// The id of a stored message.
fn id_of(message: &Broadcast) -> Option<Box<str>> {
    let meta: Value = serde_json::from_slice(message.meta.as_ref()?).ok()?;
    meta.get("id")?.as_str().filter(|id| !id.is_empty()).map(Into::into)
}
