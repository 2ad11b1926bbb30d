//! Saying how the contenders did.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// The ns per event of several runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Figures {
    /// Of at least one run.
    pub(crate) fn new(mut runs: Vec<f64>) -> Self {
        runs.sort_by(f64::total_cmp);
        Self {
            median: runs[runs.len() / 2],
            least: runs[0],
            most: runs[runs.len() - 1],
        }
    }

    pub(crate) fn text(&self) -> String {
        let digits = if self.median < 1000.0 { 2 } else { 0 };
        let Self {
            median,
            least,
            most,
        } = self;
        format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
    }
}

/// Bytes of resident memory, ours and the peer's, for what the workload says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) ours: u64,
    pub(crate) theirs: u64,
}

/// How we did beside one peer.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) workload: &'static str,
    pub(crate) runtime: &'static str,
    pub(crate) peer: &'static str,
    /// The peer that the workload is judged by.
    pub(crate) bar: bool,
    pub(crate) hops: u32,
    pub(crate) batch: u32,
    pub(crate) ours: Option<Figures>,
    pub(crate) theirs: Figures,
    pub(crate) memory: Option<Memory>,
}

impl Row {
    /// Our throughput by the peer's.
    fn ratio(&self) -> Option<f64> {
        Some(self.theirs.median / self.ours?.median)
    }

    fn ours_per_hop(&self) -> Option<f64> {
        Some(self.ours?.median / f64::from(self.hops))
    }
}

/// Flat, because it is read by `jq` and scripts.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("workload", self.workload)?;
        map.serialize_entry("runtime", self.runtime)?;
        map.serialize_entry("peer", self.peer)?;
        map.serialize_entry("bar", &self.bar)?;
        if let Some(ours) = self.ours {
            map.serialize_entry("ours_ns", &ours.median)?;
            map.serialize_entry("ours_min_ns", &ours.least)?;
            map.serialize_entry("ours_max_ns", &ours.most)?;
            map.serialize_entry("ours_hop_ns", &self.ours_per_hop())?;
        }
        map.serialize_entry("peer_ns", &self.theirs.median)?;
        map.serialize_entry("peer_min_ns", &self.theirs.least)?;
        map.serialize_entry("peer_max_ns", &self.theirs.most)?;
        map.serialize_entry("ratio", &self.ratio())?;
        if let Some(memory) = self.memory {
            map.serialize_entry("ours_bytes", &memory.ours)?;
            map.serialize_entry("peer_bytes", &memory.theirs)?;
            map.serialize_entry("memory_ratio", &memory.ratio())?;
        }
        map.end()
    }
}

impl Memory {
    /// Our memory by the peer's.
    fn ratio(self) -> f64 {
        self.ours as f64 / self.theirs as f64
    }
}

/// Prints the rows as an array. Rows without a figure of ours compare nothing
/// and are left out.
pub(crate) fn print_json(rows: &[Row]) {
    let compared: Vec<&Row> = rows.iter().filter(|row| row.ours.is_some()).collect();
    println!(
        "{}",
        serde_json::to_string(&compared).expect("rows hold only numbers and names")
    );
}

/// Prints the rows as a table.
pub(crate) fn print(rows: &[Row]) {
    let mut above = "";
    for row in rows {
        if row.workload != above {
            above = row.workload;
            println!(
                "\n{:<8} {:<8} {:<20} {:>28} {:>28} {:>8} {:>9} {:>10}",
                row.workload, "runtime", "peer", "ours", "peer", "ratio", "hop", "batch-hop"
            );
        }
        let (ours, ratio) = match (row.ours, row.ratio()) {
            (Some(ours), Some(ratio)) => (ours.text(), format!("{ratio:.2}x")),
            _ => ("-".to_owned(), "-".to_owned()),
        };
        let (hop, batch) = match row.ours_per_hop() {
            Some(hop) if row.bar => (
                format!("{hop:.2}"),
                format!("{:.0}", hop * f64::from(row.batch)),
            ),
            _ => (String::new(), String::new()),
        };
        println!(
            "{:<8} {:<8} {:<20} {ours:>28} {:>28} {ratio:>8} {hop:>9} {batch:>10}{}",
            "",
            row.runtime,
            row.peer,
            row.theirs.text(),
            if row.bar { "  <- bar" } else { "" },
        );
        if let Some(memory) = row.memory {
            println!(
                "{:<8} {:<8} {:<20} {:>28} {:>28} {:>7.2}x  of the peer's memory",
                "",
                row.runtime,
                "  bytes a pair",
                memory.ours,
                memory.theirs,
                memory.ratio()
            );
        }
    }
    println!(
        "\nns per event: median (least-most). ratio = our throughput / the peer's, above 1 we \
         are faster.\nhop, batch-hop: our ns to hand one event, and one batch, from task to task."
    );
}
