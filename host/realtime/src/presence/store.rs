//! The table of presences.
//!
//! Rows of a channel are changed in the transaction that tells the other hosts, so a host that reads the table in the same snapshot
//! as the messages knows exactly which changes are in it.

use std::collections::HashMap;
use std::sync::Arc;

use behalf_host_db::{HostDb, HostTx};
use bytes::Bytes;
use futures::TryStreamExt as _;
use sqlx::FromRow;
use uuid::Uuid;

use super::own::Untold;
use super::replica::{Change, Entry};
use super::wire;
use crate::bus::{self, BusKind};
use crate::channel::ChannelId;
use crate::room::Room;

const DELETE: &str = "delete from behalf.realtime_presence where channel = any($1)";

/// A meta is kept as a text in JSON, not as JSON: `jsonb` does not take all that JSON allows, such as `\u0000`.
const INSERT: &str = "
    insert into behalf.realtime_presence (topic, is_private, key, ref, meta, channel, host)
    select topic, is_private, key, ref, to_jsonb(meta), channel, $7
    from unnest($1::text[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::uuid[])
        as tracked (topic, is_private, key, ref, meta, channel)";

/// Not what hosts left behind that are not on the list any more, and not the rows by which hosts know that the table was not emptied,
/// which have no key.
const OF_ROOMS: &str = "
    select p.topic, p.is_private, p.key, p.ref, p.meta #>> '{}' as meta, p.channel, p.host
    from unnest($1::text[], $2::boolean[]) as room (topic, is_private)
    join behalf.realtime_presence p on p.topic = room.topic and p.is_private = room.is_private
    where p.host <> $3 and p.key <> '' and exists (select from behalf.realtime_hosts h where h.host = p.host)";

#[derive(FromRow)]
struct Row {
    topic: String,
    is_private: bool,
    key: String,
    #[sqlx(rename = "ref")]
    reference: String,
    meta: String,
    channel: Uuid,
    host: Uuid,
}

/// Stores changes, and tells them to the other hosts where there are any.
pub(super) async fn write(db: &HostDb, host: Uuid, untold: &Untold, has_others: bool) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    if !untold.stale.is_empty() {
        let channels: Vec<Uuid> = untold.stale.iter().map(|channel| channel.0).collect();
        sqlx::query(DELETE).bind(channels).execute(&mut *tx).await?;
    }
    insert(&mut tx, host, untold).await?;
    if has_others {
        let frames: Vec<(BusKind, Bytes)> =
            untold.changes.iter().map(|(room, change)| (BusKind::Presence, wire::write(room, change))).collect();
        // Whoever reads it twice sees by the references that nothing is new.
        bus::add(&mut tx, host, &bus::batch(0, &frames)).await?;
    }
    tx.commit().await
}

async fn insert(tx: &mut HostTx, host: Uuid, untold: &Untold) -> Result<(), sqlx::Error> {
    let tracked: Vec<(&Room, &Entry)> = untold
        .changes
        .iter()
        .filter_map(|(room, change)| match change {
            Change::Tracked(entry) => Some((room, &**entry)),
            Change::Ended { .. } => None,
        })
        .collect();
    if tracked.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&Entry) -> &str| tracked.iter().map(|(_, entry)| of(entry)).collect::<Vec<&str>>();
    sqlx::query(INSERT)
        .bind(tracked.iter().map(|(room, _)| room.topic()).collect::<Vec<_>>())
        .bind(tracked.iter().map(|(room, _)| room.is_private()).collect::<Vec<_>>())
        .bind(texts(|entry| &entry.key))
        .bind(texts(|entry| &entry.reference))
        .bind(texts(|entry| entry.meta.get()))
        .bind(tracked.iter().map(|(_, entry)| entry.channel.0).collect::<Vec<_>>())
        .bind(host)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What clients of other hosts track in these rooms.
pub(super) async fn of_rooms(
    tx: &mut HostTx,
    rooms: &[Room],
    host: Uuid,
) -> Result<HashMap<Room, Vec<Arc<Entry>>>, sqlx::Error> {
    let topics: Vec<&str> = rooms.iter().map(Room::topic).collect();
    let private: Vec<bool> = rooms.iter().map(Room::is_private).collect();
    let mut found: HashMap<Room, Vec<Arc<Entry>>> = HashMap::new();
    let mut rows = sqlx::query_as::<_, Row>(OF_ROOMS).bind(topics).bind(private).bind(host).fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        // Only hosts write here; one of another version may have written something else.
        let Some(meta) = wire::raw(&row.meta) else { continue };
        let room = Room::new(&row.topic, row.is_private);
        let (channel, key, reference) = (ChannelId(row.channel), row.key.into(), row.reference.into());
        found.entry(room).or_default().push(Arc::new(Entry { channel, key, reference, meta, host: row.host }));
    }
    Ok(found)
}
