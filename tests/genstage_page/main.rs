//! The table of GenStage's tests in `docs/genstage.md` names a test of ours for
//! each of them, or says why there is none.
//!
//! A test of ours carries the numbers in its doc comment: `GS045`, several of
//! them, or `GS123 to GS126`. To rewrite the table:
//!
//! ```text
//! UPDATE_GENSTAGE_PAGE=1 cargo test -p stages --test genstage_page
//! ```

mod scan;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use table::Ours;

const PAGE: &str = "docs/genstage.md";
const LIST: &str = "stage-test/data/genstage/behaviours.md";
const REASONS: &str = "stage-test/data/genstage/no_counterpart.md";
const BEGIN: &str = "<!-- The table begins. -->\n";
const END: &str = "<!-- The table ends. -->\n";

/// Every Rust file below `folder`, but what a build left there.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the workspace can be read") {
        let path = entry.expect("the workspace can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            rust_files(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

/// The page before the table, the table, and the page after it.
fn parts(page: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    Some((before, table, after))
}

#[test]
fn the_page_names_a_test_of_ours_for_every_test_of_genstage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).expect(file);
    let mut ours = Ours::default();
    let mut files = Vec::new();
    rust_files(root, &mut files);
    files.sort();
    for path in files {
        let file = path
            .strip_prefix(root)
            .unwrap()
            .display()
            .to_string()
            .replace('\\', "/");
        // The examples in here are no tests of anything.
        if !file.starts_with("tests/genstage_page/") {
            ours.add_source(&file, &fs::read_to_string(&path).unwrap());
        }
    }
    ours.add_reasons(&read(REASONS));
    let table = ours
        .table(&read(LIST))
        .unwrap_or_else(|problems| panic!("\n{problems}"));

    let page = read(PAGE);
    let (before, old, after) = parts(&page).expect("the page has the marks around its table");
    if std::env::var_os("UPDATE_GENSTAGE_PAGE").is_some() {
        fs::write(
            root.join(PAGE),
            [before, BEGIN, &table, END, after].concat(),
        )
        .unwrap();
        return;
    }
    let missing = table.lines().find(|line| !old.contains(line));
    let stale = old.lines().find(|line| !table.contains(line));
    assert!(
        table == old,
        "{PAGE} is out of date: it lacks {missing:?} and says {stale:?}; run this test with UPDATE_GENSTAGE_PAGE=1"
    );
}
