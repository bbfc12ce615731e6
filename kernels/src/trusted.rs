//! The promise that stands in for the check of packed bytes.

/// Whoever holds it has promised that packed bytes are what the packer wrote, so that they need not be read to the
/// end before they are used: for a model in memory that nobody can change, such as flash that was verified when it
/// was written.
///
/// It stands for [`PackedMatrix::validate`](crate::matrix::PackedMatrix::validate) in
/// [`PackedMatrix::trust`](crate::matrix::PackedMatrix::trust), and for the engine's `Model::parse` in
/// `Model::parse_trusted`. Each value is used once.
#[derive(Debug)]
pub struct Trusted(());

impl Trusted {
    /// A promise about the bytes that this value is handed over with.
    ///
    /// # Safety
    /// Every matrix in those bytes is one that `validate` accepts, and they stay as they are while anything borrows
    /// them. Kernels use the pointers and column indices of a matrix without looking at bounds: of bytes that break
    /// the promise (cut short, flipped, of another file, of a hostile one) they read memory outside the matrix and
    /// outside their inputs, which is undefined behavior. If only weights, scales or sums differ, results are wrong,
    /// and differ between instruction sets, but memory is safe.
    pub const unsafe fn new() -> Self {
        Self(())
    }
}
