//! Compares the pipeline with the plain loop, side by side in the same run.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use stages::BoxError;
use thiserror::Error;

use super::counts::Counts;
use super::pipeline::{Options, Running};
use super::plain;
use super::report::{seconds, table};
use super::totals::Totals;
use super::walk::Roots;

/// The two counts differ.
#[derive(Debug, Error)]
#[error(
    "the plain loop counted {plain} identifiers, the pipeline {pipeline}; did a file change in between?"
)]
struct Differ {
    plain: u64,
    pipeline: u64,
}

/// Runs each `runs` times, alternately, so that neither gets a quieter machine,
/// and prints the medians. A first, untimed pass warms the page cache and
/// checks that both count the same, identifier by identifier.
pub(crate) async fn run(
    roots: &Roots,
    options: Options,
    runs: usize,
    mut out: impl Write,
) -> Result<(), BoxError> {
    let (totals, counts) = plain::run(roots);
    check(&counts, &pipeline(roots, options).await?)?;

    let (mut plain_times, mut pipeline_times) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let start = Instant::now();
        let (_, again) = plain::run(roots);
        plain_times.push(start.elapsed());
        check(&counts, &[again])?;

        let start = Instant::now();
        let again = pipeline(roots, options).await?;
        pipeline_times.push(start.elapsed());
        check(&counts, &again)?;
    }
    write(
        &totals,
        options,
        median(plain_times),
        median(pipeline_times),
        &mut out,
    )?;
    Ok(())
}

async fn pipeline(roots: &Roots, options: Options) -> Result<Vec<Counts>, stages::Error> {
    let census = Running::start(roots, options, None)?.join().await?;
    Ok(census.counts)
}

/// Checks that `parts` are equal to `whole`. Partitions are disjoint, so it is
/// enough that each is a part of `whole` and that their sizes add up.
fn check(whole: &Counts, parts: &[Counts]) -> Result<(), Differ> {
    let distinct: usize = parts.iter().map(Counts::distinct).sum();
    if distinct == whole.distinct() && parts.iter().all(|part| part.is_part_of(whole)) {
        return Ok(());
    }
    Err(Differ {
        plain: whole.total(),
        pipeline: parts.iter().map(Counts::total).sum(),
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn write(
    totals: &Totals,
    options: Options,
    plain: Duration,
    pipeline: Duration,
    mut out: impl Write,
) -> io::Result<()> {
    let mut table = table(&["median of", "time", "files/s", "bytes/s", "identifiers/s"]);
    for (name, time) in [("plain loop", plain), ("pipeline", pipeline)] {
        let rate = |count: u64| (count as f64 / time.as_secs_f64()) as u64;
        table.add_row([
            name.to_owned(),
            seconds(time),
            HumanCount(rate(totals.files)).to_string(),
            HumanBytes(rate(totals.bytes)).to_string(),
            HumanCount(rate(totals.identifiers)).to_string(),
        ]);
    }
    let Options {
        workers,
        partitions,
        ..
    } = options;
    writeln!(out, "{table}\n")?;
    writeln!(
        out,
        "both counted the same {} identifiers in {} files; {workers} tokenisers, {partitions} counters",
        HumanCount(totals.identifiers),
        HumanCount(totals.files),
    )?;
    let ratio = plain.as_secs_f64() / pipeline.as_secs_f64();
    writeln!(
        out,
        "the pipeline has {ratio:.2} times the throughput of the plain loop"
    )
}
