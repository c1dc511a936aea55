//! `spartui keys`

use super::looks::Looks;
use super::print_line;
use spartui_facts::error::Result;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    looks: Looks,
}

/// Prints the keys that are in force, in the form of a file of keys.
pub fn run(arguments: &Arguments) -> Result<()> {
    print_line(arguments.looks.keys()?.to_toml().trim_end())
}
