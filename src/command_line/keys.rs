//! `spartui keys`

use super::looks::Looks;
use super::print_line;
use spartui_facts::error::Result;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    looks: Looks,
}

/// Prints the current keys, in the format of a file of keys.
pub fn run(arguments: &Arguments) -> Result<()> {
    print_line(arguments.looks.keys()?.to_toml().trim_end())
}
