//! Consumers of a pool of producers: `CancelMode::Pooled` (E21, E22).

use crate::common::log::Log;
use crate::common::{fail, failure, pending, soon, word};
use stage_core::SubscribeError;
use stage_runtime::operators::{fold, from_iter, map};
use stage_runtime::prelude::*;
use stage_runtime::{ConsumerHandle, ProducerHandle};
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};
use tokio::runtime::Builder;

type Member = ProducerHandle<ProducerProbe<u64>>;

fn member(name: &str) -> Member {
    ProducerProbe::silent().0.stage().name(name).spawn()
}

fn pooled(producer: &Member) -> Subscription<u64> {
    producer.subscription().on_cancel(CancelMode::Pooled)
}

fn consumer(
    members: &[&Member],
    mode: CancelMode,
) -> (ConsumerHandle<ConsumerProbe<u64>>, Calls<u64>) {
    let (probe, calls) = ConsumerProbe::<u64>::new();
    let mut consumer = probe.stage().name("batcher");
    for member in members {
        consumer = consumer.subscribe_to(member.subscription().on_cancel(mode));
    }
    (consumer.spawn(), calls)
}

#[derive(Debug, Clone, Copy)]
enum End {
    Completed,
    Cancelled,
    Failed,
}

impl End {
    const ALL: [Self; 3] = [Self::Completed, Self::Cancelled, Self::Failed];

    /// Ends a member in this way. Consumers have handled what it emitted.
    async fn bring_about(self, member: &Member) {
        match self {
            Self::Completed => member
                .cast(act(|out| {
                    out.complete();
                    Ok(())
                }))
                .expect("it runs"),
            Self::Cancelled => member.stop("resized"),
            Self::Failed => member.cast(act(|_| fail("broken"))).expect("it runs"),
        }
        soon(member.outcome()).await;
    }
}

/// Reference: ReactiveX/RxJava issue 5751, "Handling termination of merged streams";
/// reactor/reactor-core issue 1279, "Flux.merge doesn't complete if inner Flux completes".
#[tokio::test(start_paused = true)]
async fn it_completes_when_the_last_has_ended_in_any_way_and_any_order() {
    for first in End::ALL {
        for second in End::ALL {
            for third in End::ALL {
                let (a, b, c) = (member("a"), member("b"), member("c"));
                let (consumer, mut calls) = consumer(&[&a, &b, &c], CancelMode::Pooled);
                for n in 0..3 {
                    calls.producer_joined().await;
                    let producer = [&a, &b, &c][n];
                    producer.call(emit([n as u64])).await.unwrap();
                    assert_eq!(calls.events().await, [n as u64]);
                }
                first.bring_about(&b).await;
                assert_eq!(&*calls.producer_left().await.0.stage, "b");
                second.bring_about(&a).await;
                assert_eq!(&*calls.producer_left().await.0.stage, "a");
                pending(consumer.outcome()).await;
                // The one that is left is served.
                c.call(emit([7])).await.unwrap();
                assert_eq!(calls.events().await, [7]);
                third.bring_about(&c).await;
                calls.producer_left().await;
                let outcome = soon(consumer.outcome()).await;
                assert_eq!(
                    word(&outcome),
                    "completed",
                    "{first:?} {second:?} {third:?}"
                );
                assert_eq!(word(&calls.terminated().await), "completed");
            }
        }
    }
}

/// What the other modes do with the same pool: the reason for a mode of its own.
#[tokio::test(start_paused = true)]
async fn no_other_mode_does() {
    let (a, b) = (member("a"), member("b"));
    let (permanent, _calls) = consumer(&[&a, &b], CancelMode::Permanent);
    let (transient, mut calls) = consumer(&[&a, &b], CancelMode::Transient);
    calls.producer_joined().await;
    calls.producer_joined().await;
    a.stop("resized");
    assert_eq!(word(&soon(permanent.outcome()).await), "cancelled");
    b.cast(act(|out| {
        out.complete();
        Ok(())
    }))
    .unwrap();
    soon(b.outcome()).await;
    pending(transient.outcome()).await;
}

