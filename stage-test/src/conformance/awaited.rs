//! The rule that, while a dispatcher as a whole waits for one subscriber, an
//! ask of another has no effect: its producer defers such asks.

use stage_core::{Bottleneck, Dispatcher};

use super::rule::{Broken, at};
use super::script::script;
use super::stand::Stand;
use super::{Conformance, TestEvent};

pub(super) fn check<D: Dispatcher>(suite: &Conformance<D>, seed: u64) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    let mut stand = Stand::new(suite);
    for (index, op) in script(seed, suite.subscribers).into_iter().enumerate() {
        let bottleneck = stand.dispatcher.bottleneck();
        let awaited = bottleneck.as_ref().and_then(Bottleneck::awaited);
        let Some(step) = stand.step(op) else {
            continue;
        };
        if let (Some(awaited), Some((id, _))) = (awaited, step.asked)
            && id != awaited
            && (step.demand > 0 || !step.delivered.is_empty())
        {
            let wanted = step.demand;
            return Err(at(index)(format!(
                "it waited for {awaited} alone, but when {id} asked it delivered {:?} and \
                 wanted {wanted}; its `bottleneck` is to name a part, or nobody",
                step.delivered
            )));
        }
    }
    Ok(())
}
