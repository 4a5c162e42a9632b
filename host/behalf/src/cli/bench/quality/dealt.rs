//! The same questions where every document has one of many owners, each of whom sees only their own.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use behalf_identity::{TokenRequest, mint_token};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::test_bed::{TestBed, owner_id};
use super::base::{Base, METHODS};
use super::collection::Collection;
use super::score::{RANKS, mean};
use super::vectors::{Vectors, dot};
use super::{QualityArgs, rounded};

/// Chunks of an answer to somebody who sees everything, to see how the scores of a search by words order documents then.
const DEEP: u32 = 100;
/// Likenesses that differ less are the same: two programs add up in different orders.
const SAME: f64 = 1e-5;

/// One question of one owner.
#[derive(Clone, Copy, Debug)]
struct Case {
    question: usize,
    owner: u32,
}

pub(super) async fn measure(
    args: &QualityArgs,
    collection: &Collection,
    (bed, base): (&TestBed, &Base),
    bar: &ProgressBar,
) -> anyhow::Result<Value> {
    let vectors = Vectors::make(collection, &args.kept, bar).await?;
    let mut seen_by_all = Vec::new();
    for question in &collection.questions {
        seen_by_all.push(base.search(bed, &bed.token, question, ("full_text", DEEP)).await?.documents());
    }
    let owners: Vec<(u32, Uuid)> = collection
        .documents
        .iter()
        .map(|document| (document.number, owner_id(document.number % args.owners)))
        .collect();
    base.deal_out(bed, &owners).await?;
    let cases: Vec<Case> = cases(collection.questions.len(), args);
    let mut report = json!({ "owners": args.owners, "questions_of_owners": cases.len() });
    for method in METHODS {
        bar.set_message(format!("searching as many owners: {method}"));
        let mut rankings = Vec::new();
        for case in &cases {
            let token = mint_token(&bed.secret, &TokenRequest::for_user(&owner_id(case.owner).to_string()))?;
            let question = collection.questions.get(case.question).context("no question")?;
            rankings.push(base.search(bed, &token, question, (method, DEEP)).await?.documents());
        }
        let (answered, answers) = answered(&rankings, own_answers(collection, &cases, args.owners));
        report[method] = json!({
            "ndcg_over_own_documents": rounded(mean(&answered, &answers)),
            "questions_with_own_answers": answers.len(),
            "documents_of_others": foreign(&rankings, &cases, args.owners),
        });
        if method == "vector_search" {
            report[method]["equal_to_exact"] = json!(equal(&rankings, &cases, (base, &vectors, args.owners)));
        }
        if method == "full_text" {
            report[method]["beside_statistics_of_all"] = beside(&rankings, &cases, &seen_by_all);
        }
    }
    Ok(report)
}

/// Every question is asked by some of the owners; which ones is the same in every run.
fn cases(questions: usize, args: &QualityArgs) -> Vec<Case> {
    let askers = |question: usize| {
        let first = u32::try_from(question).unwrap_or_default() * 7;
        (0..args.askers).map(move |asker| Case { question, owner: (first + asker * 31) % args.owners })
    };
    (0..questions).flat_map(askers).collect()
}

/// The answers that the owner of each case has.
fn own_answers(collection: &Collection, cases: &[Case], owners: u32) -> Vec<Vec<u32>> {
    let own = |case: &Case| {
        let answers = collection.answers.get(case.question).map(Vec::as_slice).unwrap_or_default();
        answers.iter().copied().filter(|document| document % owners == case.owner).collect()
    };
    cases.iter().map(own).collect()
}

/// The rankings of owners who have an answer to the question, with their answers.
fn answered(rankings: &[Vec<u32>], answers: Vec<Vec<u32>>) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    rankings.iter().cloned().zip(answers).filter(|(_, answers)| !answers.is_empty()).unzip()
}

/// How many documents of others were found.
fn foreign(rankings: &[Vec<u32>], cases: &[Case], owners: u32) -> usize {
    let of_others = |(ranking, case): (&Vec<u32>, &Case)| {
        ranking.iter().filter(|document| *document % owners != case.owner).count()
    };
    rankings.iter().zip(cases).map(of_others).sum()
}

/// For how many cases the first ten documents are those of an exact search over everything, less the documents of others. Unlike
/// vectors have the score 0 and no order.
fn equal(rankings: &[Vec<u32>], cases: &[Case], (base, vectors, owners): (&Base, &Vectors, u32)) -> usize {
    let is_equal = |(ranking, case): &(&Vec<u32>, &Case)| {
        let Some(question) = vectors.questions().get(case.question) else { return false };
        let mut best = HashMap::<u32, f64>::new();
        for (document, chunk) in base.vectors.iter().filter(|(document, _)| document % owners == case.owner) {
            let likeness = dot(question, chunk).max(0.0);
            best.entry(*document).and_modify(|best| *best = best.max(likeness)).or_insert(likeness);
        }
        let mut exact: Vec<f64> = best.values().copied().collect();
        exact.sort_by(|left, right| right.total_cmp(left));
        let likeness = |document: &u32| best.get(document).copied().unwrap_or(f64::NAN);
        let found: Vec<f64> = ranking.iter().take(RANKS).map(likeness).collect();
        found.len() == exact.len().min(RANKS)
            && found.iter().zip(&exact).all(|(found, exact)| (found - exact).abs() < SAME)
    };
    rankings.iter().zip(cases).filter(is_equal).count()
}

/// How often the owner's scores, which use statistics of the owner's documents alone, order two documents as the scores of somebody do
/// who sees everything.
fn beside(rankings: &[Vec<u32>], cases: &[Case], seen_by_all: &[Vec<u32>]) -> Value {
    let (mut pairs, mut same, mut firsts, mut same_first) = (0_u32, 0_u32, 0_u32, 0_u32);
    for (ranking, case) in rankings.iter().zip(cases) {
        let Some(all) = seen_by_all.get(case.question) else { continue };
        let own: HashSet<u32> = ranking.iter().copied().collect();
        let all: Vec<u32> = all.iter().copied().filter(|document| own.contains(document)).collect();
        let place: HashMap<u32, usize> =
            ranking.iter().enumerate().map(|(place, document)| (*document, place)).collect();
        for (rank, first) in all.iter().enumerate() {
            for second in all.iter().skip(rank + 1) {
                pairs += 1;
                same += u32::from(place.get(first) < place.get(second));
            }
        }
        if let (Some(first), true) = (all.first(), all.len() > 1) {
            firsts += 1;
            let own_first = ranking.iter().find(|document| all.contains(document));
            same_first += u32::from(own_first == Some(first));
        }
    }
    let share = |part: u32, whole: u32| rounded(f64::from(part) / f64::from(whole.max(1)));
    json!({
        "pairs": pairs, "pairs_in_the_same_order": share(same, pairs),
        "questions": firsts, "same_first_document": share(same_first, firsts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_orders_are_counted() {
        let cases = [Case { question: 0, owner: 1 }, Case { question: 1, owner: 1 }];
        let said = beside(&[vec![1, 101, 201], vec![1]], &cases, &[vec![101, 7, 1], vec![1, 2]]);
        assert_eq!((&said["pairs"], &said["pairs_in_the_same_order"]), (&json!(1), &json!(0.0)));
        assert_eq!((&said["questions"], &said["same_first_document"]), (&json!(1), &json!(0.0)));
        assert_eq!(foreign(&[vec![1, 2], vec![101]], &cases, 100), 1);
    }
}
