//! A new operator is registered in its folder and in the table of the module.

use std::collections::BTreeSet;

const TABLE: &str = include_str!("../../../src/operators/mod.rs");
const FOLDERS: [&str; 3] = [
    include_str!("../../../src/operators/sources/mod.rs"),
    include_str!("../../../src/operators/steps/mod.rs"),
    include_str!("../../../src/operators/sinks/mod.rs"),
];

/// The functions that a folder re-exports: their names begin in lower case.
fn functions(folder: &str) -> impl Iterator<Item = &str> {
    let exports = folder
        .lines()
        .filter_map(|line| line.strip_prefix("pub use "));
    exports
        .filter_map(|export| export.split_once("::"))
        .flat_map(|(_, names)| names.split(['{', '}', ',', ' ', ';']))
        .filter(|name| name.starts_with(char::is_lowercase))
}

#[test]
fn the_table_has_every_operator() {
    let operators: BTreeSet<_> = FOLDERS.into_iter().flat_map(functions).collect();
    assert!(operators.len() >= 27, "{operators:?}");
    let rows: BTreeSet<_> = TABLE
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`"))
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    assert_eq!(operators, rows);
}
