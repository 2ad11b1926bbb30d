//! A queue does what a simple model of it does.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use stage_core::{Bound, Commands, Emitter, Producer};
use stage_runtime::queue::{PushError, QueueOptions, WhenFull, queue};

use super::said;

#[derive(Debug, Clone)]
enum Step {
    /// Pushes an event of this weight.
    Push(usize),
    /// Begins a `send`, and polls it once.
    Send(usize),
    /// Drops a `send` that waits or has room.
    Forget(usize),
    /// The source is asked.
    Take(usize),
    Finish,
    Detach,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0_usize..6).prop_map(Step::Push),
        5 => (0_usize..6).prop_map(Step::Send),
        2 => (0_usize..4).prop_map(Step::Forget),
        4 => (1_usize..6).prop_map(Step::Take),
        1 => Just(Step::Finish),
        1 => Just(Step::Detach),
    ];
    prop::collection::vec(step, 1..60)
}

/// An event: its number and weight.
type Event = (usize, usize);

fn weigh(event: &Event) -> usize {
    event.1
}

struct Model {
    limit: usize,
    in_bytes: bool,
    policy: WhenFull,
    events: VecDeque<Event>,
    /// Sends in their order: the event, and whether it has room.
    sends: Vec<(Event, bool)>,
    open: bool,
    detached: bool,
}

impl Model {
    fn weight(&self, event: &Event) -> usize {
        if self.in_bytes { event.1.max(1) } else { 1 }
    }

    fn used(&self) -> usize {
        let stored: usize = self.events.iter().map(|event| self.weight(event)).sum();
        let given = self.sends.iter().filter(|(_, has_room)| *has_room);
        stored + given.map(|(event, _)| self.weight(event)).sum::<usize>()
    }

    fn fits(&self, event: &Event) -> bool {
        self.used() == 0 || self.used() + self.weight(event) <= self.limit
    }

    fn waits(&self) -> bool {
        self.sends.iter().any(|(_, has_room)| !has_room)
    }

    fn push(&mut self, event: Event) -> (&'static str, Vec<Event>) {
        if !self.open {
            return ("gone", vec![event]);
        }
        if self.fits(&event) && !self.waits() {
            self.events.push_back(event);
            return ("stored", vec![]);
        }
        match self.policy {
            WhenFull::DropNewest => ("shed", vec![event]),
            WhenFull::DropOldest => {
                let mut shed = vec![];
                while !self.fits(&event) {
                    shed.extend(self.events.pop_front());
                }
                self.events.push_back(event);
                ("shed", shed)
            }
            WhenFull::Detach => {
                self.detach();
                ("gone", vec![event])
            }
            _ => ("full", vec![event]),
        }
    }

    fn grant(&mut self) {
        while let Some(next) = self.sends.iter().position(|(_, has_room)| !has_room) {
            if !self.fits(&self.sends[next].0) {
                break;
            }
            self.sends[next].1 = true;
        }
    }

    fn detach(&mut self) {
        self.open = false;
        self.detached = true;
        self.events.clear();
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), PushError<Event>>> + 'a>>;

fn poll(sending: &mut Sending<'_>) -> Poll<Result<(), PushError<Event>>> {
    sending
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

fn check(limit: usize, in_bytes: bool, policy: WhenFull, steps: Vec<Step>) {
    let bound = if in_bytes {
        Bound::Bytes { limit, weigh }
    } else {
        Bound::Events(limit)
    };
    let (inlet, mut source) = queue(QueueOptions::new(bound).when_full(policy));
    let mut model = Model {
        limit,
        in_bytes,
        policy,
        events: VecDeque::new(),
        sends: Vec::new(),
        open: true,
        detached: false,
    };
    let mut sends: Vec<Sending<'_>> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Push(weight) => {
                let event = (number, weight);
                assert_eq!(said(inlet.push(event)), model.push(event));
            }
            Step::Send(weight) => {
                let event = (number, weight);
                let mut sending: Sending<'_> = Box::pin(inlet.send(event));
                let polled = poll(&mut sending);
                match model.push(event) {
                    ("full", _) => {
                        assert!(polled.is_pending());
                        model.sends.push((event, false));
                        sends.push(sending);
                    }
                    ("gone", _) => assert_eq!(polled, Poll::Ready(Err(PushError(Some(event))))),
                    _ => assert_eq!(polled, Poll::Ready(Ok(()))),
                }
            }
            Step::Forget(at) if at < sends.len() => {
                drop(sends.remove(at));
                model.sends.remove(at);
                if model.open {
                    model.grant();
                }
            }
            Step::Forget(_) => {}
            Step::Take(demand) => {
                let (mut out, mut commands) = (Vec::new(), Commands::default());
                let cx = stage_core::Context::new("queue", None, Waker::noop(), &mut commands);
                let mut emitter = Emitter::new(&mut out, cx);
                let taken = Box::pin(source.handle_demand(demand, &mut emitter));
                let polled = std::pin::pin!(taken).poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(Ok(()))));
                let count = demand.min(model.events.len());
                assert_eq!(out, Vec::from_iter(model.events.drain(..count)));
                if model.open {
                    model.grant();
                }
                let ends = !model.open && model.events.is_empty();
                assert_eq!(commands.are_none(), !ends, "{:?}", model.detached);
            }
            Step::Finish => {
                inlet.finish();
                model.open = false;
            }
            Step::Detach => {
                inlet.detach("enough");
                model.detach();
            }
        }
        let counts = inlet.counts();
        assert_eq!(counts.len, model.events.len());
        assert_eq!(
            counts.pushed,
            counts.delivered + counts.shed + counts.len as u64
        );
        let waiting = model.sends.iter().filter(|(_, has_room)| !has_room).count();
        assert_eq!(counts.waiting, if model.open { waiting } else { 0 });
        assert_eq!(inlet.is_closed(), !model.open);
        // Now and then those that have room go on; and all of them once it is closed.
        if number % 3 == 0 || !model.open {
            let mut at = 0;
            while at < sends.len() {
                let (event, has_room) = model.sends[at];
                match poll(&mut sends[at]) {
                    Poll::Ready(sent) if model.open => {
                        assert!(has_room, "{event:?}");
                        assert_eq!(sent, Ok(()));
                        model.events.push_back(event);
                    }
                    Poll::Ready(sent) => assert_eq!(sent, Err(PushError(Some(event)))),
                    Poll::Pending => {
                        assert!(!has_room && model.open, "{event:?}");
                        at += 1;
                        continue;
                    }
                }
                drop(sends.remove(at));
                model.sends.remove(at);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_queue_does_what_its_model_does(
        limit in 1_usize..8,
        in_bytes in any::<bool>(),
        policy in prop_oneof![
            3 => Just(WhenFull::Wait),
            1 => Just(WhenFull::DropOldest),
            1 => Just(WhenFull::DropNewest),
            1 => Just(WhenFull::Detach),
        ],
        steps in steps(),
    ) {
        check(limit, in_bytes, policy, steps);
    }
}
