//! A gate that is shut while consumers come and go (G1 to G3, X10).

use crate::common::{pending, soon};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

/// GS107
#[tokio::test(start_paused = true)]
async fn what_is_emitted_when_all_have_left_is_kept_for_those_who_come() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let former = [(); 2].map(|()| ConsumerProbe::<u64>::new().0.stage());
    let former = former.map(|builder| builder.subscribe_to(&source).spawn());
    assert_eq!(above.demand().await, 1000);
    pending(source.outcome()).await;
    source.set_gate(Gate::Closed);
    for consumer in former {
        consumer.stop("enough");
        soon(consumer.outcome()).await;
        above.consumer_left().await;
    }
    for n in 1..=4 {
        source.call(emit([n])).await.unwrap();
    }
    let (one, mut ones) = ConsumerProbe::new();
    let (two, mut twos) = ConsumerProbe::new();
    one.stage().subscribe_to(&source).spawn();
    two.stage().subscribe_to(&source).spawn();
    for calls in [&mut ones, &mut twos] {
        calls.producer_joined().await;
        calls.quiet().await;
    }
    assert_eq!(source.stats().buffered, 4);
    source.set_gate(Gate::Open);
    assert_eq!(ones.gather(4).await, [1, 2, 3, 4]);
    assert_eq!(twos.gather(4).await, [1, 2, 3, 4]);
    assert_eq!(source.stats().buffered, 0);
}
