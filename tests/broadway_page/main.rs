//! The table of Broadway's tests in `docs/broadway.md` names the tests of ours for
//! each of them.
//!
//! The name of a test of ours begins with the numbers: `b078_…`, `b007_b009_…`. A row
//! whose behaviour is left out has no test. To rewrite the table:
//!
//! ```text
//! UPDATE_BROADWAY_PAGE=1 cargo test -p stages --test broadway_page
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/broadway.md";
const TESTS: &str = "stage-pipeline/tests/it/broadway";
const BEGIN: &str = "<!-- The table begins. -->\n";
const END: &str = "<!-- The table ends. -->\n";

type Number = u16;

/// The tests of each number, with their files.
type Tests = BTreeMap<Number, Vec<String>>;

/// The number of a word such as `b078` or `B078`.
fn number(word: &str) -> Option<Number> {
    let digits = word.strip_prefix(['b', 'B'])?;
    (digits.len() == 3).then(|| digits.parse().ok())?
}

/// The numbers that the name of a function begins with.
fn numbers(name: &str) -> Vec<Number> {
    name.split('_').map_while(number).collect()
}

/// The tests in `source` whose names begin with a number.
fn add_tests(tests: &mut Tests, file: &str, source: &str) {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        let words = line.strip_prefix("async ").unwrap_or(line);
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = words.strip_prefix("fn ") {
            let name = rest.split(['(', '<']).next().unwrap_or(rest);
            if std::mem::take(&mut is_test) {
                for number in numbers(name) {
                    let test = format!("`{name}` in {file}");
                    tests.entry(number).or_default().push(test);
                }
            }
        }
    }
}

/// The page's table with the tests of ours in its last column, or what is wrong.
fn table(old: &str, tests: &Tests) -> Result<String, String> {
    let mut table = String::new();
    let mut problems = Vec::new();
    let mut listed = BTreeSet::new();
    for line in old.lines() {
        let cells: Vec<_> = line.split(" | ").collect();
        let row = line
            .strip_prefix("| ")
            .and_then(|row| row.split(' ').next());
        if let (Some(row), [_, behaviour, ours, last]) = (row.and_then(number), &cells[..]) {
            listed.insert(row);
            let known = tests.get(&row);
            let left_out = ours.starts_with("left out");
            let without = last.trim_end_matches(" |");
            let answer = match known {
                Some(known) if !left_out => known.join("<br>"),
                None if left_out => "-".to_owned(),
                None if without.starts_with("none: ") => without.to_owned(),
                Some(known) => {
                    problems.push(format!("B{row:03} is left out, and has {known:?}"));
                    continue;
                }
                None => {
                    problems.push(format!(
                        "B{row:03} has neither a test whose name begins with `b{row:03}_`, nor `none: ` with a reason"
                    ));
                    continue;
                }
            };
            table += &format!("| B{row:03} | {behaviour} | {ours} | {answer} |\n");
        } else {
            table += line;
            table.push('\n');
        }
    }
    let unknown = tests.keys().filter(|number| !listed.contains(number));
    problems.extend(unknown.map(|number| format!("B{number:03} is not in {PAGE}")));
    if problems.is_empty() {
        Ok(table)
    } else {
        Err(problems.join("\n"))
    }
}

/// The page before the table, the table, and the page after it.
fn parts(page: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    Some((before, table, after))
}

/// The files of our tests, with their texts.
fn sources(root: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(root.join(TESTS)).expect(TESTS);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect(TESTS).path()).collect();
    paths.sort();
    let read = paths.iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let source = fs::read_to_string(path).expect("a file of tests");
        (name.into_owned(), source)
    });
    read.collect()
}

#[test]
fn the_page_names_a_test_of_ours_for_every_test_of_broadway() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = Tests::new();
    for (file, source) in sources(root) {
        add_tests(&mut tests, &file, &source);
    }
    let page = fs::read_to_string(root.join(PAGE)).expect(PAGE);
    let (before, old, after) = parts(&page).expect("the page has the marks around its table");
    let table = table(old, &tests).unwrap_or_else(|problems| panic!("\n{problems}"));
    if std::env::var_os("UPDATE_BROADWAY_PAGE").is_some() {
        fs::write(
            root.join(PAGE),
            [before, BEGIN, &table, END, after].concat(),
        )
        .unwrap();
        return;
    }
    let missing = table
        .lines()
        .find(|line| !old.lines().any(|known| known == *line));
    assert!(
        table == old,
        "{PAGE} is out of date: it lacks {missing:?}; run this test with UPDATE_BROADWAY_PAGE=1"
    );
}

#[test]
fn numbers_are_those_that_a_name_begins_with() {
    assert_eq!(numbers("b078_in_flush_mode"), [78]);
    assert_eq!(numbers("b007_b009_names_b010"), [7, 9]);
    assert_eq!(numbers("batches_b078"), [0; 0]);
}

#[test]
fn what_is_wrong_is_said() {
    let of = |source: &str, page: &str| {
        let mut tests = Tests::new();
        add_tests(&mut tests, "file.rs", source);
        table(page, &tests)
    };
    let test = "#[test]\nfn b101_one() {}\n\nfn b102_no_test() {}\n";
    let page = "| B101 | One. | same | - |\n| B102 | Two. | left out: no such thing | - |\n";
    let good = of(test, page).unwrap();
    assert_eq!(
        good,
        "| B101 | One. | same | `b101_one` in file.rs |\n| B102 | Two. | left out: no such thing | - |\n"
    );
    assert_eq!(of(test, &good).unwrap(), good);
    for (source, page, says) in [
        ("", page, "B101 has neither"),
        (
            "#[test]\nfn b101_b102_x() {}",
            page,
            "B102 is left out, and has",
        ),
        ("#[test]\nfn b101_b103_x() {}", page, "B103 is not in"),
    ] {
        let problems = of(source, page).unwrap_err();
        assert!(
            problems.contains(says),
            "`{says}` is missing in: {problems}"
        );
    }
    let reason = "| B101 | One. | same | none: a reason |\n";
    assert_eq!(of("", reason).unwrap(), reason);
}
