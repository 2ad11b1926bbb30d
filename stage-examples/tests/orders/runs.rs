//! Runs: to the end, again, from a file, from standard input, and up to Ctrl-C.

use std::io::Write;

use crate::support::{Folder, end, interrupt, number, order};

#[test]
fn every_order_is_stored_or_dead() {
    let folder = Folder::new();
    let run = folder.json("orders --count 1000 --rate 0 --json");
    assert_eq!(number(&run, "enqueued"), 1_000);
    assert_eq!(number(&run, "acked"), 990);
    assert_eq!(number(&run, "dead"), 10);
    assert_eq!(number(&run, "left"), 0);
    assert_eq!(number(&run, "stored"), 990);
    assert_eq!(number(&run, "duplicates"), 0);
    assert!(number(&run, "retries") > 0, "{run}");
    let of_each: Vec<_> = run["dead_letters"].as_array().unwrap().iter().collect();
    assert_eq!(of_each.len(), 5, "{run}");
    assert!(of_each.iter().all(|kind| kind["count"] == 2), "{run}");
    assert_eq!(
        folder.select("orders.sqlite", "SELECT count(*) FROM orders"),
        990
    );
}

#[test]
fn the_report_says_what_there_is_and_where() {
    let folder = Folder::new();
    let report = folder.text("orders --count 200 --rate 0");
    for (what, count) in [
        ("orders enqueued", "200"),
        ("acked", "198"),
        ("dead", "2"),
        ("left in the queue", "0"),
    ] {
        let line = report
            .lines()
            .find(|line| line.trim().starts_with(what))
            .unwrap();
        assert!(line.trim().ends_with(count), "{report}");
    }
    assert!(report.contains("malformed JSON"), "{report}");
    assert!(
        report.contains("198 orders are in orders.sqlite, and 2 dead letters in orders.queue"),
        "{report}"
    );
}

#[test]
fn the_same_input_is_not_enqueued_twice() {
    let folder = Folder::new();
    folder.json("orders --count 300 --rate 0 --json");
    let again = folder.json("orders --count 300 --rate 0 --json");
    assert_eq!(number(&again, "enqueued"), 0);
    assert_eq!(number(&again, "known"), 300);
    assert_eq!(number(&again, "acked"), 0);
    assert_eq!(number(&again, "stored"), 297);

    let more = folder.json("orders --count 500 --rate 0 --json");
    assert_eq!(number(&more, "enqueued"), 200);
    let others = folder.json("orders --count 300 --seed 2 --rate 0 --json");
    assert_eq!(number(&others, "enqueued"), 300);
    assert_eq!(number(&others, "stored"), 495 + 297);
    assert_eq!(number(&others, "duplicates"), 0);

    let text = folder.text("orders --count 300 --rate 0");
    assert!(
        text.contains("delete orders.queue and orders.sqlite to begin anew"),
        "{text}"
    );
}

#[test]
fn ctrl_c_drains_and_the_next_run_goes_on() {
    let folder = Folder::new();
    let args = "orders --count 2000 --rate 400 --json";
    let mut running = folder.start(args);
    // Until some are stored, and many are not.
    folder.wait_for_stored(&mut running);
    interrupt(&running);
    let stopped = end(running);
    let left = number(&stopped, "left");
    assert!(left > 0, "{stopped}");
    let settled = number(&stopped, "acked") + number(&stopped, "dead");
    assert_eq!(number(&stopped, "enqueued"), settled + left);
    assert_eq!(number(&stopped, "stored"), number(&stopped, "acked"));
    // A drain leaves nothing under way.
    assert_eq!(
        folder.select("orders.queue", "SELECT count(*) FROM leased"),
        0
    );

    let rest = folder.json("orders --count 2000 --rate 0 --json");
    assert_eq!(number(&rest, "waited"), left);
    assert_eq!(number(&rest, "known"), number(&stopped, "enqueued"));
    assert_eq!(number(&rest, "left"), 0);
    assert_eq!(number(&rest, "stored"), 1_980);
    assert_eq!(number(&rest, "duplicates"), 0);
    let dead = "SELECT count(*) FROM dead";
    assert_eq!(folder.select("orders.queue", dead), 20);
}

#[test]
fn lines_that_are_no_orders_become_dead_letters_with_their_number() {
    let folder = Folder::new();
    let lines = [
        order("a"),
        "nonsense".to_owned(),
        String::new(),
        order("b").replace("150", "-150"),
        order("c").replace("c-0007", "nobody"),
        r#"{"id":"d"}"#.to_owned(),
        order("e"),
    ];
    folder.write("orders.jsonl", lines.join("\n"));
    let run = folder.json("orders --input orders.jsonl --rate 0 --json");
    assert_eq!(number(&run, "enqueued"), 6);
    assert_eq!(number(&run, "stored"), 2);
    let mut dead: Vec<_> = run["dead_letters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| {
            (
                kind["lines"][0].as_u64().unwrap(),
                kind["reason"].as_str().unwrap(),
            )
        })
        .collect();
    dead.sort_unstable();
    assert_eq!(
        dead,
        [
            (2, "malformed JSON"),
            (4, "negative price"),
            (5, "unknown customer"),
            (6, "not an order"),
        ]
    );
    let line = "SELECT line FROM orders WHERE id = 'e'";
    assert_eq!(folder.select("orders.sqlite", line), 7);
}

#[test]
fn a_line_that_was_put_right_is_enqueued() {
    let folder = Folder::new();
    folder.write("orders.jsonl", format!("{}\nnonsense\n", order("a")));
    folder.json("orders --input orders.jsonl --rate 0 --json");
    folder.write("orders.jsonl", format!("{}\n{}\n", order("a"), order("b")));
    let again = folder.json("orders --input orders.jsonl --rate 0 --json");
    assert_eq!(
        (number(&again, "known"), number(&again, "enqueued")),
        (1, 1)
    );
    assert_eq!(number(&again, "stored"), 2);
}

#[test]
fn standard_input_is_processed_while_it_goes_on() {
    let folder = Folder::new();
    let mut running = folder.start("orders --input - --rate 0 --json");
    let mut input = running.stdin.take().unwrap();
    writeln!(input, "{}", order("a")).unwrap();
    folder.wait_for_stored(&mut running);
    writeln!(input, "{}", order("b")).unwrap();
    drop(input);
    let run = end(running);
    assert_eq!((number(&run, "enqueued"), number(&run, "stored")), (2, 2));

    // It cannot be the same input again, so that nothing of it is known.
    let mut running = folder.start("orders --input - --rate 0 --json");
    let mut input = running.stdin.take().unwrap();
    writeln!(input, "{}", order("a")).unwrap();
    drop(input);
    let run = end(running);
    assert_eq!((number(&run, "known"), number(&run, "enqueued")), (0, 1));
    assert_eq!((number(&run, "stored"), number(&run, "duplicates")), (2, 1));
}

#[test]
fn orders_can_go_to_a_file_of_json_lines() {
    let folder = Folder::new();
    let run = folder.json("orders --count 300 --rate 0 --output out.jsonl --json");
    assert_eq!(number(&run, "stored"), 297);
    let lines = std::fs::read_to_string(folder.path("out.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 297);
    for line in lines.lines() {
        let order: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            order["total"].is_u64() && order["name"].is_string(),
            "{line}"
        );
    }
    assert!(!folder.path("orders.sqlite").exists());
}
