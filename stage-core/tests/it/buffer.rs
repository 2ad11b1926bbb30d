//! `Buffer` step by step (B1 to B8).

use stage_core::{Batch, Bound, Buffer, Overflow, Stored, Taken};

type Events = Buffer<u32, &'static str>;

fn store(buffer: &mut Events, events: impl IntoIterator<Item = u32>) -> Stored<u32, &'static str> {
    buffer.store(Batch::from_iter(events))
}

/// Stores what has to fit.
fn fill(buffer: &mut Events, events: impl IntoIterator<Item = u32>) {
    let stored = store(buffer, events);
    assert_eq!((stored.discarded, stored.infos.len()), (0, 0));
}

/// The events, the infos, and how much of the count was not served.
fn take(buffer: &mut Events, count: usize) -> (Vec<u32>, Vec<&'static str>, usize) {
    let Taken {
        batches,
        infos,
        remaining,
    } = buffer.take(count).expect("there is something to take");
    (batches.into_iter().flatten().collect(), infos, remaining)
}

/// GS056
#[test]
fn infos_take_up_no_room() {
    let mut buffer = Events::new(Bound::Events(3), Overflow::DropNewest);
    fill(&mut buffer, [1, 2]);
    assert_eq!(buffer.store_info("three"), Ok(()));
    assert_eq!(buffer.store_info("four"), Ok(()));
    assert_eq!((buffer.len(), buffer.infos()), (2, 2));
    fill(&mut buffer, [5]);
    assert_eq!(store(&mut buffer, [6]).discarded, 1);
}

/// GS057
#[test]
fn keep_first_discards_what_does_not_fit() {
    let mut buffer = Events::new(Bound::Events(3), Overflow::DropNewest);
    fill(&mut buffer, [1, 2, 3]);
    assert_eq!(store(&mut buffer, [4, 5, 6]).discarded, 3);
    assert_eq!(buffer.len(), 3);
    assert_eq!(take(&mut buffer, 3), (vec![1, 2, 3], vec![], 0));
}

/// GS058
#[test]
fn without_a_bound_everything_is_kept() {
    for keep in [Overflow::DropNewest, Overflow::DropOldest] {
        let mut buffer = Events::new(Bound::Unbounded, keep);
        fill(&mut buffer, 0..100_000);
        fill(&mut buffer, 100_000..100_001);
        assert_eq!(buffer.len(), 100_001);
        let (events, _, _) = take(&mut buffer, usize::MAX);
        assert!(events.into_iter().eq(0..100_001));
    }
}

/// GS059
#[test]
fn keep_last_makes_room_for_the_newest() {
    let mut buffer = Events::new(Bound::Events(3), Overflow::DropOldest);
    fill(&mut buffer, [1, 2, 3]);
    assert_eq!(store(&mut buffer, [4, 5, 6]).discarded, 3);
    assert_eq!(take(&mut buffer, 3), (vec![4, 5, 6], vec![], 0));
}

/// GS060
#[test]
fn infos_come_out_when_the_events_before_them_are_discarded() {
    let mut buffer = Events::new(Bound::Events(3), Overflow::DropOldest);
    fill(&mut buffer, [1, 2]);
    assert_eq!(buffer.store_info("three"), Ok(()));
    assert_eq!(buffer.store_info("four"), Ok(()));
    let stored = store(&mut buffer, [5, 6]);
    assert_eq!((stored.discarded, stored.infos), (1, vec![]));
    let stored = store(&mut buffer, [7]);
    assert_eq!(
        (stored.discarded, stored.infos),
        (1, vec!["three", "four"]),
        "2 was the last event before them"
    );
    assert_eq!((buffer.len(), buffer.infos()), (3, 0));
}

/// GS061
#[test]
fn an_info_is_due_at_once_when_there_is_nothing_to_wait_behind() {
    let mut buffer = Events::new(Bound::Events(3), Overflow::DropOldest);
    assert_eq!(buffer.store_info("at once"), Err("at once"));
    fill(&mut buffer, [1]);
    assert_eq!(take(&mut buffer, 1), (vec![1], vec![], 0));
    assert_eq!(buffer.store_info("again"), Err("again"));
    assert_eq!(buffer.infos(), 0);
}

/// GS062
#[test]
fn nothing_comes_out_of_an_empty_buffer() {
    let mut buffer = Events::new(Bound::Events(3), Overflow::DropOldest);
    assert!(buffer.take(5).is_none());
    fill(&mut buffer, [1]);
    assert!(buffer.take(0).is_none());
    assert_eq!(take(&mut buffer, 5), (vec![1], vec![], 4));
    assert!(buffer.take(5).is_none());
}

