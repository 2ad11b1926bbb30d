//! `list`: lists the examples.

use clap::CommandFactory;

use crate::Cli;

/// Prints every subcommand with its description from `--help`.
pub(crate) fn run() {
    let command = Cli::command();
    for example in command.get_subcommands() {
        let about = example.get_about().map(ToString::to_string);
        println!("{:14} {}", example.get_name(), about.unwrap_or_default());
    }
}
