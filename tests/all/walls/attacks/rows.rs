//! Attacks by ordinary statements about rows of other users.

use super::{DENIED, Denies, Entry, Hides, OwnerReads, OwnerWrites, Passes};

pub(super) const ROWS: &[Entry] = &[
    ("rows asked for by their owner", &["select * from notes where owner_id = '{bob}'"], Passes, Hides, OwnerReads),
    ("rows asked for by their place", &["select n.* from notes n where ctid >= '(0,0)'"], Passes, Hides, OwnerReads),
    ("rows by sampling", &["select * from notes tablesample system (100)"], Passes, Hides, OwnerReads),
    (
        "rows under another operator",
        &["select (select string_agg(body, ',') from notes), (table vault limit 1)"],
        Passes,
        Hides,
        OwnerReads,
    ),
    ("rows without any policy", &["select * from vault"], Passes, Hides, OwnerReads),
    ("rows through a view that runs as its reader", &["select * from own_note"], Passes, Hides, OwnerReads),
    (
        "a value in an error's text",
        &["select body::int from notes where owner_id = '{bob}'"],
        Passes,
        Hides,
        OwnerReads,
    ),
    (
        "a value in the error of a cheap function",
        &["select 1 from notes where case when owner_id = '{bob}' then complain(body) end"],
        Passes,
        Hides,
        OwnerReads,
    ),
    (
        "a value in the error of a function before the policy",
        &["select 1 from notes where complain(body)"],
        Passes,
        Denies("P0001"),
        OwnerReads,
    ),
    (
        "a row in another's name",
        &["insert into notes (owner_id, title, body) values ('{bob}', 'a', 'b')"],
        Passes,
        DENIED,
        OwnerWrites,
    ),
    ("a row given away", &["update notes set owner_id = '{bob}'"], Passes, DENIED, OwnerWrites),
    (
        "another's row changed",
        &["update notes set title = 'taken' where owner_id = '{bob}' returning *"],
        Passes,
        Hides,
        OwnerWrites,
    ),
    ("another's row deleted", &["delete from notes where id = '{bob_note}' returning *"], Passes, Hides, OwnerWrites),
    (
        "another's row merged into",
        &["merge into notes n using (values ('{bob_note}'::uuid)) v (id) on n.id = v.id \
           when matched then update set title = 'taken' when not matched then insert (id, title, body) values (v.id, 'a', 'b')"],
        Passes,
        Denies("23505"),
        OwnerWrites,
    ),
    (
        "another's row deleted by a merge",
        &["merge into notes n using (values ('{bob_note}'::uuid)) v (id) on n.id = v.id when matched then delete"],
        Passes,
        Hides,
        OwnerWrites,
    ),
    (
        "another's row in the way of an insert that updates",
        &["insert into notes (id, owner_id, title, body) values ('{bob_note}', '{alice}', 'a', 'b') \
           on conflict (id) do update set title = 'taken' returning *"],
        Passes,
        DENIED,
        OwnerWrites,
    ),
    (
        "another's value taken over by a join",
        &["update notes a set body = b.body from notes b where b.owner_id = '{bob}' returning a.body"],
        Passes,
        Hides,
        OwnerReads,
    ),
    // Last, as it takes the attacker's own rows with it.
    (
        "every row deleted",
        &["with gone as (delete from notes returning *) select * from gone"],
        Passes,
        Hides,
        OwnerReads,
    ),
];
