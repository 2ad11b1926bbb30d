//! [`start`]: the acknowledged pipeline.
//!
//! ```text
//! topic `orders` -> decode -> enrich (32 at a time) -> batches -> table
//!        |             |         |                        |
//!        +- rate limit +- wrong? +- no answer?            +- stored? acked
//!                         dead      again, later
//! ```
//!
//! A message is acknowledged when its batch is stored, and not before. Whatever happens until
//! then, the queue has it, and delivers it again.

use std::time::Duration;

use stage_pipeline::policy::{Rate, RateLimit, Retry};
use stage_pipeline::{
    AckedPipeline, Batcher, Failed, Guarantee, Message, Step, Transform, acked, transform_fn,
};
use stage_queue::Topic;
use stages::BoxError;

use super::enqueue::LINE_HEADER;
use super::lookup::Customers;
use super::order::{Order, OrderError, PricedOrder};
use super::store::Store;

/// How many answers of the customer service are waited for at once.
const REQUESTS: usize = 32;

/// Options of the pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PipelineOptions {
    /// Orders a second; 0 for no limit.
    pub(crate) rate: u32,
    /// The most orders of a batch.
    pub(crate) batch: usize,
}

/// Starts to process the orders of a topic. It goes on until it is drained: orders may come
/// at any time.
///
/// # Errors
///
/// [`RateError`](stage_pipeline::policy::RateError) or [`BuildError`](stage_pipeline::BuildError)
/// if an option is invalid.
pub(crate) fn start(
    topic: &Topic,
    store: &Store,
    options: PipelineOptions,
) -> Result<AckedPipeline<Vec<u8>>, BoxError> {
    let (topic, store) = (topic.clone(), store.clone());
    let mut pipeline = acked("orders")
        .source(move || topic.source())
        // Refuses to start if an order could get lost on any edge.
        .require(Guarantee::Durable)
        // The deliveries of processes that were killed count, too.
        .retry(
            Retry::default()
                .max_deliveries(10)
                .backoff(Duration::from_millis(100), Duration::from_secs(5)),
        );
    if options.rate > 0 {
        // After a pause a tenth of a second's orders may go at once, and not all of them.
        let burst = (options.rate / 10).max(1);
        let rate = Rate::per_second(options.rate).with_burst(burst)?;
        pipeline = pipeline.rate_limit(&RateLimit::new(rate));
    }
    let running = pipeline
        .transform(Step::new("decode").concurrency(1).max_demand(64), || {
            transform_fn(decode)
        })
        // Demand is small, so that orders do not wait in one member while another is idle.
        .transform(
            Step::new("enrich").concurrency(REQUESTS).max_demand(2),
            || Enrich(Customers),
        )
        .batcher(
            Batcher::new("store")
                .size(options.batch)
                .timeout(Duration::from_millis(200)),
            move || store.handler(),
        )
        .start()?;
    Ok(running)
}

/// An order that is wrong becomes a dead letter at once.
fn decode(message: &mut Message<Vec<u8>>) -> Result<Order, Failed> {
    Order::decode(&message.data).map_err(Failed::reject)
}

/// Asks for the customer of each order.
struct Enrich(Customers);

impl Transform for Enrich {
    type In = Order;
    type Out = PricedOrder;

    /// Without an answer the order is tried again, as the retry policy says. An answer that
    /// there is no such customer is final.
    async fn transform(&mut self, message: &mut Message<Order>) -> Result<PricedOrder, Failed> {
        let delivery = message.metadata().deliveries();
        let order = &message.data;
        let customer = self.0.find(&order.customer, &order.id, delivery).await?;
        let Some(customer) = customer else {
            return Err(Failed::reject(OrderError::Customer(order.customer.clone())));
        };
        order
            .priced(&customer, line_of(message))
            .map_err(Failed::reject)
    }
}

fn line_of<T>(message: &Message<T>) -> Option<u64> {
    let line = message.metadata().header(LINE_HEADER)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}
