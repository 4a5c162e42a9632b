//! Which way a search takes. Every way finds the same chunks of those that the caller may see; they differ in what they cost.

use std::collections::HashSet;

use behalf_caller_db::Reach;
use uuid::Uuid;

/// Chunks of known sources are compared one by one up to this number, however many others there are.
const ALWAYS_EXACT: u64 = 3_000;

/// And never beyond this one.
const NEVER_EXACT: u64 = 60_000;

/// Up to so many visible chunks, weights of words are made of their number.
pub(super) const KNOWN: u32 = 30_000;

/// Up to so many chunks of whole bases are compared one by one.
pub(super) const EXACT_BASE: u32 = 2_000;

/// Chunks of known sources are counted up to this number.
pub(super) const COUNTED: u32 = 60_001;

/// One by one costs as many steps as there are visible chunks. By the index, a step is five times as long, and to find twenty visible ones
/// takes as many steps more as there are invisible chunks beside each visible one. So both cost the same where the square of the number of
/// visible chunks is so many times the number of all.
const BALANCE: u64 = 100;

/// Sources that a caller named and whose chunks nobody has counted are compared one by one up to this number.
const FEW_SOURCES: usize = 200;

/// How vectors are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Vectors {
    /// One by one.
    Exact,
    /// By the index. The caller sees all or nearly all of what it finds.
    Graph,
    /// By the index, from which more is taken, since the caller sees a part of it.
    WideGraph,
}

/// How a search is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The only sources that can have chunks for this search, if that is known and they are few.
    pub(super) sources: Option<Vec<Uuid>>,
    /// How vectors are compared.
    pub(super) vectors: Vectors,
    /// The number of chunks that the caller sees in the bases, if it is known.
    pub(super) visible: Option<u32>,
    /// All chunks of everybody, as they were last counted.
    pub(super) table_chunks: u64,
    /// Its name in measurements.
    pub(super) name: &'static str,
}

/// What a plan is made of.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    /// Where the caller can have chunks.
    pub(super) reach: Reach,
    /// All chunks of everybody, as they were last counted; 0 where nobody did.
    pub(super) table_chunks: u64,
    /// The sources that the query names.
    pub(super) named: Option<&'a [Uuid]>,
}

/// Makes a plan; none where nothing can be found.
pub(super) fn plan(facts: Facts<'_>) -> Option<Plan> {
    let Facts { reach, named, table_chunks } = facts;
    match (reach, named) {
        (Reach::Sources { ids, chunks }, named) => {
            let all = ids.len();
            let sources = match named {
                Some(named) => {
                    let named: HashSet<&Uuid> = named.iter().collect();
                    ids.into_iter().filter(|id| named.contains(id)).collect()
                }
                None => ids,
            };
            if sources.is_empty() {
                return None;
            }
            // About as many chunks in each source.
            let share = u64::from(chunks) * sources.len() as u64 / all.max(1) as u64;
            let exact = is_exact_better(share, table_chunks);
            Some(Plan {
                sources: Some(sources),
                vectors: if exact { Vectors::Exact } else { Vectors::WideGraph },
                visible: Some(chunks).filter(|chunks| named.is_none() && *chunks <= KNOWN),
                table_chunks,
                name: if exact { "sources" } else { "graph of sources" },
            })
        }
        (_, Some(named)) => {
            let exact = named.len() <= FEW_SOURCES;
            (!named.is_empty()).then(|| Plan {
                sources: Some(named.to_vec()),
                vectors: if exact { Vectors::Exact } else { Vectors::WideGraph },
                visible: None,
                table_chunks,
                name: if exact { "named sources" } else { "graph of named sources" },
            })
        }
        (Reach::All { chunks }, None) => {
            let exact = chunks <= EXACT_BASE;
            Some(Plan {
                sources: None,
                vectors: if exact { Vectors::Exact } else { Vectors::Graph },
                visible: Some(chunks).filter(|_| exact),
                table_chunks,
                name: if exact { "base" } else { "graph" },
            })
        }
        (Reach::Many | Reach::Unknown, None) => {
            Some(Plan { sources: None, vectors: Vectors::WideGraph, visible: None, table_chunks, name: "wide graph" })
        }
    }
}

