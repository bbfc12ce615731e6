//! Reading the tokenizer's sections: little-endian arrays, in place and at any alignment.

/// Why a section was refused.
pub(super) type Reason = &'static str;

/// A little-endian `u32` array.
#[derive(Clone, Copy)]
pub(super) struct U32s<'a>(&'a [[u8; 4]]);

impl<'a> U32s<'a> {
    #[inline]
    pub fn get(self, index: usize) -> Option<u32> {
        self.0.get(index).map(|word| u32::from_le_bytes(*word))
    }

    pub fn len(self) -> usize {
        self.0.len()
    }

    pub fn iter(self) -> impl Iterator<Item = u32> + 'a {
        self.0.iter().map(|word| u32::from_le_bytes(*word))
    }
}

/// A little-endian `u16` array.
#[derive(Clone, Copy)]
pub(super) struct U16s<'a>(&'a [[u8; 2]]);

impl<'a> U16s<'a> {
    #[inline]
    pub fn get(self, index: usize) -> Option<u16> {
        self.0.get(index).map(|half| u16::from_le_bytes(*half))
    }

    pub fn len(self) -> usize {
        self.0.len()
    }

    pub fn iter(self) -> impl Iterator<Item = u16> + 'a {
        self.0.iter().map(|half| u16::from_le_bytes(*half))
    }
}

/// Takes a section apart from its first byte to its last.
pub(super) struct Reader<'a>(&'a [u8]);

const TRUNCATED: Reason = "is shorter than its header says";

impl<'a> Reader<'a> {
    pub fn new(section: &'a [u8]) -> Self {
        Self(section)
    }

    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], Reason> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(TRUNCATED)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn u16s(&mut self, length: usize) -> Result<U16s<'a>, Reason> {
        let bytes = self.bytes(length.checked_mul(2).ok_or(TRUNCATED)?)?;
        Ok(U16s(bytes.as_chunks().0))
    }

    pub fn u32s(&mut self, length: usize) -> Result<U32s<'a>, Reason> {
        let bytes = self.bytes(length.checked_mul(4).ok_or(TRUNCATED)?)?;
        Ok(U32s(bytes.as_chunks().0))
    }

    pub fn u16(&mut self) -> Result<u16, Reason> {
        self.u16s(1)?.get(0).ok_or(TRUNCATED)
    }

    pub fn u32(&mut self) -> Result<u32, Reason> {
        self.u32s(1)?.get(0).ok_or(TRUNCATED)
    }

    /// A `u32` that counts something in memory.
    pub fn count(&mut self) -> Result<usize, Reason> {
        usize::try_from(self.u32()?).map_err(|_| TRUNCATED)
    }

    /// Nothing may follow what was read.
    pub fn finish(self) -> Result<(), Reason> {
        if self.0.is_empty() { Ok(()) } else { Err("is longer than its header says") }
    }
}
