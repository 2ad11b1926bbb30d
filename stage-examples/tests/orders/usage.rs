//! Wrong arguments end with exit code 2 and a message that names what is wrong.

use crate::support::Folder;

fn refused(folder: &Folder, args: &str, named: &str) {
    let output = folder.run(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args}: {stderr}");
    assert!(stderr.contains(named), "{args}: {stderr}");
    assert!(output.stdout.is_empty(), "{args}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = Folder::new();
    folder.write("orders.jsonl", "");
    for (args, named) in [
        ("--input nowhere.jsonl", "nowhere.jsonl"),
        ("--input .", ". as the input"),
        ("--queue nowhere/q", "nowhere/q"),
        ("--database nowhere/d", "nowhere/d"),
        ("--output nowhere/o", "nowhere/o"),
        ("--queue same.sqlite", "same.sqlite cannot be both"),
    ] {
        refused(&folder, &format!("orders {args}"), named);
    }
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    folder.json("orders --count 10 --rate 0 --json");
    let queue = std::fs::read(folder.path("orders.queue")).unwrap();
    refused(
        &folder,
        "orders --count 10 --queue other.queue --database orders.queue",
        "orders.queue as the database",
    );
    refused(
        &folder,
        "orders --count 10 --queue orders.sqlite --output o.jsonl",
        "orders.sqlite",
    );
    assert_eq!(std::fs::read(folder.path("orders.queue")).unwrap(), queue);
}

#[test]
fn values_out_of_range_and_options_that_exclude_one_another_are_refused() {
    let folder = Folder::new();
    for (args, named) in [
        ("--count 0", "--count"),
        ("--batch 0", "--batch"),
        ("--rate -1", "-1"),
        ("--input a --count 5", "--count"),
        ("--output a --database b", "--database"),
        ("--crash 7 --queue q", "--queue"),
    ] {
        refused(&folder, &format!("orders {args}"), named);
    }
}
