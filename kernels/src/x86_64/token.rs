//! The tokens: proofs that the processor has an instruction set, and that the operating system saves its registers.

/// A token that exists where [`Features`](super::cpuid::Features) has `$feature`.
macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $feature:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(());

        impl $name {
            /// The token, if the processor has the instructions and the operating system saves their registers.
            pub fn new() -> Option<Self> {
                $crate::x86_64::cpuid::Features::detect().$feature.then_some(Self(()))
            }

            pub(in $crate::x86_64) fn kernels() -> Option<&'static dyn $crate::Kernels> {
                Self::new().map(|_| &Self(()) as &dyn $crate::Kernels)
            }
        }
    };
}
pub(super) use token;
