//! Counts.

/// Lines in the output, those of earlier runs among them.
#[derive(Default)]
pub struct Tally {
    pub lines: u64,
    pub errors: u64,
}

impl Tally {
    pub fn count(&mut self, is_error: bool) {
        self.lines += 1;
        self.errors += u64::from(is_error);
    }
}
