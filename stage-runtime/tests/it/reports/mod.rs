//! Programs after public bug reports of other pipelines, and mean situations of
//! our own: what a user would rightly expect.
//!
//! Each file names its reference in its first lines. Cases run on both kinds of
//! runtime, or with paused time alone where times have to be exact. All fail when
//! they take too long.
//!
//! | file | what a user expects |
//! |---|---|
//! | `cancelled_then_stopped` | what had arrived over a cancelled subscription goes back to its producer |
//! | `channel_at_the_end` | what a channel had taken in is handled or counted when a pipeline drains |
//! | `failing_producers` | what a failing producer had sent is handled before its failure arrives |
//! | `gathered` | what a stage has gathered and cannot emit comes later, or is counted |
//! | `heartbeats` | a stage beats on time while its neighbours are slow, and notices a silent server |
//! | `its_own_batch` | a handler may replace its batch, and cannot hang the pipeline with that |
//! | `its_own_pipeline` | a handler may end its pipeline, and is told what it cannot wait for |
//! | `late_acks` | a source stays until its messages are acknowledged, and no longer |
//! | `late_polls` | what a poll brings after a drain has begun is given back |
//! | `late_while_draining` | a subscription made during a drain does not hold the drain up |
//! | `leases` | leases are renewed while messages wait, and given up when their consumer is gone |
//! | `let_go_first` | a stage has let go of all it had before it says that it has ended |
//! | `many_groups` | many partitions with room for few events go on, or say who holds them up |
//! | `moving` | consumers that move between producers lose and double nothing |
//! | `no_false_success` | a source that fails is not taken for one that has ended |
//! | `offers_after_the_end` | whoever sends to a source that has ended is told so |
//! | `partition_handed_over` | a partition that changes hands keeps its order |
//! | `rate_limited` | a limit is shared by all consumers, is named, and can be raised at once |
//! | `restart_wait` | what a stage is told while it waits to be restarted is not missed |
//! | `restarting_while_draining` | a source that restarts during a drain fetches nothing |
//! | `resubscribing` | a consumer that comes back is new demand |
//! | `sink_replaced` | a sink is replaced under load |
//! | `standstills` | explanations, reports and sums are true where the culprit is no ordinary stage |
//! | `subscribers_come_and_go` | subscribers that leave leave nothing behind |
//! | `subscribing_while_completing` | a subscription is refused or served, whatever its consumer does |
//! | `supervised_per_event` | events that a `per_event` stage has done are not counted as lost |
//! | `timed_batches` | a batch is written when it is full or old enough: not before, not later, not empty |
//! | `wakers` | a waker that many threads wake misses nothing |
//! | `without_end` | a source without end and demand without limit leave others their turn |

mod broker;
mod support;

mod cancelled_then_stopped;
mod channel_at_the_end;
mod failing_producers;
mod gathered;
mod heartbeats;
mod its_own_batch;
mod its_own_pipeline;
mod late_acks;
mod late_polls;
mod late_while_draining;
mod leases;
mod let_go_first;
mod many_groups;
mod moving;
mod no_false_success;
mod offers_after_the_end;
mod partition_handed_over;
mod rate_limited;
mod restart_wait;
mod restarting_while_draining;
mod resubscribing;
mod sink_replaced;
mod standstills;
mod subscribers_come_and_go;
mod subscribing_while_completing;
mod supervised_per_event;
mod timed_batches;
mod wakers;
mod without_end;
