//! What a dispatcher wants done.

use stage_core::{Batch, Deliveries, SubscriptionId};

fn id(number: u64) -> SubscriptionId {
    SubscriptionId::new(number)
}

fn sent(out: &mut Deliveries<u32>) -> Vec<(u64, Vec<u32>)> {
    out.take_sends()
        .map(|(to, batch)| (to.get(), batch.into_vec()))
        .collect()
}

#[test]
fn shares_come_in_order_behind_what_was_delivered_before() {
    let mut out = Deliveries::new();
    out.deliver(id(9), Batch::from(vec![0]));
    let shares = [(id(1), 2), (id(2), 0), (id(1), 1), (id(3), 4)];
    let left = out.deliver_shares(Batch::from(Vec::from_iter(1..10)), &shares);
    assert_eq!(left[..], [8, 9]);
    let expected = [
        (9, vec![0]),
        (1, vec![1, 2]),
        (1, vec![3]),
        (3, vec![4, 5, 6, 7]),
    ];
    assert_eq!(sent(&mut out), expected);
}

#[test]
fn shares_of_more_than_there_is_go_to_the_first() {
    let mut out = Deliveries::new();
    let shares = [(id(1), 2), (id(2), usize::MAX), (id(3), usize::MAX)];
    let left = out.deliver_shares(Batch::from(vec![1, 2, 3]), &shares);
    assert!(left.is_empty());
    assert_eq!(sent(&mut out), [(1, vec![1, 2]), (2, vec![3])]);
    let left = out.deliver_shares(Batch::from(vec![1]), &[]);
    assert_eq!(left[..], [1]);
}

#[test]
fn an_emptied_buffer_comes_again_where_it_fits() {
    let mut out: Deliveries<u32> = Deliveries::new();
    assert_eq!(out.spare(5).capacity(), 0);
    out.recycle(Vec::with_capacity(10));
    out.recycle(vec![1; 100]);
    out.recycle(Vec::with_capacity(20));
    assert_eq!(out.spare(11).capacity(), 20, "the smallest with room");
    let largest = out.spare(101);
    assert_eq!((largest.capacity(), largest.len()), (100, 0));
    assert_eq!(out.spare(5).capacity(), 10);
    assert_eq!(out.spare(5).capacity(), 0);
}

#[test]
fn what_sending_empties_is_kept() {
    let mut out = Deliveries::new();
    out.deliver(id(1), Batch::from(vec![1, 2]));
    out.deliver(id(2), Batch::from(vec![3]));
    let mut sent = Vec::new();
    out.send_all(|to, batch| {
        sent.push((to.get(), std::mem::take(batch).into_vec()));
        (to == id(1)).then(|| Vec::with_capacity(7))
    });
    assert_eq!(sent, [(1, vec![1, 2]), (2, vec![3])]);
    assert!(!out.has_sends());
    assert_eq!(out.spare(1).capacity(), 7);
}

/// All numbers of events, of events that two have asked for, and of events in a
/// piece, below 8.
#[test]
fn shares_are_delivered_in_pieces() {
    for n in 0..8 * 8 * 8 * 8_u32 {
        let [events, first, second, piece] = [n / 512, n / 64 % 8, n / 8 % 8, n % 8];
        let (first, piece) = (first as usize, piece as usize);
        let mut out = Deliveries::new();
        out.raise_batch_limit(piece);
        let shares = [(id(1), first), (id(2), second as usize)];
        let events = Vec::from_iter(0..events);
        let left = out.deliver_shares(Batch::from(events.clone()), &shares);

        let (one, rest) = events.split_at(first.min(events.len()));
        let (two, rest) = rest.split_at(rest.len().min(second as usize));
        let pieces = |to, share: &[u32]| {
            let pieces = share.chunks(piece.max(1)).map(<[u32]>::to_vec);
            Vec::from_iter(pieces.map(|piece| (to, piece)))
        };
        assert_eq!(sent(&mut out), [pieces(1, one), pieces(2, two)].concat());
        assert_eq!(left[..], *rest);
    }
}
