//! [`Worker`]: this program once more, as a process to be killed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use stages::BoxError;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::orders::args::CrashOptions;
use crate::orders::events::Event;

/// A worker process.
pub(super) struct Worker {
    child: Child,
    /// It drains when this is dropped.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts one.
    pub(super) fn start(
        options: CrashOptions,
        queue: &Path,
        database: &Path,
    ) -> Result<Self, BoxError> {
        // Small groups and batches, so that there is something to hit in a short run.
        let group = (options.count / 20).clamp(1, 500);
        let batch = (options.count / 100).clamp(2, 200);
        let mut child = Command::new(std::env::current_exe()?)
            .args(["orders", "--worker", "--quiet"])
            .arg("--queue")
            .arg(queue)
            .arg("--database")
            .arg(database)
            .arg(format!("--count={}", options.count))
            .arg(format!("--seed={}", options.seed))
            .arg(format!("--rate={}", options.rate))
            .arg(format!("--group={group}"))
            .arg(format!("--batch={batch}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("a worker has no output")?;
        Ok(Self {
            input: child.stdin.take(),
            output: BufReader::new(output).lines(),
            child,
        })
    }

    /// Returns its next event; `None` when it has ended and all it said was read.
    pub(super) async fn event(&mut self) -> Result<Option<Event>, BoxError> {
        match self.output.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }

    /// Asks it to drain.
    pub(super) fn drain(&mut self) {
        self.input = None;
    }

    /// Kills it: it does not get to run another instruction.
    pub(super) fn kill(&mut self) -> Result<(), BoxError> {
        Ok(self.child.start_kill()?)
    }

    /// Waits for its end.
    pub(super) async fn ended(mut self) -> Result<ExitStatus, BoxError> {
        Ok(self.child.wait().await?)
    }
}
