//! The command line: a file for each command, with its flags and what it does.

mod check;
mod evaluate;
mod finetune;
mod inspect;
mod pack;
mod threshold;
mod unpack;
mod verify;
mod windows;

use std::process::ExitCode;

use anyhow::{Context, Result};
use blockspan_trainer::errors::one_line;
use blockspan_trainer::train::exchange::Place;
use blockspan_trainer::{output, startup};
use candle_core::Device;
use clap::{Parser, Subcommand, ValueEnum};

/// Fine-tunes, prunes, evaluates and packs BERT for question answering.
#[derive(Parser)]
#[command(name = "blockspan-trainer", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Where tensors live.
    #[arg(long, value_name = "NAME", global = true, value_enum, default_value_t = DeviceKind::Cpu)]
    pub device: DeviceKind,
}

#[derive(Subcommand)]
pub enum Command {
    /// Fine-tune a Hugging Face BERT directory on SQuAD files, pruned in 1×4 blocks if asked.
    Finetune(Box<finetune::Finetune>),
    /// Print EM and F1 of a fine-tuned directory over a SQuAD file.
    Evaluate(evaluate::Evaluate),
    /// Quantize a fine-tuned directory to int8 and pack it into one file for the engine.
    Pack(pack::Pack),
    /// Make a packed file a model directory again, to train it further.
    Unpack(unpack::Unpack),
    /// Choose when a packed file should say that a passage holds no answer, and write that into it.
    Threshold(threshold::Threshold),
    /// Compare a packed file with the directory that it was made of: EM, F1, logits, answers.
    Verify(verify::Verify),
    /// Print the shape, density and block pattern of every encoder matrix of a model directory.
    Inspect(inspect::Inspect),
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU, or for one of several workers that of its number; needs a build with `--features cuda`.
    Cuda,
    /// The first GPU of a Mac; needs a build with `--features metal`. Untested.
    Metal,
}

/// Runs the command; prints an error in one line and exits with 2.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = place(&cli.command).and_then(|place| {
        if matches!(cli.command, Command::Finetune(_) | Command::Evaluate(_) | Command::Verify(_)) {
            startup::set_environment(place.sharing);
        }
        Ok((device(cli.device, place.local_rank)?, place))
    });
    let result = result.and_then(|(device, place)| match &cli.command {
        Command::Finetune(args) => finetune::finetune(args, &device, &place),
        Command::Evaluate(args) => evaluate::print_scores(args, &device).map(done),
        Command::Pack(args) => pack::pack_model(args).map(done),
        Command::Unpack(args) => unpack::unpack_model(args).map(done),
        Command::Threshold(args) => threshold::set_threshold(args).map(done),
        Command::Verify(args) => verify::print_differences(args, &device),
        Command::Inspect(args) => inspect::inspect(args).map(done),
    });
    match result {
        Ok(status) => status,
        Err(error) => {
            output::note(&format!("error: {}", one_line(&error)));
            ExitCode::from(2)
        }
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Which of several workers this process is.
fn place(command: &Command) -> Result<Place> {
    match command {
        Command::Finetune(args) => Place::find(args.run.workers),
        _ => Ok(Place::alone()),
    }
}

/// The device of this kind with this number.
fn device(kind: DeviceKind, number: usize) -> Result<Device> {
    match kind {
        DeviceKind::Cpu => Ok(Device::Cpu),
        DeviceKind::Cuda => Device::new_cuda(number).with_context(|| {
            format!("--device cuda: no NVIDIA GPU number {number}, or built without --features cuda")
        }),
        DeviceKind::Metal => {
            Device::new_metal(0).context("--device metal: no such GPU, or built without --features metal")
        }
    }
}
