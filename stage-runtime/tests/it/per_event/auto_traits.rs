//! Auto traits are part of the interface. Nothing here runs, all of it has to
//! compile.

use stage_core::StageResult;
use stage_runtime::per_event::{
    ChildCounts, ChildCountsHandle, ChildId, ChildInfo, PerEvent, PerEventError, Plain, Shutdown,
    ShutdownSignal, StartChild, StopChild, Stopping,
};

fn send<T: Send + 'static>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}

type Work = fn(u64) -> std::future::Ready<StageResult>;

#[test]
fn what_crosses_threads_may() {
    send::<PerEvent<Plain<Work>, u64>>();
    send::<PerEventError>();
    sync::<PerEventError>();
    send::<Stopping>();
    sync::<Stopping>();
    unpin::<Stopping>();
    send::<ShutdownSignal>();
    sync::<ShutdownSignal>();
    send::<ChildCountsHandle>();
    sync::<ChildCountsHandle>();
    send::<(ChildCounts, ChildId, ChildInfo, Shutdown)>();
    send::<(StartChild<u64>, StopChild)>();
}

/// A handle can be kept in a struct: the type of a stage of a function pointer
/// can be written down.
#[test]
fn the_type_of_a_stage_can_be_named() {
    let _: PerEvent<Plain<Work>, u64> =
        stage_runtime::per_event((|_| std::future::ready(Ok(()))) as Work);
}
