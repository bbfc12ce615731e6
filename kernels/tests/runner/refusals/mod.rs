//! What kernels must refuse: `unsafe` code stands on these checks.
//!
//! Each kernel is described by a [`Call`]: sizes that fit, and what may become of each. From that [`check`] makes
//! calls that must be refused (each slice one element too short and one too long, each number beyond its limit) and
//! calls that must not be. A kernel without a description fails the test.

mod attention;
mod channels;
mod embed;
mod overflow;
mod products;
mod tokens;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use blockspan_kernels::{Kernels, ShapeError, kernel_names};

use super::LANES;

/// Numbers of lanes that no tile has.
const OTHER_LANES: [usize; 12] = [0, 1, 4, 8, 15, 17, 24, 40, 63, 65, 80, 128];

/// Makes a call of these kernels with operands of these sizes.
type Run = dyn Fn(&dyn Kernels, &[usize]) -> Result<(), ShapeError>;

/// A call of a kernel: the name, what its sizes mean, and the call with other sizes in their place.
pub struct Call {
    kernel: &'static str,
    sizes: Vec<Size>,
    /// Other sizes of a call that fit each other, and whether they are to be refused nevertheless.
    others: Vec<(Vec<usize>, bool)>,
    run: Box<Run>,
}

/// An argument's size, or a number among the arguments.
pub struct Size {
    name: &'static str,
    fits: usize,
    accepted: Vec<usize>,
    refused: Vec<usize>,
}

impl Call {
    /// A call of this kernel, its sizes in the order in which `run` takes them.
    fn new(
        kernel: &'static str,
        sizes: Vec<Size>,
        run: impl Fn(&dyn Kernels, &[usize]) -> Result<(), ShapeError> + 'static,
    ) -> Self {
        Self { kernel, sizes, others: Vec::new(), run: Box::new(run) }
    }

    /// Sizes that fit each other.
    fn accepts(mut self, sizes: impl Into<Vec<usize>>) -> Self {
        self.others.push((sizes.into(), false));
        self
    }

    /// Sizes that fit each other and are not allowed.
    fn refuses(mut self, sizes: impl Into<Vec<usize>>) -> Self {
        self.others.push((sizes.into(), true));
        self
    }

    /// The sizes that fit, with a name for the report.
    fn fitting(&self) -> Vec<usize> {
        self.sizes.iter().map(|size| size.fits).collect()
    }

    /// All calls: what is to be changed and how, the sizes, and whether the call is to be refused.
    fn calls(&self) -> Vec<(&'static str, Vec<usize>, bool)> {
        let mut calls = Vec::new();
        for (i, size) in self.sizes.iter().enumerate() {
            for (values, refused) in [(&size.accepted, false), (&size.refused, true)] {
                for &value in values {
                    let mut sizes = self.fitting();
                    sizes[i] = value;
                    calls.push((size.name, sizes, refused));
                }
            }
        }
        calls.extend(self.others.iter().map(|(sizes, refused)| ("all", sizes.clone(), *refused)));
        calls
    }
}

/// A slice that must have this length.
fn exactly(name: &'static str, fits: usize) -> Size {
    let refused = fits.checked_sub(1).into_iter().chain([fits + 1]).collect();
    Size { name, fits, accepted: Vec::new(), refused }
}

/// A slice that must have at least this length, more than 0.
fn at_least(name: &'static str, fits: usize) -> Size {
    Size { name, fits, accepted: [fits + 1, fits + 64].into(), refused: [fits - 1, 0].into() }
}

/// A number, and others of which the call accepts or refuses each.
fn number(name: &'static str, fits: usize, accepted: &[usize], refused: &[usize]) -> Size {
    Size { name, fits, accepted: accepted.into(), refused: refused.into() }
}

/// The result, if it is none or the slices hold what they were filled with.
macro_rules! unchanged {
    ($result:expr, $($slice:ident = $fill:expr),+) => {{
        let result = $result;
        if result.is_err() {
            $(assert!($slice.iter().all(|&x| x == $fill), "{} was written", stringify!($slice));)+
        }
        result
    }};
}
use unchanged;

/// Calls of every kernel for tiles of `lanes` lanes, whether there are such tiles or not.
fn calls(lanes: usize) -> Vec<Call> {
    let mut calls = products::calls(lanes);
    calls.extend(attention::calls(lanes));
    calls.extend(tokens::calls(lanes));
    calls.extend(channels::calls(lanes));
    calls.extend(embed::calls(lanes));
    calls
}

/// Fails unless the kernels refuse and accept what they should.
#[track_caller]
pub fn check(kernels: &dyn Kernels) {
    let described: BTreeSet<_> = calls(16).iter().map(|call| call.kernel).collect();
    assert_eq!(
        described,
        kernel_names().collect(),
        "kernels whose refusals are described, and those there are"
    );

    let isa = kernels.isa();
    for lanes in LANES {
        for call in calls(lanes) {
            let (kernel, sizes) = (call.kernel, call.fitting());
            assert!((call.run)(kernels, &sizes).is_ok(), "{isa}: {kernel} refuses {sizes:?}");
            for (changed, sizes, refused) in call.calls() {
                let result = (call.run)(kernels, &sizes);
                let names: Vec<_> = call.sizes.iter().map(|size| size.name).zip(&sizes).collect();
                assert_eq!(
                    result.is_err(),
                    refused,
                    "{isa}, {lanes} lanes: {kernel} refused, with another {changed}: {names:?}"
                );
            }
        }
    }
    for lanes in OTHER_LANES {
        for call in calls(lanes) {
            let (kernel, sizes) = (call.kernel, call.fitting());
            assert!((call.run)(kernels, &sizes).is_err(), "{isa}: {kernel} accepts {lanes} lanes, {sizes:?}");
        }
    }
    overflow::check(kernels);
}
