//! The producer: walks the folders and emits the files to read.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, Walk, WalkBuilder};
use stages::prelude::*;
use thiserror::Error;

use super::chaos::{Fate, Kept};
use super::source::Skipped;

/// A file to read, or a place that could not be looked into.
pub(crate) type Found = Result<PathBuf, Skipped>;

/// Where the census looks. Made before anything starts, so that a typing
/// error is reported at once and not as one more unreadable file.
#[derive(Debug, Clone)]
pub(crate) struct Roots(Vec<PathBuf>);

/// Why the census cannot start.
#[derive(Debug, Error)]
pub(crate) enum RootError {
    /// A path that was given is not there, or we may not even ask.
    #[error("cannot look at `{}`: {error}", .path.display())]
    Missing { path: PathBuf, error: io::Error },
    /// A device or a pipe, which has no end to count to.
    #[error("`{}` is neither a file nor a folder", .path.display())]
    Unsuitable { path: PathBuf },
    /// No path was given, and there is nothing to count by default.
    #[error("found no source code that cargo downloaded at `{}`; name the files or folders to count", .path.display())]
    NoRegistry { path: PathBuf },
    /// Nothing says where cargo keeps its files.
    #[error("neither CARGO_HOME nor a home folder is set; name the files or folders to count")]
    NoHome,
}

impl Roots {
    /// The paths given, or else the source code of cargo's registry.
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

    /// The files under the roots: every file that was named, and the `.rs`
    /// files of the folders. Links inside of folders are not followed.
    ///
    /// Nothing is left out by a `.gitignore` or for being hidden: a census
    /// counts all.
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

/// Steps through the tree, one entry a step.
pub(crate) struct Files(Walk);

impl Files {
    /// Looks at the next entry: `None` at the end, `Some(None)` for an entry
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
        // A root may be a link, which its own file type would only say of it.
        return entry.path().is_file();
    }
    entry.file_type().is_some_and(|kind| kind.is_file())
        && entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
}

/// Takes the path out of the layers that `ignore` wraps an error into.
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

/// Asked for files, walks on until it has found them.
pub(crate) struct Walker {
    /// How far it has come. A new state that walked from the start would find all
    /// files again.
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

    /// Looking into a folder blocks, and so a call looks at no more entries
    /// than files were asked for. That keeps it short; when it found too few,
    /// it is called again with what is still missing.
    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, Found>) -> StageResult {
        let mut files = self.files.lock();
        for _ in 0..demand {
            // What was found so far is emitted, also if this fails.
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
