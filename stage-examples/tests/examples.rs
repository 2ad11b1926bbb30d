//! Runs every example as a user would, and checks what it says.

#![allow(
    clippy::unwrap_used,
    reason = "a test may unwrap: a panic is how it says no"
)]

use std::process::Command;

fn run(example: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_stage-examples"))
        .arg(example)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{example}: {stderr}");
    assert_eq!(stderr, "", "{example}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

/// The numbers in a line, in order.
fn numbers(line: &str) -> Vec<u64> {
    line.split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap())
        .collect()
}

#[test]
fn list_describes_every_example() {
    let lines = run("list");
    for example in [
        "list",
        "counter",
        "gen-event",
        "rate-limiter",
        "load-shedding",
        "per-event",
        "dispatcher",
        "supervised",
        "census",
        "orders",
        "queue",
    ] {
        let line = lines
            .iter()
            .find(|line| line.split(' ').next() == Some(example));
        let about = line.unwrap().trim_start_matches(example).trim();
        assert!(about.len() > 10, "{example}: {about:?}");
    }
}

#[test]
fn counter_delivers_every_number_once_and_asks_as_its_demand_says() {
    let lines = run("counter");
    let asked: Vec<u64> = lines
        .iter()
        .filter(|line| line.starts_with("A is asked"))
        .flat_map(|line| numbers(line))
        .collect();
    assert_eq!(asked[0], 10);
    assert!(asked.iter().all(|demand| *demand <= 10), "{asked:?}");

    let got: Vec<u64> = lines
        .iter()
        .filter(|line| line.starts_with("C got"))
        .flat_map(|line| numbers(line))
        .collect();
    assert_eq!(got, (0..50).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(lines.last().unwrap(), "C saw 50 numbers");
}

#[test]
fn gen_event_tells_each_listener_what_it_selected() {
    let lines = run("gen-event");
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("alarm: "))
        .collect();
    assert_eq!(
        failed,
        [4, 8, 12]
            .map(|id| format!("alarm: job {id} failed: it is divisible by four"))
            .each_ref()
    );
    let others = lines
        .iter()
        .filter(|line| line.starts_with("stats: "))
        .count();
    assert_eq!(others, 3);
    assert_eq!(lines.last().unwrap(), "alarm saw 3 events, stats saw 24");
}

#[test]
fn rate_limiter_keeps_to_its_rate() {
    let lines = run("rate-limiter");
    let (last, batches) = lines.split_last().unwrap();
    let mut events = Vec::new();
    for batch in batches {
        let (time, batch) = batch.split_once(" ms: ").unwrap();
        let time: u64 = time.trim().parse().unwrap();
        events.extend(numbers(batch));
        // Five at the start, and another five for each interval that is over.
        let allowed = 5 * (time / 200 + 1);
        assert!(
            events.len() as u64 <= allowed,
            "{} events by {time} ms",
            events.len()
        );
    }
    assert_eq!(events, (1..=30).collect::<Vec<_>>());
    let [count, elapsed, _] = numbers(last)[..] else {
        panic!("{last}");
    };
    assert_eq!(count, 30);
    assert!(elapsed >= 1000, "{last}");
}

#[test]
fn load_shedding_accounts_for_every_event() {
    let lines = run("load-shedding");
    let [.., sums, last] = &lines[..] else {
        panic!("{lines:?}");
    };
    let [sent, delivered, shed] = numbers(sums)[..] else {
        panic!("{sums}");
    };
    assert_eq!(sent, 4160);
    assert_eq!(sent, delivered + shed);
    // The bursts of 1000 and 3000 against a buffer of 200 and a demand of 20.
    assert!(shed >= 3500, "{sums}");
    assert!(delivered >= 200, "{sums}");
    assert_eq!(numbers(last), [sent, sent]);
}

#[test]
fn per_event_fetches_what_it_can_four_at_a_time() {
    let lines = run("per-event");
    let busy = lines.iter().filter(|line| line.ends_with("is busy"));
    assert_eq!(busy.count(), 2);
    let mut fetched: Vec<_> = lines
        .iter()
        .filter(|line| line.ends_with("bytes"))
        .map(|line| numbers(line))
        .collect();
    fetched.sort();
    let all_but_one = (1..=12).filter(|file| *file != 9);
    assert_eq!(
        fetched,
        all_but_one
            .map(|file| vec![file, file * 1024])
            .collect::<Vec<_>>()
    );
    let [.., stopped, last] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(stopped, "child 9 hangs and is stopped");
    assert_eq!(numbers(last), [12, 11, 0, 1, 2, 4], "{last}");
}

#[test]
fn dispatcher_deals_in_turns() {
    let lines = run("dispatcher");
    assert_eq!(lines.len(), 3);
    // Whoever asks first is dealt the first card.
    let mut hands: Vec<_> = lines
        .iter()
        .map(|line| numbers(line).split_off(1))
        .collect();
    hands.sort();
    assert_eq!(hands, [[1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]]);
}

#[test]
fn supervised_starts_over_and_sets_aside_what_it_failed_on() {
    let lines = run("supervised");
    let letters: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("dead letter: "))
        .collect();
    assert_eq!(
        letters,
        [
            r#"["apples"]: stage `clerk` failed: an order needs an amount"#,
            r#"["pears -20"]: stage `clerk` panicked: 12 pears are too few"#,
            r#"["apples lots"]: stage `clerk` failed: invalid digit found in string"#,
        ]
    );
    // The restart makes a new state, and what is kept outside of it stays.
    let numbers: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_once(" is my number "))
        .map(|(_, number)| number)
        .collect();
    assert_eq!(numbers, ["1", "2", "3", "1", "1"]);
    let [.., stock, sums] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(
        stock,
        r#"in stock: {"apples": 20, "pears": 10, "plums": 7}"#
    );
    assert_eq!(sums, "3 restarts, 3 dead letters, 0 events lost");
}
