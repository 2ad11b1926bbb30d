//! Running contenders in turn, and saying how they did.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Counted runs of each contender; one more comes first and is not
    /// counted.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Seconds that one run of ours is to take.
    #[arg(long, default_value_t = 0.3, value_parser = seconds)]
    secs: f64,
    /// Print only an array of objects, for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(secs) if secs > 0.0 && secs <= 60.0 => Ok(secs),
        _ => Err("expected a number of seconds above 0, 60 at the most".to_owned()),
    }
}

/// One contender in a workload: runs it over so many events and returns how
/// long that took.
pub(crate) type Contender = (&'static str, fn(&Runtime, u64) -> Duration);

/// How we did beside one peer.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    workload: &'static str,
    runtime: &'static str,
    peer: &'static str,
    /// The peer that the workload is judged by.
    bar: bool,
    ours_ns: f64,
    ours_min_ns: f64,
    ours_max_ns: f64,
    peer_ns: f64,
    peer_min_ns: f64,
    peer_max_ns: f64,
    /// Our throughput by the peer's.
    ratio: f64,
}

/// Runs a workload on both runtimes: ours and the peers in turn. The first
/// peer is the bar.
pub(crate) fn workload(
    name: &'static str,
    ours: Contender,
    peers: &[Contender],
    options: &Options,
) -> Vec<Row> {
    let multi = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let current = Builder::new_current_thread().enable_all().build();
    [("mt2", multi), ("current", current)]
        .into_iter()
        .flat_map(|(label, runtime)| {
            let runtime = runtime.expect("the operating system gives threads and a poller");
            on_runtime(name, label, &runtime, ours, peers, options)
        })
        .collect()
}

fn on_runtime(
    workload: &'static str,
    label: &'static str,
    runtime: &Runtime,
    ours: Contender,
    peers: &[Contender],
    options: &Options,
) -> Vec<Row> {
    let contenders: Vec<Contender> = [ours].into_iter().chain(peers.iter().copied()).collect();
    let events: Vec<u64> = contenders
        .iter()
        .map(|&(_, run)| calibrate(runtime, run, options.secs))
        .collect();
    let mut ns: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for _ in 0..options.runs {
        for (index, &(_, run)) in contenders.iter().enumerate() {
            let took = run(runtime, events[index]);
            ns[index].push(took.as_secs_f64() * 1e9 / events[index] as f64);
        }
    }
    for figures in &mut ns {
        figures.sort_by(f64::total_cmp);
    }
    let median = |figures: &[f64]| figures[figures.len() / 2];
    let (least, most) = (|f: &[f64]| f[0], |f: &[f64]| f[f.len() - 1]);
    (1..contenders.len())
        .map(|peer| Row {
            workload,
            runtime: label,
            peer: contenders[peer].0,
            bar: peer == 1,
            ours_ns: median(&ns[0]),
            ours_min_ns: least(&ns[0]),
            ours_max_ns: most(&ns[0]),
            peer_ns: median(&ns[peer]),
            peer_min_ns: least(&ns[peer]),
            peer_max_ns: most(&ns[peer]),
            ratio: median(&ns[peer]) / median(&ns[0]),
        })
        .collect()
}

/// How many events take about `secs`; warms everything up on the way.
fn calibrate(runtime: &Runtime, run: fn(&Runtime, u64) -> Duration, secs: f64) -> u64 {
    let mut events = 100_000;
    loop {
        let started = Instant::now();
        let took = run(runtime, events).as_secs_f64();
        if took >= secs / 4.0 || started.elapsed().as_secs_f64() > 10.0 {
            return ((events as f64 * secs / took) as u64).max(1_000);
        }
        events *= 4;
    }
}

/// Prints the rows as a table.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<4} {:<8} {:<16} {:>22} {:>26} {:>7}",
        "", "runtime", "peer", "ours ns (min-max)", "peer ns (min-max)", "ratio"
    );
    for row in rows {
        println!(
            "{:<4} {:<8} {:<16} {:>22} {:>26} {:>6.2}x{}",
            row.workload,
            row.runtime,
            row.peer,
            format!(
                "{:.2} ({:.2}-{:.2})",
                row.ours_ns, row.ours_min_ns, row.ours_max_ns
            ),
            format!(
                "{:.2} ({:.2}-{:.2})",
                row.peer_ns, row.peer_min_ns, row.peer_max_ns
            ),
            row.ratio,
            if row.bar { "  <- bar" } else { "" },
        );
    }
    println!("ns per event, medians; ratio = our throughput / the peer's, above 1 we are faster");
}
