//! [`Stop`]: what ends a run before all orders are processed.

use std::io;
use std::thread;

use tokio::signal;
use tokio::sync::oneshot;

/// The exit code of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// What ends a run early.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    /// Ctrl-C. A second one ends the process at once.
    CtrlC,
    /// The end of standard input: the parent asks for it, or has died.
    EndOfInput,
}

impl Stop {
    /// Waits for it.
    pub(crate) async fn requested(self) {
        match self {
            Self::CtrlC => {
                if signal::ctrl_c().await.is_err() {
                    // Nobody can ask for it.
                    std::future::pending::<()>().await;
                }
                tokio::spawn(async {
                    if signal::ctrl_c().await.is_ok() {
                        std::process::exit(INTERRUPTED);
                    }
                });
            }
            Self::EndOfInput => end_of_input().await,
        }
    }
}

/// Waits for the end of standard input. A thread reads, for which the process does not wait
/// when it ends before: the blocking threads of tokio it would wait for.
async fn end_of_input() {
    let (ended, end) = oneshot::channel::<()>();
    let read = move || {
        // An error ends it, too: nobody could ask for it later.
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        drop(ended);
    };
    if thread::Builder::new().spawn(read).is_ok() {
        // The sender is dropped: that is the end.
        drop(end.await);
    }
}
