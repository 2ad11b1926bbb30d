//! Tests of the files found and the roots refused.

use std::fs;

use tempfile::TempDir;

use super::*;

fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path();
    fs::create_dir_all(root.join(".hidden/deep")).unwrap();
    fs::create_dir(root.join("folder.rs")).unwrap();
    for (file, text) in [
        ("a.rs", "a"),
        ("notes.txt", "not counted"),
        (".gitignore", "*.rs"),
        (".hidden/deep/b.rs", "b"),
        ("folder.rs/c.rs", "c"),
    ] {
        fs::write(root.join(file), text).unwrap();
    }
    tree
}

fn names(roots: &Roots) -> Vec<String> {
    let mut names: Vec<_> = roots
        .files()
        .map(|found| {
            found
                .unwrap()
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_folder_gives_its_rust_files_hidden_and_ignored_ones_too() {
    let tree = tree();
    let roots = Roots::new(vec![tree.path().to_owned()]).unwrap();
    assert_eq!(names(&roots), ["a.rs", "b.rs", "c.rs"]);
}

#[test]
fn a_file_that_is_named_is_taken_whatever_it_is_called() {
    let tree = tree();
    let roots = Roots::new(vec![
        tree.path().join("notes.txt"),
        tree.path().join("a.rs"),
    ]);
    assert_eq!(names(&roots.unwrap()), ["a.rs", "notes.txt"]);
}

#[test]
fn a_path_that_is_not_there_is_an_error_before_the_start() {
    let tree = tree();
    let missing = tree.path().join("missing");
    let error = Roots::new(vec![tree.path().to_owned(), missing.clone()]).unwrap_err();
    assert!(matches!(&error, RootError::Missing { path, .. } if *path == missing));
    assert!(error.to_string().contains("missing"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_device_is_refused_and_a_link_is_followed_only_where_it_is_named() {
    let error = Roots::new(vec!["/dev/null".into()]).unwrap_err();
    assert!(matches!(error, RootError::Unsuitable { .. }), "{error}");

    let tree = tree();
    let link = tree.path().join("link.rs");
    std::os::unix::fs::symlink(tree.path().join("a.rs"), &link).unwrap();
    assert_eq!(names(&Roots::new(vec![link]).unwrap()), ["link.rs"]);
    let roots = Roots::new(vec![tree.path().to_owned()]).unwrap();
    assert_eq!(names(&roots), ["a.rs", "b.rs", "c.rs"]);
}

#[test]
fn the_registry_is_found_under_cargo_home() {
    let home = tempfile::tempdir().unwrap();
    let error = Roots::registry(home.path()).unwrap_err();
    assert!(matches!(error, RootError::NoRegistry { .. }), "{error}");

    let source = home.path().join("registry/src/index");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("lib.rs"), "").unwrap();
    assert_eq!(names(&Roots::registry(home.path()).unwrap()), ["lib.rs"]);
}

#[test]
fn a_folder_that_went_away_is_named() {
    let tree = tree();
    let roots = Roots::new(vec![tree.path().to_owned()]).unwrap();
    let gone = tree.path().to_owned();
    drop(tree);
    let found: Vec<_> = roots.files().collect();
    assert!(
        matches!(&found[..], [Err(skipped)] if skipped.path == gone),
        "{found:?}"
    );
}
