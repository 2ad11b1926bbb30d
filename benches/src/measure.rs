//! Running contenders in turn.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::report::{Figures, Row};

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The workloads to run, such as `W1 W5`; all of them without any.
    #[arg(value_parser = workload_name)]
    workloads: Vec<String>,
    /// Counted runs of each contender; one more comes first and is not
    /// counted.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Seconds that one run of one contender is to take.
    #[arg(long, default_value_t = 0.1, value_parser = seconds)]
    secs: f64,
    /// Print only an array of objects, for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

fn workload_name(text: &str) -> Result<String, String> {
    let name = text.to_uppercase();
    match name.strip_prefix('W').map(str::parse) {
        Some(Ok(1..=11)) => Ok(name),
        _ => Err("expected W1 to W11".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(secs) if secs > 0.0 && secs <= 60.0 => Ok(secs),
        _ => Err("expected a number of seconds above 0, 60 at the most".to_owned()),
    }
}

impl Options {
    /// Whether the workload was asked for. `W5` asks for `W5-1KiB` as well.
    pub(crate) fn wants(&self, workload: &str) -> bool {
        let family = workload.split('-').next().unwrap_or(workload);
        self.workloads.is_empty() || self.workloads.iter().any(|name| name == family)
    }
}

/// Runs a contender over so many events and returns how long that took. It
/// checks its own result, so that nobody wins by doing less.
pub(crate) type Run = fn(&Runtime, u64) -> Duration;

/// Somebody who does a workload, and what it is called.
pub(crate) type Contender = (&'static str, Run);

/// How many events a run has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Events {
    /// As many as take the time that the options say.
    Timed,
    /// So many: the workload is about a number.
    Fixed(u64),
}

/// One question, and who answers it.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// How often an event is handed from task to task on its way.
    pub(crate) hops: u32,
    /// How many events our hand-over has when nothing is short.
    pub(crate) batch: u32,
    pub(crate) events: Events,
    /// `None` until we can do it: the peers are then measured alone.
    pub(crate) ours: Option<Contender>,
    /// The first is the bar.
    pub(crate) peers: &'static [Contender],
}

/// The two runtimes of every comparison.
pub(crate) const RUNTIMES: [&str; 2] = ["mt2", "current"];

/// One of [`RUNTIMES`]; both have two cores to run on, and use one or two.
pub(crate) fn runtime(name: &str) -> Runtime {
    let mut builder = match name {
        "mt2" => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the operating system gives threads and a poller")
}

impl Workload {
    /// Runs it on both runtimes: ours and the peers in turn.
    pub(crate) fn run(&self, options: &Options) -> Vec<Row> {
        if !options.wants(self.name) {
            return Vec::new();
        }
        RUNTIMES
            .iter()
            .flat_map(|label| self.on_runtime(label, options))
            .collect()
    }

    fn on_runtime(&self, label: &'static str, options: &Options) -> Vec<Row> {
        let runtime = &runtime(label);
        let contenders: Vec<Contender> = self.ours.iter().chain(self.peers).copied().collect();
        let events: Vec<u64> = contenders
            .iter()
            .map(|&(_, run)| self.events(runtime, run, options.secs))
            .collect();
        let mut ns: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
        for _ in 0..options.runs {
            for (index, &(_, run)) in contenders.iter().enumerate() {
                let took = run(runtime, events[index]);
                ns[index].push(took.as_secs_f64() * 1e9 / events[index] as f64);
            }
        }
        let mut figures = ns.into_iter().map(Figures::new);
        let ours = self.ours.and_then(|_| figures.next());
        self.peers
            .iter()
            .zip(figures)
            .enumerate()
            .map(|(at, (&(peer, _), theirs))| Row {
                workload: self.name,
                runtime: label,
                peer,
                bar: at == 0,
                hops: self.hops,
                batch: self.batch,
                ours,
                theirs,
                memory: None,
            })
            .collect()
    }

    /// How many events a contender is to have; warms everything up on the way.
    fn events(&self, runtime: &Runtime, run: Run, secs: f64) -> u64 {
        match self.events {
            Events::Timed => calibrate(runtime, run, secs),
            Events::Fixed(events) => {
                run(runtime, events);
                events
            }
        }
    }
}

/// How many events take about `secs`.
fn calibrate(runtime: &Runtime, run: Run, secs: f64) -> u64 {
    let mut events = 20_000;
    loop {
        let started = Instant::now();
        let took = run(runtime, events).as_secs_f64();
        if took >= secs / 4.0 || started.elapsed().as_secs_f64() > 10.0 {
            return ((events as f64 * secs / took) as u64).max(1_000);
        }
        events *= 4;
    }
}
