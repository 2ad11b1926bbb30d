//! `--crash`: workers are killed, and nothing is lost.

use crate::support::{Folder, number};

#[test]
fn nothing_is_lost_when_workers_are_killed_in_every_phase() {
    let folder = Folder::new();
    let found = folder.json("orders --crash 7 --count 600 --json");
    for kept in ["attempted", "acknowledged", "processed"] {
        assert_eq!(number(&found, kept), 600, "{kept}: {found}");
    }
    assert_eq!(
        (number(&found, "lost"), number(&found, "unexpected")),
        (0, 0)
    );
    assert_eq!(number(&found, "unexplained"), 0, "{found}");
    assert!(number(&found, "under_way") > 0, "{found}");
    let kills = found["kills"].as_array().unwrap();
    for phase in ["enqueue", "process", "drain"] {
        assert!(kills.iter().any(|kill| kill == phase), "{phase}: {found}");
    }
}

#[test]
fn the_table_says_what_the_checker_found() {
    let folder = Folder::new();
    let report = folder.text("orders --crash 3 --count 300");
    assert!(report.contains("\nlost 0, duplicates "), "{report}");
    assert!(report.contains("kills in "), "{report}");
}
