//! Auto traits are part of the interface: what is `Send` today stays `Send`.
//!
//! In the style of tokio's `tests/async_send_sync.rs`: nothing here runs, all
//! of it has to compile.

use std::cell::Cell;
use std::rc::Rc;

use stage_core::{
    Batch, BoxError, Context, DemandLimits, Emitter, Failure, Info, Outcome, Peer, Reason,
    SubscribeError, SubscriptionId,
};
use stage_runtime::prelude::*;
use stage_runtime::{
    CallError, CastError, Error, EventStream, SpawnError, StageRef, StageStats,
    handle::{Caller, Emits, Nothing, Outlet, ProducerRef, StageControl},
    operators::{Fold, FromIter},
};
use stage_runtime::{ConsumerHandle, ProducerConsumerHandle, ProducerHandle};

fn require_send<T: Send>(_: &T) {}
fn require_sync<T: Sync>(_: &T) {}
fn require_unpin<T: Unpin>(_: &T) {}
fn require_static<T: 'static>(_: &T) {}

trait AmbiguousIfSend<A> {
    fn some_item(&self) {}
}
impl<T: ?Sized> AmbiguousIfSend<()> for T {}
impl<T: ?Sized + Send> AmbiguousIfSend<u8> for T {}

trait AmbiguousIfSync<A> {
    fn some_item(&self) {}
}
impl<T: ?Sized> AmbiguousIfSync<()> for T {}
impl<T: ?Sized + Sync> AmbiguousIfSync<u8> for T {}

macro_rules! check {
    ($value:expr; Send) => {
        require_send(&$value)
    };
    ($value:expr; !Send) => {
        AmbiguousIfSend::some_item(&$value)
    };
    ($value:expr; Sync) => {
        require_sync(&$value)
    };
    ($value:expr; !Sync) => {
        AmbiguousIfSync::some_item(&$value)
    };
    ($value:expr; Unpin) => {
        require_unpin(&$value)
    };
    ($value:expr; !Unpin) => {
        AmbiguousIfUnpin::some_item(&$value)
    };
    ($value:expr; Static) => {
        require_static(&$value)
    };
}

macro_rules! values {
    ($($type:ty: $(($($is:tt)+))+;)+) => {
        $(
            #[allow(unreachable_code, unused_variables, clippy::diverging_sub_expression)]
            const _: fn() = || {
                let value: $type = unreachable!();
                $(check!(value; $($is)+);)+
            };
        )+
    };
}

macro_rules! futures {
    ($(|$($arg:ident: $type:ty),*| $call:expr => $(($($is:tt)+))+;)+) => {
        $(
            #[allow(unreachable_code, unused_variables, clippy::diverging_sub_expression)]
            const _: fn() = || {
                $(let $arg: $type = unreachable!();)*
                let value = $call;
                $(check!(value; $($is)+);)+
            };
        )+
    };
}

/// A stage that is `Send`, as all have to be, but not `Sync`.
struct Odd(Cell<u64>);

impl Producer for Odd {
    type Event = Cell<u64>;

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, Cell<u64>>) -> StageResult {
        Ok(())
    }
}

impl Consumer for Odd {
    type Event = Cell<u64>;

    async fn handle_events(
        &mut self,
        _: &mut Batch<Cell<u64>>,
        _: &mut Context<'_>,
    ) -> StageResult {
        Ok(())
    }
}

impl Handler<Cell<u64>, Cell<u64>> for Odd {
    type Reply = Cell<u64>;

    async fn handle(
        &mut self,
        message: Cell<u64>,
        _: &mut Emitter<'_, Cell<u64>>,
    ) -> StageResult<Cell<u64>> {
        Ok(Cell::new(self.0.get() + message.get()))
    }
}

type OddProducer = ProducerHandle<Odd>;
type OddConsumer = ConsumerHandle<Odd>;
type OddRelay =
    ProducerConsumerHandle<stage_runtime::operators::Map<fn(u8) -> Cell<u8>, u8, Cell<u8>>>;
type OddFold = ConsumerHandle<Fold<Cell<u64>, fn(Cell<u64>, u64) -> Cell<u64>, u64>>;
type OddRef = StageRef<Odd, Nothing, Emits<Cell<u64>, ()>>;

