//! `queue` on the file that `orders` leaves.

use crate::support::{Folder, end, interrupt, number};

#[test]
fn dead_letters_are_listed_retried_and_cleared() {
    let folder = Folder::new();
    folder.json("orders --count 500 --rate 0 --json");
    let stats = folder.json("queue stats orders.queue --json");
    let topic = &stats[0];
    assert_eq!(topic["topic"], "orders");
    assert_eq!((number(topic, "acked"), number(topic, "dead")), (495, 5));
    assert_eq!((number(topic, "ready"), number(topic, "leased")), (0, 0));

    let dead = folder.json("queue dead list orders.queue --json");
    let dead = dead.as_array().unwrap();
    assert_eq!(dead.len(), 5);
    let first = &dead[0];
    assert_eq!(first["headers"][0][0], "line", "{first}");
    assert!(first["reason"].as_str().unwrap().contains(": "), "{first}");

    let id = number(first, "id");
    let one = folder.json(&format!("queue dead retry orders.queue --id {id} --json"));
    assert_eq!(number(&one, "retried"), 1);
    let ready = folder.json("queue peek orders.queue --json");
    assert_eq!(number(&ready[0], "id"), id);
    assert_eq!(ready[0]["payload"], first["payload"]);
    // It is as wrong as before.
    let run = folder.json("orders --count 500 --rate 0 --json");
    assert_eq!((number(&run, "waited"), number(&run, "dead")), (1, 1));

    let all = folder.json("queue dead retry orders.queue --json");
    assert_eq!(number(&all, "retried"), 5);
    let none = folder.json("queue dead clear orders.queue --json");
    assert_eq!(number(&none, "cleared"), 0);
    folder.json("orders --count 500 --rate 0 --json");
    let cleared = folder.json("queue dead clear orders.queue --json");
    assert_eq!(number(&cleared, "cleared"), 5);
    let empty = folder.json("queue stats orders.queue --topic orders --json");
    assert_eq!(
        (number(&empty[0], "dead"), number(&empty[0], "ready")),
        (0, 0)
    );
}

#[test]
fn tables_are_for_people() {
    let folder = Folder::new();
    folder.json("orders --count 200 --rate 0 --json");
    let stats = folder.text("queue stats orders.queue");
    assert!(
        stats
            .lines()
            .any(|line| line.split_whitespace().eq(["acked", "198"])),
        "{stats}"
    );
    let dead = folder.text("queue dead list orders.queue --count 1");
    assert!(dead.contains("malformed JSON"), "{dead}");
    assert_eq!(dead.lines().count(), 2, "{dead}");
    assert_eq!(folder.text("queue peek orders.queue"), "none\n");
}

#[test]
fn looking_does_not_disturb_a_queue_in_use() {
    let folder = Folder::new();
    let mut running = folder.start("orders --count 2000 --rate 400 --json");
    let in_use = loop {
        assert_eq!(running.try_wait().unwrap(), None, "it has ended");
        let output = folder.run("queue stats orders.queue --json");
        // The file, and then the topic, are not there from the beginning.
        if !output.status.success() {
            continue;
        }
        let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        if stats[0]["leased"].as_u64() > Some(0) {
            break stats;
        }
    };
    let topic = &in_use[0];
    let places = ["ready", "delayed", "leased", "acked", "dead"];
    let sum: u64 = places.iter().map(|place| number(topic, place)).sum();
    assert_eq!(sum, number(topic, "enqueued"), "{topic}");
    folder.json("queue peek orders.queue --json");
    folder.json("queue dead list orders.queue --json");
    interrupt(&running);
    let run = end(running);
    let settled = number(&run, "acked") + number(&run, "dead");
    assert_eq!(number(&run, "enqueued"), settled + number(&run, "left"));
    assert_eq!(number(&run, "duplicates"), 0);
    let after = folder.json("queue stats orders.queue --json");
    // Nothing was taken away from it while it ran.
    assert_eq!(number(&after[0], "expired"), 0);
}

#[test]
fn what_is_no_queue_or_no_topic_is_named() {
    let folder = Folder::new();
    folder.json("orders --count 10 --rate 0 --json");
    folder.write("text", "no queue");
    for (args, named) in [
        ("stats nowhere", "nowhere as a queue"),
        ("stats text", "text as a queue"),
        ("peek orders.sqlite", "orders.sqlite as a queue"),
        (
            "dead list orders.queue --topic order",
            "no topic `order`; its topics are `orders`",
        ),
        ("dead clear orders.queue --topic order", "no topic `order`"),
        ("dead retry nowhere", "nowhere"),
    ] {
        let output = folder.run(&format!("queue {args}"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args}: {stderr}");
        assert!(stderr.contains(named), "{args}: {stderr}");
    }
    assert!(!folder.path("nowhere").exists());
}
