//! How do costs grow? Curves, as plots.
//!
//! | plot | what grows | what is measured |
//! |---|---|---|
//! | `asks.svg` | subscribers, 1 to 10,000 | an `ask` at each dispatcher, alone |
//! | `subscribers.svg` | the same | an event from one producer to all of them |
//! | `stages.svg` | stages, 2 to 100,000 | to spawn and end a stage |
//! | `events.svg` | the same | an event, in pairs of stages |
//! | `demand.svg` | `max_demand`, 1 to 100,000 | an event of the chain of W1 |
//! | `size.svg` | bytes of an event, 8 to 65,536 | an event over one link |

mod pipelines;
mod plot;
mod pure;

use std::path::PathBuf;
use std::process::ExitCode;

use self::plot::Plot;

/// Where the plots go, and how carefully they are made.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The folder to write the plots to.
    #[arg(long, default_value = "docs/performance")]
    out: PathBuf,
    /// Runs of each point; the median is drawn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// Measures the curves, prints the points and writes the plots.
pub(crate) fn run(options: &Options) -> ExitCode {
    let plots: [fn(u32) -> Plot; 6] = [
        pure::asks,
        pipelines::subscribers,
        pipelines::stages,
        pipelines::events,
        pipelines::demand,
        pipelines::size,
    ];
    for plot in plots {
        let plot = plot(options.runs);
        plot.print();
        if let Err(error) = plot.write(&options.out) {
            println!("{}: {error}", options.out.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The median of `runs` figures.
fn median(runs: u32, mut figure: impl FnMut() -> f64) -> f64 {
    let mut figures: Vec<f64> = (0..runs).map(|_| figure()).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