values! {
    OddProducer: (Send) (Sync) (Unpin) (Static);
    OddConsumer: (Send) (Sync) (Unpin) (Static);
    OddRelay: (Send) (Sync) (Unpin) (Static);
    OddRef: (Send) (Sync) (Unpin) (Static);
    ProducerRef<Odd, Selector<Cell<u64>>>: (Send) (Sync) (Unpin) (Static);
    StageControl: (Send) (Sync) (Unpin) (Static);
    Outlet<Cell<u64>>: (Send) (Sync) (Unpin) (Static);
    Outlet<Rc<u64>, Rc<u64>>: (Send) (Sync) (Unpin) (Static);
    Caller<Cell<u64>, Cell<u64>>: (Send) (Sync) (Unpin) (Static);
    Caller<Rc<u64>, Rc<u64>>: (Send) (Sync) (Unpin) (Static);
    ProducerHandle<Odd, Selector<Cell<u64>>>: (Send) (Sync) (Unpin) (Static);
    Subscription<Cell<u64>>: (Send) (!Sync) (Unpin) (Static);
    EventStream<u64>: (Send) (Unpin) (Static);
    EventStream<Cell<u64>>: (Send) (Unpin) (Static);
    EventStream<std::marker::PhantomPinned>: (Send) (Unpin) (Static);
    FromIter<std::vec::IntoIter<u64>>: (Send) (Sync) (Unpin) (Static);
    FromIter<std::vec::IntoIter<Rc<u64>>>: (!Send) (!Sync);
    Error: (Send) (Sync) (Unpin) (Static);
    SpawnError: (Send) (Sync) (Unpin) (Static);
    SubscribeError: (Send) (Sync) (Unpin) (Static);
    CallError: (Send) (Sync) (Unpin) (Static);
    CastError<u64>: (Send) (Sync) (Unpin) (Static);
    CastError<Cell<u64>>: (Send) (!Sync) (Unpin) (Static);
    CastError<Rc<u64>>: (!Send) (!Sync) (Unpin) (Static);
    BoxError: (Send) (Sync) (Unpin) (Static);
    Failure: (Send) (Sync) (Unpin) (Static);
    Outcome: (Send) (Sync) (Unpin) (Static);
    Reason: (Send) (Sync) (Unpin) (Static);
    Peer: (Send) (Sync) (Unpin) (Static);
    Info: (Send) (!Sync) (Unpin) (Static);
    StageStats: (Send) (Sync) (Unpin) (Static);
    SubscriptionId: (Send) (Sync) (Unpin) (Static);
    DemandLimits: (Send) (Sync) (Unpin) (Static);
    Batch<u64>: (Send) (Sync) (Unpin) (Static);
    Batch<Cell<u64>>: (Send) (!Sync) (Unpin) (Static);
    Context<'_>: (Send) (!Sync) (Unpin);
    Emitter<'_, u64>: (Send) (!Sync) (Unpin);
}

futures! {
    |handle: OddProducer| handle.join() => (Send) (Static);
    |handle: OddConsumer| handle.join_stage() => (Send) (Static);
    |handle: OddRef| handle.outcome() => (Send);
    |handle: OddRef, message: Cell<u64>| handle.call(message) => (Send);
    |caller: Caller<Cell<u64>, Cell<u64>>, message: Cell<u64>| caller.call(message) => (Send);
    |control: StageControl| control.outcome() => (Send);
    |handle: OddConsumer, to: Subscription<Cell<u64>>| handle.subscribe(to) => (Send);
    |handle: OddConsumer, old: SubscriptionId, to: Subscription<Cell<u64>>|
        handle.resubscribe(old, "moved", to) => (Send);
    |handle: OddFold| handle.output() => (Send) (Static);
}

#[test]
fn auto_traits_are_checked_by_the_compiler() {
    // An error of this crate is an error to everyone.
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    is_error::<Error>();
    is_error::<SpawnError>();
    is_error::<CallError>();
    is_error::<CastError<u64>>();
    is_error::<SubscribeError>();
    is_error::<Failure>();
}
