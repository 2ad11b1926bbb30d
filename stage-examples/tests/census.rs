//! `census` from the outside: its arguments, its output, its exit code.

#![allow(
    clippy::unwrap_used,
    reason = "a test may unwrap: a panic is how it says no"
)]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn census<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stage-examples"))
        .arg("census")
        .args(args)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Two files to count, and two that cannot be.
fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (name, contents) in [
        ("one.rs", &b"fn one() { self.two }"[..]),
        ("two.rs", b"self self"),
        ("binary.rs", b"self\0"),
        ("latin1.rs", b"gr\xf6\xdfe"),
        ("notes.txt", b"self self self"),
    ] {
        fs::write(tree.path().join(name), contents).unwrap();
    }
    tree
}

#[test]
fn json_is_all_there_is_on_standard_output() {
    let tree = tree();
    let output = census([OsStr::new("--json"), tree.path().as_os_str()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1);
    let result: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(
        result,
        json!({
            "files": 2,
            "bytes": 30,
            "identifiers": 6,
            "distinct": 4,
            "top": [["self", 3], ["fn", 1], ["one", 1], ["two", 1]],
            "skipped": 2,
        })
    );
    for name in ["binary.rs: binary", "latin1.rs: not UTF-8 from byte 2 on"] {
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
}

#[test]
fn the_report_has_the_top_a_line_for_each_stage_and_the_skipped_files() {
    let tree = tree();
    let output = census([
        OsStr::new("--top=1"),
        OsStr::new("--workers=2"),
        OsStr::new("--partitions=2"),
        tree.path().as_os_str(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = stdout(&output);
    assert!(
        report.contains("self") && !report.contains("two.rs"),
        "{report}"
    );
    for stage in [
        "walker",
        "tokeniser 0",
        "tokeniser 1",
        "counter 0",
        "counter 1",
        "reports",
        "totals",
        "progress",
    ] {
        let lines = report.lines().filter(|line| line.contains(stage)).count();
        assert_eq!(lines, 1, "{stage}: {report}");
    }
    assert!(
        report.contains("2 files, 30 B, 6 identifiers, 4 of them distinct"),
        "{report}"
    );
    assert!(report.contains("2 skipped:"), "{report}");
    assert!(report.contains("binary.rs: binary"), "{report}");
}

#[test]
fn quiet_has_no_progress_stage_and_says_nothing_on_standard_error() {
    let tree = tree();
    let output = census([OsStr::new("--quiet"), tree.path().as_os_str()]);
    assert!(output.status.success());
    assert!(!stdout(&output).contains("progress"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn without_paths_it_counts_the_source_code_of_cargo_s_registry() {
    let home = tempfile::tempdir().unwrap();
    let run = |home: &Path| {
        Command::new(env!("CARGO_BIN_EXE_stage-examples"))
            .args(["census", "--json"])
            .env("CARGO_HOME", home)
            .output()
            .unwrap()
    };
    let output = run(home.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("registry"), "{}", stderr(&output));

    let source = home.path().join("registry/src/index/crate-1.0.0/src");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("lib.rs"), "found").unwrap();
    let output = run(home.path());
    assert!(
        stdout(&output).contains(r#""top":[["found",1]]"#),
        "{}",
        stdout(&output)
    );
}

#[test]
fn wrong_arguments_are_named_and_end_with_code_2() {
    for option in ["--workers", "--partitions", "--max-demand"] {
        for value in ["0", "-1", "many"] {
            let output = census([&format!("{option}={value}")]);
            assert_eq!(output.status.code(), Some(2));
            assert_eq!(stdout(&output), "");
            for part in [option, value, "has to be a number from 1 to"] {
                assert!(stderr(&output).contains(part), "{}", stderr(&output));
            }
        }
    }
    let output = census(["no/such/path"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).contains("`no/such/path`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn compare_runs_both_and_finds_them_equal() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let output = census([
        OsStr::new("--compare"),
        OsStr::new("--runs=1"),
        sources.as_os_str(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = stdout(&output);
    for part in [
        "plain loop",
        "pipeline",
        "both counted the same",
        "times the throughput",
    ] {
        assert!(report.contains(part), "{report}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let tree = tree();
    let command = format!(
        "'{}' census --quiet '{}' | true",
        env!("CARGO_BIN_EXE_stage-examples"),
        tree.path().display()
    );
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert_eq!(stderr(&output), "");
}
