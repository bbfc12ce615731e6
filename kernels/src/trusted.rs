//! The promise that stands in for the check of packed bytes.

/// Bytes of which somebody has promised that they are what the packer wrote, so that they need not be read to the
/// end before they are used: for a model in memory that nobody can change, such as flash that was verified when it
/// was written.
///
/// It stands for [`PackedMatrix::validate`](crate::matrix::PackedMatrix::validate) in
/// [`PackedMatrix::trust`](crate::matrix::PackedMatrix::trust), and for the engine's `Model::parse` in
/// `Model::parse_trusted`. The promise is about these bytes and no others: both take them from here.
#[derive(Debug)]
pub struct Trusted<'a> {
    bytes: &'a [u8],
}

impl<'a> Trusted<'a> {
    /// The bytes, with a promise about them.
    ///
    /// # Safety
    /// Kernels compute with what is made from this value only if it was made from bytes that the check accepts:
    /// `Model::parse` the bytes of `Model::parse_trusted`, `validate` each part of them that `PackedMatrix::trust` is
    /// asked for. And nobody changes the bytes during `'a`, not through a file or another mapping either.
    ///
    /// Kernels use the pointers and column indices of a matrix without looking at bounds: of bytes that break the
    /// promise (cut short, flipped, of another file, of a hostile one) they read memory outside the matrix and
    /// outside their inputs, which is undefined behavior. If only weights, scales or sums differ, results are wrong,
    /// and differ between instruction sets, but memory is safe.
    pub const unsafe fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
