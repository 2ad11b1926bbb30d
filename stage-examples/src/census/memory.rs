//! Measures the peak memory use of this process.

/// Returns the peak resident memory of this process, in bytes; `None` if the
/// system does not provide it.
pub(crate) fn peak() -> Option<u64> {
    high_water_mark(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Parses the line `VmHWM:    1234 kB`; the unit is always kB, and means 1024
/// bytes.
fn high_water_mark(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_found_among_the_other_lines() {
        let status = "Name:\tcensus\nVmPeak:\t  9999 kB\nVmHWM:\t    2048 kB\nThreads:\t3\n";
        assert_eq!(high_water_mark(status), Some(2048 * 1024));
        assert_eq!(high_water_mark("Name:\tcensus\n"), None);
        assert_eq!(high_water_mark("VmHWM:\t lots\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_says() {
        assert!(peak().unwrap() > 100_000);
    }
}
