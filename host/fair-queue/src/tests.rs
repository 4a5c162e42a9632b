//! What the queue promises, tried with chosen and with random callers.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::{FairQueue, Place, Work};

type Waiting = Pin<Box<dyn Future<Output = Place<u32>>>>;

/// Begins to wait as this caller.
fn wait(queue: &FairQueue<u32>, key: u32) -> Waiting {
    let queue = queue.clone();
    let mut waiting: Waiting = Box::pin(async move { queue.acquire(key).await });
    assert!(look(&mut waiting).is_none(), "there is no place yet");
    waiting
}

/// The waiter's place, if it was given one.
fn look(waiting: &mut Waiting) -> Option<Place<u32>> {
    match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(place) => Some(place),
        Poll::Pending => None,
    }
}

fn fill(queue: &FairQueue<u32>, key: u32) -> Vec<Place<u32>> {
    std::iter::from_fn(|| queue.try_acquire(key)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_caller_alone_holds_every_place() {
    let queue = FairQueue::new(8, Work::Long);
    let places = fill(&queue, 1);
    assert_eq!((places.len(), queue.taken(), queue.waiting()), (8, 8, 0));
    drop(places);
    assert_eq!(queue.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_quarter_is_left_for_others_who_called_lately() {
    let queue = FairQueue::new(8, Work::Long);
    drop(queue.try_acquire(2));
    let mut places = fill(&queue, 1);
    assert_eq!(places.len(), 6);
    assert!(queue.try_acquire(2).is_some());
    tokio::time::advance(Duration::from_secs(61)).await;
    places.extend(fill(&queue, 1));
    assert_eq!(places.len(), 8, "nobody else is there any more");
}

#[tokio::test(start_paused = true)]
async fn the_next_place_goes_to_whoever_holds_fewest() {
    let queue = FairQueue::new(2, Work::Long);
    let mut places = fill(&queue, 1);
    let mut long_line: Vec<_> = (0..64).map(|_| wait(&queue, 1)).collect();
    let (mut bob, mut carol) = (wait(&queue, 2), wait(&queue, 3));
    places.pop();
    let bobs = look(&mut bob).expect("Bob is first");
    assert!(look(&mut carol).is_none() && long_line.iter_mut().all(|waiting| look(waiting).is_none()));
    places.pop();
    let carols = look(&mut carol).expect("then Carol");
    drop(bobs);
    assert!(look(&mut long_line[0]).is_some(), "then the first of the long line");
    drop(carols);
}

#[tokio::test(start_paused = true)]
async fn among_equals_the_turn_goes_round() {
    let queue = FairQueue::new(1, Work::Long);
    let mut place = queue.try_acquire(0);
    let mut waiting: Vec<(u32, Waiting)> = Vec::new();
    for _ in 0..3 {
        for key in 1..=3 {
            waiting.push((key, wait(&queue, key)));
        }
    }
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(place.take());
        let found = waiting.iter_mut().enumerate().find_map(|(at, (key, waiting))| Some((at, *key, look(waiting)?)));
        let (at, key, next) = found.expect("somebody got the place");
        order.push(key);
        drop(waiting.remove(at));
        place = Some(next);
    }
    for round in order.chunks(3) {
        let mut round = round.to_vec();
        round.sort_unstable();
        assert_eq!(round, [1, 2, 3], "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_held_a_place_for_long_comes_last_and_leaves_a_quarter() {
    let queue = FairQueue::new(4, Work::Long);
    drop(queue.try_acquire(9));
    for key in 1..=3 {
        let place = queue.try_acquire(key);
        tokio::time::advance(Duration::from_secs(6)).await;
        drop(place);
    }
    let heavy: Vec<_> = (1..=3).map(|key| queue.try_acquire(key).expect("there is room")).collect();
    assert!(queue.try_acquire(1).is_none(), "three quarters are theirs, and no more");
    let mut heavy_waits = wait(&queue, 1);
    let light = queue.try_acquire(9).expect("the last quarter is for the others");
    let mut light_waits = wait(&queue, 9);
    drop(heavy);
    assert!(look(&mut light_waits).is_some() && look(&mut heavy_waits).is_some());
    drop(light);
    tokio::time::advance(Duration::from_mins(10)).await;
    drop(queue.try_acquire(9));
    let (one, two, three) = (queue.try_acquire(1), queue.try_acquire(2), queue.try_acquire(3));
    assert!(one.is_some() && two.is_some() && three.is_some());
    assert!(queue.try_acquire(1).is_some(), "long use is forgotten");
}

/// Holds a place of the caller for so long.
async fn hold(queue: &FairQueue<u32>, key: u32, time: Duration) {
    let place = queue.try_acquire(key).expect("a place");
    tokio::time::advance(time).await;
    drop(place);
}

/// Makes a caller known for holds of so long.
async fn show(queue: &FairQueue<u32>, key: u32, time: Duration) {
    for _ in 0..4 {
        hold(queue, key, time).await;
    }
}

/// How many places callers get that each ask once.
fn one_each(queue: &FairQueue<u32>, keys: impl IntoIterator<Item = u32>) -> Vec<Place<u32>> {
    keys.into_iter().filter_map(|key| queue.try_acquire(key)).collect()
}

#[tokio::test(start_paused = true)]
async fn for_short_work_a_quarter_is_for_heavy_callers_and_a_quarter_for_new_ones() {
    let queue = FairQueue::new(8, Work::Short);
    for key in 100..104 {
        hold(&queue, key, Duration::from_millis(1_100)).await;
    }
    show(&queue, 1, Duration::from_millis(5)).await;
    let heavy = one_each(&queue, 100..104);
    assert_eq!(heavy.len(), 2, "a quarter");
    let new = one_each(&queue, 200..208);
    assert_eq!(new.len(), 2, "another quarter");
    assert_eq!(fill(&queue, 1).len(), 4, "all that is left");
    drop((heavy, new));
    let new = one_each(&queue, 210..218);
    assert_eq!(new.len(), 2, "a quarter, also without heavy ones");
    assert_eq!(fill(&queue, 1).len(), 4, "one caller has half at most");
}

#[tokio::test(start_paused = true)]
async fn many_short_holds_make_a_caller_heavy_until_it_has_used_much_less() {
    let queue = FairQueue::new(8, Work::Short);
    show(&queue, 1, Duration::from_millis(5)).await;
    for _ in 0..25 {
        hold(&queue, 2, Duration::from_millis(100)).await;
    }
    assert_eq!(fill(&queue, 2).len(), 2, "two and a half seconds of use in as many");
    // Half as much is above a quarter of the limit still.
    tokio::time::advance(Duration::from_secs(10)).await;
    hold(&queue, 1, Duration::from_millis(5)).await;
    assert_eq!(fill(&queue, 2).len(), 2, "it is heavy still");
    tokio::time::advance(Duration::from_secs(20)).await;
    hold(&queue, 1, Duration::from_millis(5)).await;
    assert_eq!(fill(&queue, 2).len(), 4, "it is as the others again");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_what_time_brings_within_reach() {
    let queue = FairQueue::new(8, Work::Short);
    show(&queue, 1, Duration::from_millis(5)).await;
    let held = fill(&queue, 2);
    assert_eq!(held.len(), 2);
    let mut waiting = wait(&queue, 2);
    for _ in 0..62 {
        tokio::time::advance(Duration::from_secs(1)).await;
        if let Some(place) = look(&mut waiting) {
            assert_eq!((queue.taken(), queue.waiting()), (3, 0));
            drop((place, held));
            return;
        }
    }
    panic!("caller 1 has been away for a minute, and places are free");
}

#[tokio::test(start_paused = true)]
async fn heavy_callers_among_themselves_have_three_quarters() {
    let queue = FairQueue::new(8, Work::Short);
    for key in 1..=8 {
        hold(&queue, key, Duration::from_secs(2)).await;
    }
    assert_eq!(one_each(&queue, 1..=8).len(), 6);
    // Calls that end at once make nobody heavy, however many there are.
    for _ in 0..1_000 {
        hold(&queue, 9, Duration::from_micros(100)).await;
    }
    assert_eq!(one_each(&queue, 1..=8).len(), 2, "somebody else is there");
    assert_eq!(fill(&queue, 9).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_went_away_leaves_nothing() {
    let queue = FairQueue::new(1, Work::Long);
    let place = queue.try_acquire(1);
    let (first, mut second) = (wait(&queue, 2), wait(&queue, 2));
    drop(first);
    assert_eq!(queue.waiting(), 1);
    drop(place);
    assert!(look(&mut second).is_some());
    drop(second);
    assert_eq!((queue.taken(), queue.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_on_its_way_to_a_waiter_that_went_away_goes_on_to_the_next() {
    let queue = FairQueue::new(1, Work::Long);
    let place = queue.try_acquire(1);
    let (gone, mut next) = (wait(&queue, 2), wait(&queue, 3));
    // The place is handed to the first waiter, which never looks.
    drop(place);
    assert!(look(&mut next).is_none());
    drop(gone);
    assert!(look(&mut next).is_some());
    assert_eq!((queue.taken(), queue.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_they_said() {
    let queue = FairQueue::new(1, Work::Long);
    let place = queue.acquire_within(1, Duration::ZERO).await;
    assert!(place.is_some(), "a free place needs no waiting");
    assert!(queue.acquire_within(2, Duration::from_secs(1)).await.is_none());
    assert_eq!(queue.waiting(), 0);
}

/// Random callers come, wait, give up and leave; nothing is ever lost or taken twice, and nobody waits beside a place that
/// is within reach.
#[tokio::test(start_paused = true)]
async fn whatever_callers_do_every_place_is_kept_account_of() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let places = random.random_range(1..10);
        let work = [Work::Short, Work::Mixed, Work::Long][random.random_range(0..3)];
        let queue = FairQueue::new(places, work);
        let mut held: Vec<(u32, Place<u32>)> = Vec::new();
        let mut waiting: Vec<(u32, Waiting)> = Vec::new();
        for _ in 0..300 {
            match random.random_range(0..5) {
                0 | 1 => {
                    let (key, queue) = (random.random_range(0..5), queue.clone());
                    waiting.push((key, Box::pin(async move { queue.acquire(key).await })));
                }
                2 if !held.is_empty() => drop(held.swap_remove(random.random_range(0..held.len()))),
                3 if !waiting.is_empty() => drop(waiting.swap_remove(random.random_range(0..waiting.len()))),
                _ => tokio::time::advance(Duration::from_millis(random.random_range(0..2_000))).await,
            }
            // Some waiters look, others let their place lie for a while.
            let mut index = 0;
            while index < waiting.len() {
                let place = if random.random_bool(0.8) { look(&mut waiting[index].1) } else { None };
                match place {
                    Some(place) => held.push((waiting.swap_remove(index).0, place)),
                    None => index += 1,
                }
            }
            assert!(held.len() <= queue.taken() && queue.taken() <= places, "seed {seed}");
            assert!(queue.waiting() <= waiting.len(), "seed {seed}");
            // Those who wait while places are free hold what is within their reach.
            let reserved = if work == Work::Long { places / 4 } else { places - (places / 4).max(1) };
            let free = places - queue.taken();
            assert!(queue.waiting() == 0 || free <= reserved, "seed {seed}: {free} of {places} are free");
        }
        // Everybody who stays is served.
        for _ in 0..1_000 {
            held.clear();
            waiting.retain_mut(|(_, waiting)| look(waiting).is_none());
        }
        assert_eq!((waiting.len(), queue.waiting(), queue.taken()), (0, 0, 0), "seed {seed}");
    }
}

/// Callers that always want more get the same number of turns, however long their lines are.
#[tokio::test(start_paused = true)]
async fn long_lines_get_no_more_turns_than_short_ones() {
    let queue = FairQueue::new(3, Work::Long);
    let mut held: Vec<(u32, Place<u32>)> = fill(&queue, 0).into_iter().map(|place| (0, place)).collect();
    let mut waiting: Vec<(u32, Waiting)> = Vec::new();
    for key in 1..=4 {
        waiting.extend((0..key * 10).map(|_| (key, wait(&queue, key))));
    }
    let mut turns: HashMap<u32, u32> = HashMap::new();
    for _ in 0..40 {
        drop(held.remove(0));
        let found = waiting.iter_mut().enumerate().find_map(|(at, (key, waiting))| Some((at, *key, look(waiting)?)));
        let (at, key, place) = found.expect("somebody got the place");
        drop(waiting.remove(at));
        held.push((key, place));
        *turns.entry(key).or_default() += 1;
    }
    assert_eq!(turns.values().copied().collect::<Vec<_>>(), [10; 4], "{turns:?}");
}
