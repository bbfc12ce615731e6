//! The tokens: proofs that the CPU has an instruction set.

use crate::implementation::{Implementation, delegate, for_products, for_vector_functions};
use crate::vector::{self, Vector, with_features};
use crate::{Isa, Kernels, products128};

/// Whether the CPU has a feature: by asking the operating system, without `std` by what the build enables.
macro_rules! detected {
    ($feature:tt) => {{
        #[cfg(feature = "std")]
        {
            std::arch::is_aarch64_feature_detected!($feature)
        }
        #[cfg(not(feature = "std"))]
        {
            cfg!(target_feature = $feature)
        }
    }};
}

/// A token with its kernels; `$features` must say what the detection finds.
macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $features:literal, $detected:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(());

        impl $name {
            /// The token, if the CPU has the instructions: with feature `std` the operating system is asked,
            /// without it the answer is what the build enables (`-C target-feature`).
            pub fn new() -> Option<Self> {
                let detected = $detected;
                detected.then_some(Self(()))
            }

            pub(super) fn kernels() -> Option<&'static dyn Kernels> {
                Self::new().map(|_| &Self(()) as &dyn Kernels)
            }

            /// The token, for a caller who knows the CPU, as on bare metal.
            ///
            /// # Safety
            /// The CPU must have the instructions; see the type.
            pub const unsafe fn new_unchecked() -> Self {
                Self(())
            }
        }

        impl Implementation for $name {
            fn instruction_set(&self) -> Isa {
                Isa::$name
            }

            for_products!(delegate!(products128;));
            for_vector_functions!(with_features!($features vector Vector;));
        }
    };
}

token! {
    /// Proof of Advanced SIMD (ARMv8.0: Cortex-A53, A72), which every target of this module has.
    Neon, "neon", true
}

token! {
    /// Proof of Advanced SIMD with `sdot` (FEAT_DotProd: Cortex-A55, A76 and newer).
    Dotprod, "neon,dotprod", detected!("dotprod")
}

token! {
    /// Proof of Advanced SIMD with `sdot` and `smmla` (FEAT_I8MM: Neoverse V1, Apple M2 and newer).
    I8mm, "neon,dotprod,i8mm", detected!("dotprod") && detected!("i8mm")
}
