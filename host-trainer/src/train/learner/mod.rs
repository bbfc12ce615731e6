//! What takes a step: the network that is trained, its teacher, the optimizer and the pruner.

mod network;
mod step;

pub(super) use step::{Learner, Start};
