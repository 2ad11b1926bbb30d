//! [`Node`]: one opening of a queue by one process. Its lock file tells others that the
//! process is alive.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// One opening of a queue by one process.
///
/// It holds a lock on a file of its own beside the queue. The system drops the lock when the
/// process ends, however it ends: so others can tell at once, and without a clock.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Node {
    /// Chooses a name that no other process start has, and locks its file.
    pub(crate) fn new(queue: &Path) -> io::Result<Self> {
        let name = format!("{:016x}", fastrand::u64(..));
        let path = lock_path(queue, &name);
        let file = File::options().create_new(true).write(true).open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(Self {
            name,
            path,
            _file: file,
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "cannot remove a lock file");
        }
    }
}

/// Whether the process of a node has ended. When in doubt, it has not.
pub(crate) fn has_ended(queue: &Path, name: &str) -> bool {
    match File::options().write(true).open(lock_path(queue, name)) {
        Ok(file) => match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes the lock file of a node whose process has ended.
pub(crate) fn forget(queue: &Path, name: &str) {
    if let Err(error) = std::fs::remove_file(lock_path(queue, name))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%error, name, "cannot remove the lock file of a process that has ended");
    }
}

fn lock_path(queue: &Path, name: &str) -> PathBuf {
    let mut path = queue.as_os_str().to_owned();
    path.push(format!("-node-{name}"));
    path.into()
}
