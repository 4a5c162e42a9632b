//! Messages that were stored in `realtime.messages`: every host reads them, and publishes those whose room somebody there has joined.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostTx;
use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::store::{self, Message, NewMessage};
use crate::event::{Broadcast, Payload};
use crate::room::Room;
use crate::rooms::Rooms;

/// Messages that are read at once; each may be megabytes.
const READ: usize = 20;

/// How long it is remembered that a message was published: as long as it may be found again.
const REMEMBERED: Duration = Duration::from_mins(2);

/// Messages that were published here.
#[derive(Debug, Default)]
pub(super) struct Published {
    ids: HashSet<Uuid>,
    order: VecDeque<(Instant, Uuid)>,
}

impl Published {
    fn add(&mut self, id: Uuid) {
        if self.ids.insert(id) {
            self.order.push_back((Instant::now(), id));
        }
    }

    fn forget(&mut self) {
        while let Some((at, id)) = self.order.front().copied()
            && at.elapsed() > REMEMBERED
        {
            self.order.pop_front();
            self.ids.remove(&id);
        }
    }
}

/// Publishes those of these messages that were not yet.
pub(super) async fn publish_new(
    tx: &mut HostTx,
    rooms: &Rooms,
    mut new: Vec<NewMessage>,
    published: &mut Published,
) -> Result<(), sqlx::Error> {
    published.forget();
    new.retain(|message| !published.ids.contains(&message.id));
    for part in new.chunks(READ) {
        for message in store::messages(tx, part).await? {
            published.add(message.id);
            publish(rooms, message);
        }
    }
    Ok(())
}

fn publish(rooms: &Rooms, message: Message) {
    let room = Room::new(&message.topic, message.private);
    let Some(event) = message.event.filter(|_| rooms.is_served(&room)) else { return };
    let payload = match (message.payload, message.binary_payload) {
        (Some(json), _) => Payload::Json(json.into()),
        (None, Some(bytes)) => Payload::Binary(bytes.into()),
        (None, None) => Payload::Json(Bytes::from_static(b"{}")),
    };
    let meta = Bytes::from(format!(r#"{{"id":"{}"}}"#, message.id));
    rooms.publish(&Broadcast { room, event: Arc::from(event), payload, meta: Some(meta) }, None);
}
