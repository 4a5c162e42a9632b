//! How hard the index of vectors is searched.
//!
//! The index finds its way from one vector to the next, with a list of the best so far. The more vectors it holds, the longer that list
//! has to be for the same recall: of the best ten for whom policies show everything, a list of 100 found 0.96 with 300,000 synthetic
//! chunks, and one of 400 found 0.977 with 1,000,000 (`behalf bench search`).

use behalf_caller_db::FixedSetting;

use super::plan::Vectors;

/// Tables of more chunks take a longer list, and those of more again an even longer one.
const LARGE: u64 = 150_000;
const HUGE: u64 = 600_000;

/// Settings of a search by the index, which goes on where policies leave too few of what it found.
macro_rules! graph {
    ($list:literal, $most:literal, $memory:literal) => {
        &[
            "SET LOCAL jit = off",
            "SET LOCAL plan_cache_mode = force_custom_plan",
            "SET LOCAL random_page_cost = 1.1",
            "SET LOCAL hnsw.iterative_scan = relaxed_order",
            concat!("SET LOCAL hnsw.ef_search = ", $list),
            concat!("SET LOCAL hnsw.max_scan_tuples = ", $most),
            concat!("SET LOCAL hnsw.scan_mem_multiplier = ", $memory),
        ]
    };
}

/// The settings for a table of so many chunks of everybody; none where the index is not asked.
pub(super) fn settings(vectors: Vectors, table_chunks: u64) -> Option<&'static [FixedSetting]> {
    Some(match (vectors, table_chunks) {
        (Vectors::Exact, _) => return None,
        (Vectors::Graph, ..=LARGE) => graph!("100", "40000", "4"),
        (Vectors::Graph, ..=HUGE) => graph!("200", "40000", "4"),
        (Vectors::Graph, _) => graph!("800", "40000", "4"),
        (Vectors::WideGraph, ..=HUGE) => graph!("200", "100000", "8"),
        (Vectors::WideGraph, _) => graph!("800", "100000", "8"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_tables_are_searched_harder() {
        let list = |vectors, chunks| {
            let settings = settings(vectors, chunks).expect("settings");
            settings.iter().find_map(|one| one.strip_prefix("SET LOCAL hnsw.ef_search = ")).expect("a list")
        };
        let lists = [0, LARGE, LARGE + 1, HUGE, HUGE + 1, u64::MAX].map(|chunks| list(Vectors::Graph, chunks));
        assert_eq!(lists, ["100", "100", "200", "200", "800", "800"]);
        assert_eq!((list(Vectors::WideGraph, HUGE), list(Vectors::WideGraph, HUGE + 1)), ("200", "800"));
        assert_eq!(settings(Vectors::Exact, 1), None);
    }
}
