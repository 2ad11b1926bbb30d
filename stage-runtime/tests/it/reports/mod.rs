//! Programs after public bug reports of other pipelines, and mean situations of
//! our own: what a user would rightly expect.
//!
//! Each file names its reference in its first lines. Every case runs on both
//! kinds of runtime and fails when it takes too long.
//!
//! | file | what a user expects |
//! |---|---|
//! | `cancelled_then_stopped` | what had arrived over a cancelled subscription goes back to its producer |
//! | `channel_at_the_end` | what a channel had taken in is handled or counted when a pipeline drains |
//! | `failing_producers` | what a failing producer had sent is handled before its failure arrives |
//! | `its_own_batch` | a handler may replace its batch, and cannot hang the pipeline with that |
//! | `late_while_draining` | a subscription made during a drain does not hold the drain up |
//! | `many_groups` | many partitions with room for few events go on, or say who holds them up |
//! | `moving` | consumers that move between producers lose and double nothing |
//! | `no_false_success` | a source that fails is not taken for one that has ended |
//! | `offers_after_the_end` | whoever sends to a source that has ended is told so |
//! | `partition_handed_over` | a partition that changes hands keeps its order |
//! | `resubscribing` | a consumer that comes back is new demand |
//! | `restart_wait` | what a stage is told while it waits to be restarted is not missed |
//! | `sink_replaced` | a sink is replaced under load |
//! | `subscribers_come_and_go` | subscribers that leave leave nothing behind |
//! | `subscribing_while_completing` | a subscription is refused or served, whatever its consumer does |
//! | `supervised_per_event` | events that a `per_event` stage has done are not counted as lost |
//! | `wakers` | a waker that many threads wake misses nothing |

mod support;

mod cancelled_then_stopped;
mod channel_at_the_end;
mod failing_producers;
mod its_own_batch;
mod late_while_draining;
mod many_groups;
mod moving;
mod no_false_success;
mod offers_after_the_end;
mod partition_handed_over;
mod restart_wait;
mod resubscribing;
mod sink_replaced;
mod subscribers_come_and_go;
mod subscribing_while_completing;
mod supervised_per_event;
mod wakers;
