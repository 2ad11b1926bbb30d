//! `census` from the outside: its arguments, its output, its exit code.

#![allow(
    clippy::unwrap_used,
    reason = "a test may unwrap: a panic is how it says no"
)]

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

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

/// So many files of a few hundred identifiers each.
fn forest(files: usize) -> TempDir {
    let forest = tempfile::tempdir().unwrap();
    for n in 0..files {
        let folder = forest.path().join(format!("folder{}", n % 10));
        fs::create_dir_all(&folder).unwrap();
        let mut text = String::new();
        for word in 0..300 {
            write!(text, "word{word} own{n}_{} ", word % 7).unwrap();
        }
        fs::write(folder.join(format!("file{n}.rs")), text).unwrap();
    }
    forest
}

#[test]
fn stages_that_panic_and_start_over_count_the_same() {
    let forest = forest(400);
    let count = |options: &[&str]| -> Value {
        let fixed = ["--json", "--quiet", "--workers=2", "--partitions=2"];
        let args = fixed.iter().chain(options).map(OsStr::new);
        let output = census(args.chain([forest.path().as_os_str()]));
        assert!(output.status.success(), "{}", stderr(&output));
        // An injected panic is no news.
        assert_eq!(stderr(&output), "");
        serde_json::from_str(stdout(&output)).unwrap()
    };
    let calm = count(&[]);
    assert_eq!(calm["files"], 400);
    let mut wild = count(&["--chaos=7"]);
    let chaos_report = wild.as_object_mut().unwrap().remove("chaos").unwrap();
    assert_eq!(wild, calm);
    assert_eq!(
        (&chaos_report["seed"], &chaos_report["lost"]),
        (&json!(7), &json!(0))
    );
    for some in ["restarts", "retried"] {
        assert!(chaos_report[some].as_u64().unwrap() > 10, "{chaos_report}");
    }
}

#[test]
fn the_report_says_what_the_chaos_did() {
    let tree = tree();
    let output = census([OsStr::new("--chaos=7"), tree.path().as_os_str()]);
    let report = stdout(&output);
    assert!(report.contains("chaos 7: "), "{report}");
    assert!(report.contains(" 0 lost"), "{report}");
}

#[cfg(unix)]
#[test]
fn it_explains_itself_while_it_runs_and_ctrl_c_counts_what_is_under_way() {
    let forest = forest(4000);
    let mut running = Command::new(env!("CARGO_BIN_EXE_stage-examples"))
        .args(["census", "--json", "--workers=1", "--explain-every=10ms"])
        .arg(forest.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(running.stderr.take().unwrap());
    let mut explanation = String::new();
    stderr.read_line(&mut explanation).unwrap();
    assert!(explanation.starts_with("after 0."), "{explanation}");

    // It explains in the same breath as it listens to the key.
    let pid = running.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("stopped: this is what was"), "{rest}");

    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    let result: Value = serde_json::from_str(stdout(&output)).unwrap();
    let files = result["files"].as_u64().unwrap();
    assert!(files < 4000, "{files}");
    assert_eq!(result["identifiers"], files * 600);
}

#[test]
fn a_time_that_is_none_is_named() {
    for value in ["0s", "often", "2"] {
        let output = census([&format!("--explain-every={value}")]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains("--explain-every"),
            "{}",
            stderr(&output)
        );
    }
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