/// Whether comparing so many visible chunks one by one costs less than the index, which holds all.
fn is_exact_better(visible: u64, all: u64) -> bool {
    visible <= u64::from(most_exact(all))
}

/// The most chunks that are compared one by one, out of so many in the index.
pub(super) fn most_exact(all: u64) -> u32 {
    let balance = BALANCE.saturating_mul(all).isqrt();
    u32::try_from(balance.clamp(ALWAYS_EXACT, NEVER_EXACT)).unwrap_or(u32::MAX)
}

/// So many chunks by an estimate are too many to compare one by one, also if the estimate is wrong by a factor of two.
pub(super) fn clearly_many(all: u64) -> u32 {
    most_exact(all).saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(number: u128) -> Vec<Uuid> {
        (0..number).map(Uuid::from_u128).collect()
    }

    fn planned(reach: Reach, named: Option<&[Uuid]>) -> Option<Plan> {
        plan(Facts { reach, named, table_chunks: 1_000_000 })
    }

    #[test]
    fn few_chunks_are_compared_one_by_one() {
        let plan = planned(Reach::Sources { ids: ids(3), chunks: 30 }, None).expect("a plan");
        assert_eq!((plan.vectors, plan.visible, plan.sources), (Vectors::Exact, Some(30), Some(ids(3))));
        let plan = planned(Reach::Sources { ids: ids(3), chunks: COUNTED }, None).expect("a plan");
        assert_eq!((plan.vectors, plan.visible), (Vectors::WideGraph, None));
    }

    #[test]
    fn the_more_chunks_others_have_the_longer_it_pays_to_compare_ones_own() {
        assert!(is_exact_better(3_000, 3_000) && !is_exact_better(3_200, 100_000));
        assert!(is_exact_better(10_000, 1_000_000) && !is_exact_better(10_001, 1_000_000));
        assert!(is_exact_better(60_000, u64::from(u32::MAX)) && !is_exact_better(60_001, u64::from(u32::MAX)));
        assert_eq!((most_exact(0), clearly_many(1_000_000), most_exact(u64::MAX)), (3_000, 20_000, 60_000));
    }

    #[test]
    fn whoever_sees_no_source_finds_nothing() {
        assert_eq!(planned(Reach::Sources { ids: ids(0), chunks: 0 }, None), None);
        assert_eq!(planned(Reach::Sources { ids: ids(3), chunks: 9 }, Some(&[Uuid::from_u128(7)])), None);
        assert_eq!(planned(Reach::Unknown, Some(&[])), None);
    }

    #[test]
    fn named_sources_narrow_those_that_are_known() {
        let plan = planned(Reach::Sources { ids: ids(100), chunks: COUNTED }, Some(&ids(1))).expect("a plan");
        assert_eq!((plan.vectors, plan.sources, plan.visible), (Vectors::Exact, Some(ids(1)), None));
        let plan = planned(Reach::Unknown, Some(&ids(2))).expect("a plan");
        assert_eq!(plan.vectors, Vectors::Exact);
        let plan = planned(Reach::All { chunks: 5 }, Some(&ids(1_000))).expect("a plan");
        assert_eq!(plan.vectors, Vectors::WideGraph);
    }

    #[test]
    fn what_is_not_known_is_looked_for_by_the_index() {
        for reach in [Reach::Many, Reach::Unknown] {
            let plan = planned(reach, None).expect("a plan");
            assert_eq!((plan.vectors, plan.sources), (Vectors::WideGraph, None));
        }
        assert_eq!(planned(Reach::All { chunks: EXACT_BASE }, None).expect("a plan").vectors, Vectors::Exact);
        assert_eq!(planned(Reach::All { chunks: EXACT_BASE + 1 }, None).expect("a plan").vectors, Vectors::Graph);
    }
}
