//! Own: several producers into one consumer, which end at different times and in different
//! different ways, with each `Cancel` mode: outcomes are what the table says, and what
//! arrived before is handled.

use super::support::*;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;

struct Ends(u64, u64);

impl Producer for Ends {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        let Self(left, how) = self;
        if *left == 0 {
            match how {
                0 => out.complete(),
                1 => return Err("the end".into()),
                _ => panic!("stumbled"),
            }
        } else {
            *left -= 1;
            out.push(*how);
            out.again();
        }
        Ok(())
    }
}

#[test]
fn what_a_failing_producer_had_sent_is_handled_before_its_failure_is_heard_of() {
    for round in 0..rounds(10) as u64 {
        both(8, move || async move {
            let sent = 5 + round % 20;
            for how in [0, 1, 2] {
                for cancel in [
                    CancelMode::Permanent,
                    CancelMode::Transient,
                    CancelMode::Temporary,
                ] {
                    let ends = Ends(sent, how).stage().spawn();
                    let other = from_iter([7_u64; 3]).stage().spawn();
                    let seen = seen();
                    let sink = slow(&seen, 0).stage();
                    let sink = sink
                        .subscribe_to(
                            ends.subscription()
                                .max_demand(1 + round as usize % 3)
                                .on_cancel(cancel),
                        )
                        .subscribe_to(other.subscription().on_cancel(CancelMode::Temporary))
                        .spawn();
                    let ends_it = match how {
                        0 => cancel == CancelMode::Permanent,
                        _ => cancel != CancelMode::Temporary,
                    };
                    let came = || seen.lock().unwrap().iter().filter(|n| **n == how).count();
                    until("all that it sent has come", || came() as u64 == sent).await;
                    // What does not end it is given the time to.
                    let ended = within(if ends_it { 5000 } else { 10 }, sink.outcome()).await;
                    let all = seen.lock().unwrap().iter().filter(|n| **n == how).count() as u64;
                    match (how, cancel, ended) {
                        (0, CancelMode::Permanent, Some(Outcome::Completed)) => {}
                        (
                            1 | 2,
                            CancelMode::Permanent | CancelMode::Transient,
                            Some(Outcome::Failed(_)),
                        ) => {}
                        (_, _, None) if cancel != CancelMode::Permanent => {}
                        (how, cancel, ended) => panic!("{how} {cancel:?} {ended:?}"),
                    }
                    assert_eq!(all, sent, "{all} of {sent} with {how} {cancel:?}");
                    sink.stop("done");
                    other.stop("done");
                    ends.stop("done");
                }
            }
        });
    }
}
