//! Dispatchers move into the task of their producer.

use stage_dispatchers::{Broadcast, Demand, Partition, PartitionError, Selector};

#[test]
fn dispatchers_can_be_sent() {
    fn is_send<T: Send>() {}
    is_send::<Demand<String>>();
    is_send::<Broadcast<String>>();
    is_send::<Selector<String>>();
    is_send::<Partition<String>>();
    is_send::<Partition<String, &'static str>>();
    is_send::<PartitionError>();
}

/// `Demand` holds no event, so it asks nothing of one.
#[test]
fn demand_asks_nothing_of_its_events() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Demand<std::rc::Rc<()>>>();
}
