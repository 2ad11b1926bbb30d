//! W10: does a whole program gain?
//!
//! The identifiers of real source code, counted: files are read and cut into
//! words by two tokenisers, and counted by two counters, each of which owns
//! the words that hash to it. That is what `stage-examples census` does, with
//! the same event (all words of a file that have the same owner, as places in
//! its shared text). It is written again here, smaller, because a benchmark
//! has to run all contenders in turn in one process, and because nothing may
//! depend on an example. `census --compare` measures the whole program, with
//! its walk, its report and Unicode identifiers; here the files are found
//! before the clock starts, and a word is a run of ASCII letters, digits and
//! `_`.
//!
//! The files are those that cargo has downloaded, up to 12 MiB of them in the
//! order of their paths. An event is a file. The plain loop has one thread and
//! rayon two, on either runtime.

mod contenders;
mod words;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::measure::{Events, Options, Workload};
use crate::report::Row;

/// How much text is counted.
const BYTES: u64 = 12 << 20;

static FILES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let mut found = Vec::new();
    if let Some(home) = home {
        find(&home.join("registry/src"), &mut found);
    }
    found.sort();
    let mut left = BYTES;
    found
        .into_iter()
        .map_while(|(path, bytes)| {
            left = left.checked_sub(bytes)?;
            Some(path)
        })
        .collect()
});

/// The `.rs` files below `folder` with their sizes. What cannot be read is not
/// counted, by nobody.
fn find(folder: &Path, found: &mut Vec<(PathBuf, u64)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(entry) if entry.is_dir() => find(&path, found),
            Ok(entry) if path.extension().is_some_and(|end| end == "rs") => {
                found.push((path, entry.len()));
            }
            _ => {}
        }
    }
}

/// Runs the workload; says nothing where cargo has downloaded nothing.
pub(crate) fn run(options: &Options) -> Vec<Row> {
    if !options.wants("W10") || FILES.is_empty() {
        return Vec::new();
    }
    let workload = Workload {
        name: "W10",
        hops: 2,
        batch: 1,
        events: Events::Fixed(FILES.len() as u64),
        ours: Some(("stages", contenders::ours)),
        peers: &[
            ("plain-loop", contenders::plain),
            ("mpsc", contenders::mpsc),
            ("rayon", contenders::rayon),
        ],
    };
    workload.run(options)
}