/// What a failed member had sent is handled; what it had buffered is counted.
#[tokio::test(start_paused = true)]
async fn what_a_failed_member_had_sent_is_handled() {
    let pipeline = Pipeline::new();
    let good = from_iter(0..100u64).stage().in_group(&pipeline).spawn();
    let bad = from_iter(100..200u64).stage().in_group(&pipeline).spawn();
    let bad = map(|n: u64| {
        assert!(n < 150, "one too many");
        n
    })
    .stage()
    .name("bad")
    .expendable()
    .subscribe_to(bad.subscription().max_demand(1))
    .in_group(&pipeline)
    .spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(good.subscription().on_cancel(CancelMode::Pooled))
        .subscribe_to(bad.subscription().on_cancel(CancelMode::Pooled))
        .in_group(&pipeline)
        .spawn();
    assert_eq!(soon(sum.output()).await.unwrap(), (0..150).sum::<u64>());
    failure(soon(bad.join()).await);
    pipeline.stop("done");
    soon(pipeline.join()).await.unwrap_err();
    stage_test::assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_relay_of_a_pool_completes_and_so_do_its_consumers() {
    let (a, b) = (member("a"), member("b"));
    let (probe, mut calls) = RelayProbe::<u64, u64>::new(|events, out| {
        out.extend(events);
        Ok(())
    });
    let relay = probe
        .stage()
        .subscribe_to(pooled(&a))
        .subscribe_to(pooled(&b))
        .spawn();
    let all = fold(Vec::new(), |mut all, n: u64| {
        all.push(n);
        all
    });
    let all = all.stage().subscribe_to(&relay).spawn();
    calls.producer_joined().await;
    calls.producer_joined().await;
    a.call(emit([1])).await.unwrap();
    End::Failed.bring_about(&a).await;
    pending(relay.outcome()).await;
    b.call(emit([2])).await.unwrap();
    End::Cancelled.bring_about(&b).await;
    soon(relay.join()).await.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), [1, 2]);
}

/// A permanent subscription keeps its effect beside pooled ones, and a temporary one
/// has to end as well before the consumer completes.
#[tokio::test(start_paused = true)]
async fn beside_other_modes_each_keeps_its_effect() {
    for end in End::ALL {
        for pool_first in [false, true] {
            let (a, b, other) = (member("a"), member("b"), member("other"));
            let (probe, mut calls) = ConsumerProbe::<u64>::new();
            let consumer = probe
                .stage()
                .subscribe_to(pooled(&a))
                .subscribe_to(pooled(&b))
                .subscribe_to(&other)
                .spawn();
            for _ in 0..3 {
                calls.producer_joined().await;
            }
            let ends_at_once = !matches!(end, End::Completed);
            if pool_first {
                End::Failed.bring_about(&a).await;
                End::Cancelled.bring_about(&b).await;
                pending(consumer.outcome()).await;
                end.bring_about(&other).await;
            } else {
                end.bring_about(&other).await;
                if !ends_at_once {
                    pending(consumer.outcome()).await;
                    End::Failed.bring_about(&a).await;
                    pending(consumer.outcome()).await;
                    End::Cancelled.bring_about(&b).await;
                }
            }
            let expected = match end {
                End::Completed => "completed",
                End::Cancelled => "cancelled",
                End::Failed => "failed",
            };
            assert_eq!(word(&soon(consumer.outcome()).await), expected, "{end:?}");
        }
    }

    let (a, side) = (member("a"), member("side"));
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let terms = side.subscription().on_cancel(CancelMode::Temporary);
    let consumer = probe
        .stage()
        .subscribe_to(pooled(&a))
        .subscribe_to(terms)
        .spawn();
    calls.producer_joined().await;
    calls.producer_joined().await;
    End::Failed.bring_about(&a).await;
    pending(consumer.outcome()).await;
    End::Cancelled.bring_about(&side).await;
    soon(consumer.join()).await.unwrap();
}

/// A pool is resized: one joins, another is cancelled, and one is replaced.
#[tokio::test(start_paused = true)]
async fn a_pool_may_be_resized() {
    let (a, b, c) = (member("a"), member("b"), member("c"));
    let (consumer, mut calls) = consumer(&[], CancelMode::Pooled);
    let first = soon(consumer.subscribe(pooled(&a))).await.unwrap();
    let second = soon(consumer.subscribe(pooled(&b))).await.unwrap();
    consumer.cancel(first, "too many");
    pending(consumer.outcome()).await;
    let third = soon(consumer.resubscribe(second, "another", pooled(&c)))
        .await
        .unwrap();
    pending(consumer.outcome()).await;
    for _ in 0..3 {
        calls.producer_joined().await;
    }
    c.call(emit([1])).await.unwrap();
    consumer.cancel(third, "enough");
    soon(consumer.join()).await.unwrap();
    assert!(!a.is_ended() && !b.is_ended() && !c.is_ended());
}

