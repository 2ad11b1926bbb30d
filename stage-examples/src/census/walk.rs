//! The producer: walks the folders and emits the files to read.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, Walk, WalkBuilder};
use stages::prelude::*;
use thiserror::Error;

use super::chaos::{Fate, Kept};
use super::source::Skipped;

/// A file to read, or a path that could not be accessed.
pub(crate) type Found = Result<PathBuf, Skipped>;

/// The roots of the census. Checked before anything starts, so that a mistyped
/// path is reported at once and not as another unreadable file.
#[derive(Debug, Clone)]
pub(crate) struct Roots(Vec<PathBuf>);

/// An error that prevents the census from starting.
#[derive(Debug, Error)]
pub(crate) enum RootError {
    /// A given path does not exist or is not accessible.
    #[error("cannot look at `{}`: {error}", .path.display())]
    Missing { path: PathBuf, error: io::Error },
    /// A path is a device or a pipe, which may have no end.
    #[error("`{}` is neither a file nor a folder", .path.display())]
    Unsuitable { path: PathBuf },
    /// No path was given, and the default does not exist.
    #[error("found no source code that cargo downloaded at `{}`; name the files or folders to count", .path.display())]
    NoRegistry { path: PathBuf },
    /// The location of cargo's files is unknown.
    #[error("neither CARGO_HOME nor a home folder is set; name the files or folders to count")]
    NoHome,
}

impl Roots {
    /// Returns the given paths, or the source code of cargo's registry if there
    /// are none.
    ///
    /// # Errors
    ///
    /// [`RootError`] for the first path that cannot be counted.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Result<Self, RootError> {
        if paths.is_empty() {
            let home = env::var_os("CARGO_HOME").filter(|home| !home.is_empty());
            let home = home.map(PathBuf::from).or_else(default_cargo_home);
            return Self::registry(&home.ok_or(RootError::NoHome)?);
        }
        for path in &paths {
            match path.metadata() {
                Ok(found) if found.is_dir() || found.is_file() => {}
                Ok(_) => return Err(RootError::Unsuitable { path: path.clone() }),
                Err(error) => {
                    let path = path.clone();
                    return Err(RootError::Missing { path, error });
                }
            }
        }
        Ok(Self(paths))
    }

    fn registry(cargo_home: &Path) -> Result<Self, RootError> {
        let path = cargo_home.join("registry").join("src");
        if path.is_dir() {
            Ok(Self(vec![path]))
        } else {
            Err(RootError::NoRegistry { path })
        }
    }

    /// Returns the files under the roots: every root that is a file, and the
    /// `.rs` files of the folders. Links inside folders are not followed.
    ///
    /// Hidden files and those in a `.gitignore` are included.
    pub(crate) fn files(&self) -> Files {
        let mut roots = self.0.iter();
        let mut walk = match roots.next() {
            Some(first) => WalkBuilder::new(first),
            None => WalkBuilder::empty(),
        };
        for root in roots {
            walk.add(root);
        }
        Files(walk.standard_filters(false).build())
    }
}

fn default_cargo_home() -> Option<PathBuf> {
    Some(env::home_dir()?.join(".cargo"))
}

/// Walks the tree, one entry at a time.
pub(crate) struct Files(Walk);

impl Files {
    /// Returns the next entry: `None` at the end, `Some(None)` for an entry
    /// that is not to be counted, such as a folder.
    fn step(&mut self) -> Option<Option<Found>> {
        Some(match self.0.next()? {
            Ok(entry) if is_source(&entry) => Some(Ok(entry.into_path())),
            Ok(_) => None,
            Err(error) => Some(Err(skipped(error))),
        })
    }
}

impl Iterator for Files {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.step()? {
                return Some(found);
            }
        }
    }
}

fn is_source(entry: &DirEntry) -> bool {
    if entry.depth() == 0 {
        // A root may be a link, whose file type says nothing about its target.
        return entry.path().is_file();
    }
    entry.file_type().is_some_and(|kind| kind.is_file())
        && entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
}

/// Extracts the path from the layers that `ignore` wraps an error in.
fn skipped(error: ignore::Error) -> Skipped {
    let mut path = PathBuf::new();
    let mut layer = &error;
    loop {
        match layer {
            ignore::Error::WithPath { path: at, err } => {
                path.clone_from(at);
                layer = err;
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                layer = err;
            }
            _ => break,
        }
    }
    let text = error.to_string();
    let error = error
        .into_io_error()
        .unwrap_or_else(|| io::Error::other(text));
    Skipped {
        path,
        reason: error.into(),
    }
}

/// Emits files on demand.
pub(crate) struct Walker {
    /// The position of the walk. It is kept outside the state: a restarted
    /// state with a new walk would find all files again.
    files: Kept<Files>,
    fate: Fate,
}

impl Walker {
    pub(crate) const fn new(files: Kept<Files>, fate: Fate) -> Self {
        Self { files, fate }
    }
}

impl Producer for Walker {
    type Event = Found;

    /// Reading a folder blocks. To stay short, a call looks at no more entries
    /// than files were asked for. If it finds too few, it is called again with
    /// the rest.
    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, Found>) -> StageResult {
        let mut files = self.files.lock();
        for _ in 0..demand {
            // Files found before a failure are emitted nevertheless.
            self.fate.step();
            match files.step() {
                Some(found) => out.extend(found),
                None => {
                    out.complete();
                    return Ok(());
                }
            }
        }
        out.again();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
