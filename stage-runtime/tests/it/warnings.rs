//! What a full buffer discards is counted exactly, and said in a warning that
//! a subscriber of traces may filter out (B4).

use crate::common::log::Log;
use stage_runtime::ProducerHandle;
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tracing::Level;

fn full(keep: Overflow) -> ProducerHandle<ProducerProbe<char>> {
    let (probe, _) = ProducerProbe::silent();
    let builder = probe.stage().name("leaky").buffer_size(5);
    builder.on_overflow(keep).spawn()
}

/// What a consumer gets that asks for as much as there is.
async fn rest(source: &ProducerHandle<ProducerProbe<char>>) -> String {
    let (probe, mut calls) = ConsumerProbe::new();
    let terms = source.subscription().max_demand(5).min_demand(0);
    probe.stage().subscribe_to(terms).spawn();
    calls.gather(5).await.into_iter().collect()
}

/// GS113 GS114 GS116 GS117
#[tokio::test(start_paused = true)]
async fn a_full_buffer_warns_with_the_count_of_what_it_discarded() {
    for (keep, kept) in [
        (Overflow::DropNewest, "abcde"),
        (Overflow::DropOldest, "defgh"),
    ] {
        let (log, _guard) = Log::listen(Level::INFO);
        let source = full(keep);
        source.call(emit("abcde".chars())).await.unwrap();
        assert_eq!(log.lines(), [""; 0]);
        source.call(emit("fgh".chars())).await.unwrap();
        let lines = log.lines();
        let [warning] = lines.as_slice() else {
            panic!("one warning for one overflow: {lines:#?}");
        };
        for word in ["WARN", "name=leaky", "events discarded", "count=3"] {
            assert!(warning.contains(word), "`{word}` is missing in: {warning}");
        }
        assert_eq!(source.stats().discarded, 3);
        assert_eq!(rest(&source).await, kept);
        assert_eq!(log.lines(), [""; 0], "taking discards nothing");
    }
}

/// GS118, where a callback keeps the log quiet; here it is a level.
#[tokio::test(start_paused = true)]
async fn the_warning_can_be_filtered_out_and_the_count_stays() {
    let (log, _guard) = Log::listen(Level::ERROR);
    let source = full(Overflow::DropNewest);
    source.call(emit("abcdefgh".chars())).await.unwrap();
    assert_eq!(source.stats().discarded, 3);
    assert_eq!(rest(&source).await, "abcde");
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_warning_names_its_stage_also_where_only_warnings_are_kept() {
    let (log, _guard) = Log::listen(Level::WARN);
    let source = full(Overflow::DropNewest);
    source.call(emit("abcdefgh".chars())).await.unwrap();
    let lines = log.lines();
    assert!(
        lines.iter().all(|line| line.contains("leaky")),
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 1, "{lines:#?}");
}