/// A member that has ended before it is subscribed to is one that has ended, in
/// whatever way.
#[tokio::test(start_paused = true)]
async fn a_member_that_ended_before_counts_as_ended() {
    for end in End::ALL {
        let (gone, lives) = (member("gone"), member("lives"));
        end.bring_about(&gone).await;
        let (consumer, mut calls) = consumer(&[&gone, &lives], CancelMode::Pooled);
        assert_eq!(&*calls.producer_left().await.0.stage, "gone");
        pending(consumer.outcome()).await;
        End::Failed.bring_about(&lives).await;
        soon(consumer.join()).await.unwrap();
    }
    // One whose runtime is gone.
    let absent = std::thread::spawn(|| {
        let home = Builder::new_current_thread().build().unwrap();
        home.block_on(async { member("absent") })
    });
    let absent = absent.join().unwrap();
    let lives = member("lives");
    let (consumer, _calls) = consumer(&[&absent, &lives], CancelMode::Pooled);
    pending(consumer.outcome()).await;
    let refused = soon(consumer.subscribe(pooled(&absent))).await;
    assert!(matches!(refused, Err(SubscribeError::ProducerEnded { .. })));
    pending(consumer.outcome()).await;
    lives.stop("enough");
    soon(consumer.join()).await.unwrap();
}

/// A refusal is a mistake of the one who wired the stages and no end of a producer: it
/// fails a consumer that was spawned with it, and is an error for the caller of
/// `subscribe`.
#[tokio::test(start_paused = true)]
async fn a_member_that_refuses_fails_the_consumer() {
    let parts = Partition::by_index(1, |_: &u64| Some(0)).unwrap();
    let parts = from_iter(0..1_000_000u64).stage().dispatcher(parts).spawn();
    let lives = member("lives");
    let refused = ConsumerProbe::<u64>::new().0;
    let refused = refused
        .stage()
        .name("refused")
        .subscribe_to(pooled(&lives))
        .subscribe_to(parts.partition(7).on_cancel(CancelMode::Pooled))
        .spawn();
    let failure = failure(soon(refused.join()).await);
    assert_eq!(failure.stage(), "refused");
    assert!(failure.to_string().contains("no partition 7"), "{failure}");

    let (consumer, _calls) = consumer(&[&lives], CancelMode::Pooled);
    let terms = parts.partition(7).on_cancel(CancelMode::Pooled);
    let error = soon(consumer.subscribe(terms)).await;
    assert!(matches!(
        error,
        Err(SubscribeError::UnknownPartition { .. })
    ));
    pending(consumer.outcome()).await;
}

/// A supervised member that restarts has not ended.
#[tokio::test(start_paused = true)]
async fn a_member_that_restarts_has_not_ended() {
    let lives = supervised(|| ProducerProbe::<u64>::silent().0);
    let lives = lives.stage().name("lives").spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let terms = lives.subscription().on_cancel(CancelMode::Pooled);
    let consumer = probe.stage().subscribe_to(terms).spawn();
    calls.producer_joined().await;
    lives.cast(act(|_| fail("oops"))).unwrap();
    pending(consumer.outcome()).await;
    assert_eq!(lives.stats().restarts, 1);
    lives.call(emit([3])).await.unwrap();
    assert_eq!(calls.events().await, [3]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_fails_is_traced_by_name() {
    let (log, _guard) = Log::listen(tracing::Level::DEBUG);
    let (bad, stopped) = (member("bad"), member("stopped"));
    let (consumer, mut calls) = consumer(&[&bad, &stopped], CancelMode::Pooled);
    calls.producer_joined().await;
    calls.producer_joined().await;
    End::Failed.bring_about(&bad).await;
    End::Cancelled.bring_about(&stopped).await;
    soon(consumer.join()).await.unwrap();
    let text = log.text();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("a producer of the pool failed"))
        .collect();
    let [line] = lines[..] else {
        panic!("{lines:#?}");
    };
    assert!(line.contains("DEBUG") && line.contains("batcher"), "{line}");
    assert!(
        line.contains("producer=bad") && line.contains("broken"),
        "{line}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pool_drains_as_any_pipeline() {
    let pipeline = Pipeline::new();
    let mut count = fold(0, |count, _: u64| count + 1u64).stage();
    let mut members = Vec::new();
    for n in 0..8u64 {
        let member = from_iter(n * 1_000_000..)
            .stage()
            .in_group(&pipeline)
            .spawn();
        count = count.subscribe_to(member.subscription().on_cancel(CancelMode::Pooled));
        members.push(member);
    }
    let count = count.in_group(&pipeline).spawn();
    // They are busy: paused time does not pass.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let second = std::time::Duration::from_secs(1);
    soon(pipeline.drain(second)).await.unwrap();
    let emitted: u64 = members.iter().map(|member| member.stats().events_out).sum();
    assert_eq!(soon(count.output()).await.unwrap(), emitted);
}
