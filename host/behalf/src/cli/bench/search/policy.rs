//! The policies under which is searched. All of them show a caller the same sources.

use std::fmt::Write as _;

use clap::ValueEnum;

use super::corpus::{Corpus, source_id, user_id};

/// How a policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// By the owner of the source.
    Owner,
    /// By a team that has the source and that the caller is in.
    Membership,
    /// By a claim of the caller's token.
    Claim,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Membership => "membership",
            Self::Claim => "claim",
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Owner => "owner_id = (select auth.uid())",
            Self::Membership => {
                "id in (select d.source_id from public.team_sources d join public.team_members m on m.team = d.team
                    where m.user_id = (select auth.uid()))"
            }
            Self::Claim => "(metadata ->> 'tenant') = (select auth.jwt() ->> 'email')",
        }
    }

    /// The statements that make this the policy of sources, from which that of chunks follows.
    pub(super) fn create(self) -> String {
        format!(
            "{DROP} create policy auth_read_sources on ai.sources for select to authenticated using ({});
             create policy auth_read_chunks on ai.chunks for select to authenticated
                 using (source_id in (select s.id from ai.sources s));",
            self.condition()
        )
    }
}

const DROP: &str =
    "drop policy if exists auth_read_sources on ai.sources; drop policy if exists auth_read_chunks on ai.chunks;";

/// The statements that show everything to everybody.
pub(super) fn open() -> String {
    format!(
        "{DROP} create policy auth_read_sources on ai.sources for select to authenticated using (true);
         create policy auth_read_chunks on ai.chunks for select to authenticated using (true);"
    )
}

/// The tenant of an owner, which stands in the claim `email`.
pub(super) fn tenant(owner: u32) -> String {
    format!("tenant-{owner}@bench.example")
}

/// The tables of teams, where each owner is a team of one.
pub(super) const TABLES: &str = "
    create table public.team_members (team integer not null, user_id uuid not null, primary key (user_id, team));
    create table public.team_sources (team integer not null, source_id uuid not null, primary key (team, source_id));
    alter table public.team_members enable row level security;
    alter table public.team_sources enable row level security;
    create policy mine on public.team_members for select to authenticated using (user_id = (select auth.uid()));
    create policy all_of_them on public.team_sources for select to authenticated using (true);
    grant select on public.team_members, public.team_sources to authenticated;
    create index on ai.sources ((metadata ->> 'tenant'));";

/// The rows of sources, of what is indexed of them, and of teams, as the texts of `COPY`.
pub(super) struct Rows {
    pub(super) sources: String,
    pub(super) indexed: String,
    pub(super) teams: String,
    pub(super) members: String,
}

impl Rows {
    pub(super) fn of(corpus: &Corpus, base: uuid::Uuid, chunks_per_source: u32) -> Self {
        let mut rows =
            Self { sources: String::new(), indexed: String::new(), teams: String::new(), members: String::new() };
        for (number, owner) in corpus.owners.iter().enumerate() {
            let id = source_id(number as u32);
            // Writing to a String cannot fail.
            let _ = writeln!(
                rows.sources,
                "{id}\t{}\tsource {number}\textracted\t{{\"tenant\": \"{}\"}}",
                user_id(*owner),
                tenant(*owner)
            );
            let _ = writeln!(rows.indexed, "{id}\t{base}\t{id}\tindexed\t{chunks_per_source}");
            let _ = writeln!(rows.teams, "{owner}\t{id}");
        }
        let mut owners = corpus.owners.clone();
        owners.sort_unstable();
        owners.dedup();
        for owner in owners {
            let _ = writeln!(rows.members, "{owner}\t{}", user_id(owner));
        }
        rows
    }
}
