//! Reads one file, or returns the reason to skip it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file or folder that the census skipped.
#[derive(Debug, Clone)]
pub(crate) struct Skipped {
    pub(crate) path: PathBuf,
    pub(crate) reason: Reason,
}

/// The reason to skip a file.
#[derive(Debug, Clone)]
pub(crate) enum Reason {
    /// An I/O error. Shared, because a broadcast event must be `Clone` and the
    /// error is not.
    Unreadable(Arc<io::Error>),
    /// It is larger than 4 GiB, unlike any source code.
    TooLarge,
    /// It contains a NUL byte, unlike any text.
    Binary,
    /// It is text in another encoding.
    NotUtf8 {
        /// The length of the valid UTF-8 prefix, in bytes.
        valid_up_to: usize,
    },
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(Arc::new(error))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "unreadable: {error}"),
            Self::TooLarge => f.write_str("larger than 4 GiB"),
            Self::Binary => f.write_str("binary: it has a NUL byte"),
            Self::NotUtf8 { valid_up_to } => write!(f, "not UTF-8 from byte {valid_up_to} on"),
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Reads files one after another into the same buffer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

/// The capacity that the buffer keeps between files, in bytes: enough for
/// nearly all source files. The memory of a larger file is released.
const KEPT: usize = 1 << 20;

/// The maximum size of a file, in bytes: files are read whole, and positions in
/// them are 32-bit.
const MOST: u64 = u32::MAX as u64;

impl Reader {
    /// Reads the file at `path` and returns its text.
    ///
    /// # Errors
    ///
    /// The [`Reason`] to skip the file.
    pub(crate) fn read(&mut self, path: &Path) -> Result<&str, Reason> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        let mut file = File::open(path)?;
        if file.metadata()?.len() > MOST {
            return Err(Reason::TooLarge);
        }
        file.read_to_end(&mut self.buffer)?;
        if self.buffer.contains(&0) {
            return Err(Reason::Binary);
        }
        std::str::from_utf8(&self.buffer).map_err(|error| Reason::NotUtf8 {
            valid_up_to: error.valid_up_to(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(contents: &[u8]) -> Result<String, Reason> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.rs");
        std::fs::write(&path, contents).unwrap();
        Reader::default().read(&path).map(str::to_owned)
    }

    #[test]
    fn text_is_read_whole() {
        assert_eq!(read(b"").unwrap(), "");
        assert_eq!(read("fn größe() {}".as_bytes()).unwrap(), "fn größe() {}");
    }

    #[test]
    fn a_missing_file_and_a_folder_are_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("missing.rs"), folder.path().to_owned()] {
            let reason = Reader::default().read(&path).unwrap_err();
            assert!(matches!(reason, Reason::Unreadable(_)), "{reason}");
        }
    }

    #[test]
    fn a_giant_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("giant.rs");
        // The file is sparse and takes no space, if the file system supports
        // that.
        let sparse = File::create(&path).and_then(|file| file.set_len(MOST + 1));
        if sparse.is_ok() {
            let reason = Reader::default().read(&path).unwrap_err();
            assert!(matches!(reason, Reason::TooLarge), "{reason}");
        }
    }

    #[test]
    fn a_nul_byte_makes_a_file_binary_wherever_it_stands() {
        for contents in [&b"\0fn"[..], b"fn main\0", b"\xff\0"] {
            assert!(matches!(read(contents), Err(Reason::Binary)));
        }
    }

    #[test]
    fn another_encoding_is_named_with_its_place() {
        let reason = read(b"gr\xf6\xdfe").unwrap_err();
        assert!(
            matches!(reason, Reason::NotUtf8 { valid_up_to: 2 }),
            "{reason}"
        );
    }

    #[test]
    fn the_buffer_holds_one_file_at_a_time_and_lets_a_giant_go() {
        let folder = tempfile::tempdir().unwrap();
        let (giant, small) = (folder.path().join("giant"), folder.path().join("small"));
        std::fs::write(&giant, vec![b'a'; 3 * KEPT]).unwrap();
        std::fs::write(&small, "b").unwrap();

        let mut reader = Reader::default();
        assert_eq!(reader.read(&giant).unwrap().len(), 3 * KEPT);
        assert_eq!(reader.read(&small).unwrap(), "b");
        assert!(reader.buffer.capacity() <= 2 * KEPT);
    }
}
