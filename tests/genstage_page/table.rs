//! The table, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::scan::{Marked, Number, marked, numbers};
use crate::{LIST, REASONS};

/// What there is for each number, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Ours {
    tests: BTreeMap<Number, Vec<String>>,
    reasons: BTreeMap<Number, String>,
    problems: Vec<String>,
}

impl Ours {
    pub(crate) fn add_source(&mut self, file: &str, source: &str) {
        for Marked {
            numbers,
            name,
            is_test,
        } in marked(source)
        {
            if !is_test {
                self.problems
                    .push(format!("{file}: `{name}` has {numbers:?}, but is no test"));
            }
            for number in numbers {
                let test = format!("`{name}` in {file}");
                self.tests.entry(number).or_default().push(test);
            }
        }
    }

    pub(crate) fn add_reasons(&mut self, text: &str) {
        for line in text.lines() {
            if let Some((number, why)) = line.split_once(" | ")
                && let [number] = numbers(number)[..]
            {
                self.reasons.insert(number, why.to_owned());
            }
        }
    }

    /// What the table says of `number`.
    fn answer(&mut self, number: Number) -> String {
        match (self.tests.get(&number), self.reasons.get(&number)) {
            (Some(tests), None) => tests.join("<br>"),
            (None, Some(why)) => format!("none: {why}"),
            (Some(tests), Some(_)) => {
                let problem =
                    format!("GS{number:03} has {tests:?}, and a reason why there is none");
                self.problems.push(problem);
                String::new()
            }
            (None, None) => {
                self.problems.push(format!(
                    "GS{number:03} has neither a test with its number nor a line in {REASONS}"
                ));
                String::new()
            }
        }
    }

    /// The table for GenStage's `list`, or what is wrong.
    pub(crate) fn table(mut self, list: &str) -> Result<String, String> {
        let mut table = String::new();
        let mut listed = BTreeSet::new();
        for line in list.lines() {
            if let Some(file) = line.strip_prefix("## ") {
                table += &format!("\n### {file}\n\n| | GenStage's test | ours |\n|---|---|---|\n");
            } else if line.starts_with("**") {
                table += &format!("| | {line} | |\n");
            } else if let Some(test) = line.strip_prefix("- ")
                && let Some((number, name)) = test.split_once(' ')
                && let [number] = numbers(number)[..]
            {
                listed.insert(number);
                table += &format!("| GS{number:03} | {name} | {} |\n", self.answer(number));
            }
        }
        for number in self.tests.keys().chain(self.reasons.keys()) {
            if !listed.contains(number) {
                self.problems
                    .push(format!("GS{number:03} is not in {LIST}"));
            }
        }
        if self.problems.is_empty() {
            Ok(table + "\n")
        } else {
            Err(self.problems.join("\n"))
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let table = |source: &str, reasons: &str| {
        let mut ours = Ours::default();
        ours.add_source("file.rs", source);
        ours.add_reasons(reasons);
        ours.table("## a.exs\n- GS101 one\n- GS102 two\n")
    };
    let test = "/// GS101\n#[test]\nfn one() {}\n";
    let good = table(test, "GS102 | no such thing\n").unwrap();
    assert!(
        good.contains("| GS101 | one | `one` in file.rs |\n| GS102 | two | none: no such thing |")
    );
    for (source, reasons, says) in [
        (test, "", "GS102 has neither"),
        (
            test,
            "GS101 | why\nGS102 | why\n",
            "GS101 has [\"`one` in file.rs\"], and a reason",
        ),
        (test, "GS102 | why\nGS103 | why\n", "GS103 is not in"),
        ("/// GS101 to GS102\nfn one() {}\n", "", "is no test"),
    ] {
        let problems = table(source, reasons).unwrap_err();
        assert!(
            problems.contains(says),
            "`{says}` is missing in: {problems}"
        );
    }
}