/// GS063
#[test]
fn a_take_stops_at_an_info() {
    let mut buffer = Events::new(Bound::Events(10), Overflow::DropNewest);
    fill(&mut buffer, [1, 2]);
    assert_eq!(buffer.store_info("three"), Ok(()));
    fill(&mut buffer, [4]);
    assert_eq!(take(&mut buffer, 5), (vec![1, 2], vec!["three"], 3));
    assert_eq!(take(&mut buffer, 3), (vec![4], vec![], 2));
}

/// GS064
#[test]
fn infos_at_one_place_keep_their_order() {
    let mut buffer = Events::new(Bound::Events(10), Overflow::DropNewest);
    fill(&mut buffer, [1, 2]);
    for info in ["three", "four", "five"] {
        assert_eq!(buffer.store_info(info), Ok(()));
    }
    let infos = vec!["three", "four", "five"];
    assert_eq!(take(&mut buffer, 5), (vec![1, 2], infos, 3));
}

/// GS065
#[test]
fn events_and_infos_keep_their_places_among_each_other() {
    let mut buffer = Events::new(Bound::Events(10), Overflow::DropNewest);
    fill(&mut buffer, [1, 2]);
    assert_eq!(buffer.store_info("three"), Ok(()));
    assert_eq!(buffer.store_info("four"), Ok(()));
    fill(&mut buffer, [5, 6, 7]);
    assert_eq!(buffer.store_info("eight"), Ok(()));
    assert_eq!(buffer.store_info("nine"), Ok(()));
    fill(&mut buffer, [10]);
    assert_eq!(buffer.store_info("eleven"), Ok(()));

    assert_eq!(take(&mut buffer, 3), (vec![1, 2], vec!["three", "four"], 1));
    let infos = vec!["eight", "nine"];
    assert_eq!(take(&mut buffer, 4), (vec![5, 6, 7], infos, 1));
    assert_eq!(take(&mut buffer, 2), (vec![10], vec!["eleven"], 1));
    assert!(buffer.is_empty());
}

type Bytes = Buffer<&'static str, &'static str>;

fn bytes(limit: usize, overflow: Overflow) -> Bytes {
    let weigh = |event: &&str| event.len();
    Bytes::new(Bound::Bytes { limit, weigh }, overflow)
}

#[test]
fn a_bound_in_bytes_counts_the_weight_of_events() {
    let mut buffer = bytes(6, Overflow::DropOldest);
    let stored = buffer.store(Batch::from(vec!["one", "two"]));
    assert_eq!((stored.discarded, buffer.bytes()), (0, Some(6)));
    let stored = buffer.store(Batch::from(vec!["x"]));
    assert_eq!((stored.discarded, buffer.bytes()), (1, Some(4)));
    let taken = buffer.take(1).unwrap();
    assert_eq!(taken.batches[0][..], ["two"]);
    assert_eq!(buffer.bytes(), Some(1));
}

/// librdkafka 184: a message larger than the limit is never delivered, and the
/// consumer waits for ever.
#[test]
fn an_event_heavier_than_the_bound_is_stored_alone() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut buffer = bytes(3, overflow);
        assert_eq!(buffer.store(Batch::from(vec!["too heavy"])).discarded, 0);
        assert_eq!((buffer.len(), buffer.bytes()), (1, Some(9)));
    }
}

#[test]
fn a_heavy_event_goes_when_another_comes() {
    let mut buffer = bytes(3, Overflow::DropOldest);
    assert_eq!(buffer.store(Batch::from(vec!["too heavy"])).discarded, 0);
    assert_eq!(buffer.store(Batch::from(vec!["a", "b"])).discarded, 1);
    assert_eq!((buffer.len(), buffer.bytes()), (2, Some(2)));
}

#[test]
fn the_bound_in_bytes_does_not_apply_to_what_is_handed_back() {
    let mut buffer = bytes(3, Overflow::DropOldest);
    buffer.hand_back([Batch::from(vec!["one", "two", "six"])]);
    assert_eq!(buffer.bytes(), Some(9));
    assert_eq!(buffer.store(Batch::from(vec!["ten"])).discarded, 1);
    assert_eq!(buffer.bytes(), Some(9), "no more goes than comes");
}

#[test]
fn a_bound_of_no_bytes_stores_nothing() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut buffer = bytes(0, overflow);
        assert_eq!(buffer.store(Batch::from(vec!["", "a"])).discarded, 2);
        assert!(buffer.is_empty());
    }
}

#[test]
fn the_allocation_of_a_discarded_batch_is_given_back() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut buffer = Events::new(Bound::Events(0), overflow);
        let spare = store(&mut buffer, [1, 2]).spare.expect("it was emptied");
        assert!(spare.is_empty() && spare.capacity() >= 2);
    }
}
