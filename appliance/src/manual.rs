//! What packages install beside the command: shell completions and manual pages, both made from the command line itself.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::{Cli, Completions, Manual};
use crate::output;
use crate::output::NewFile;

const NAME: &str = "blockspan";

/// Prints what a shell needs to complete the command line.
pub fn completions(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    output::print(core::str::from_utf8(&script)?)
}

/// Writes a page for the program and one for each command into the directory; or prints the program's page.
pub fn pages(args: &Manual) -> Result<()> {
    let mut command = Cli::command().name(NAME);
    command.build();
    let Some(directory) = &args.out else { return output::print(&page(&command, NAME)?) };
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{}: cannot make the directory", directory.display()))?;
    write(directory, &command, NAME)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        write(directory, subcommand, &format!("{NAME}-{}", subcommand.get_name()))?;
    }
    Ok(())
}

fn write(directory: &Path, command: &clap::Command, title: &str) -> Result<()> {
    NewFile::prepare(&directory.join(format!("{title}.1")))?.write(&page(command, title)?)
}

fn page(command: &clap::Command, title: &str) -> Result<String> {
    let mut text = Vec::new();
    // No date: the same sources give the same bytes.
    Man::new(command.clone()).title(title).date("").render(&mut text)?;
    Ok(String::from_utf8(text)?)
}
