//! In which passages a term is: numbers of 7 bits a byte, the low ones first, the eighth bit set in all but the last.
//!
//! Of each passage first `gap << 1 | more`, where the gap is the distance to the passage before (of the first, its number).
//! Without `more` the term stands once in the passage and not in its title; else `count << 1 | in_title` follows.

/// A term in a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    pub passage: u32,
    /// How often it stands in the text; 0 where only the title has it.
    pub count: u32,
    pub in_title: bool,
}

/// Adds the postings of a term, in the order of the passages.
pub(crate) fn write(postings: impl IntoIterator<Item = Posting>, out: &mut Vec<u8>) {
    let mut before = 0;
    for Posting { passage, count, in_title } in postings {
        let more = count != 1 || in_title;
        number(u64::from(passage - before) << 1 | u64::from(more), out);
        if more {
            number(u64::from(count) << 1 | u64::from(in_title), out);
        }
        before = passage;
    }
}

fn number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads the postings of a term; ends where the bytes do, or before what makes no sense.
pub(crate) struct Postings<'a> {
    bytes: &'a [u8],
    before: Option<u32>,
}

impl<'a> Postings<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, before: None }
    }

    /// Bytes that have not been read.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// A number of at most 33 bits, in its shortest form.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for (shift, at) in (0..).step_by(7).zip(0..5) {
            let byte = *self.bytes.get(at)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.bytes = self.bytes.get(at + 1..)?;
                let shortest = byte > 0 || at == 0;
                return (shortest && number < 1 << 33).then_some(number);
            }
        }
        None
    }

    fn posting(&mut self) -> Option<Posting> {
        let first = self.number()?;
        let gap = (first >> 1) as u32;
        let passage = match self.before {
            None => gap,
            Some(before) if gap > 0 => before.checked_add(gap)?,
            Some(_) => return None,
        };
        self.before = Some(passage);
        if first & 1 == 0 {
            return Some(Posting { passage, count: 1, in_title: false });
        }
        let second = self.number()?;
        let (count, in_title) = ((second >> 1) as u32, second & 1 == 1);
        // What has a shorter form has no longer one, and what is nowhere has no posting.
        (in_title || count > 1).then_some(Posting { passage, count, in_title })
    }
}

impl Iterator for Postings<'_> {
    type Item = Posting;

    fn next(&mut self) -> Option<Posting> {
        let whole = self.bytes;
        let posting = self.posting();
        if posting.is_none() {
            self.bytes = whole;
        }
        posting
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Posting, Postings, write};

    proptest! {
        #[test]
        fn what_is_written_is_read(list in proptest::collection::btree_map(any::<u32>(), (any::<u32>(), any::<bool>()), 0..40)) {
            let postings: Vec<Posting> = list
                .into_iter()
                .filter(|(_, (count, in_title))| *count > 0 || *in_title)
                .map(|(passage, (count, in_title))| Posting { passage, count, in_title })
                .collect();
            let mut bytes = Vec::new();
            write(postings.iter().copied(), &mut bytes);
            let mut read = Postings::new(&bytes);
            let found: Vec<Posting> = read.by_ref().collect();
            prop_assert_eq!(found, postings);
            prop_assert_eq!(read.left(), 0);
        }

        #[test]
        fn whatever_is_read_is_in_order_and_would_be_written_so(bytes: Vec<u8>) {
            let mut read = Postings::new(&bytes);
            let found: Vec<Posting> = read.by_ref().collect();
            prop_assert!(found.is_sorted_by(|a, b| a.passage < b.passage));
            let mut written = Vec::new();
            write(found, &mut written);
            prop_assert_eq!(&bytes[..bytes.len() - read.left()], written);
        }
    }

    #[test]
    fn a_single_word_takes_a_byte() {
        let mut bytes = Vec::new();
        let once = |passage| Posting { passage, count: 1, in_title: false };
        write([once(3), once(60), Posting { passage: 61, count: 2, in_title: true }], &mut bytes);
        assert_eq!(bytes, [6, 114, 3, 5]);
    }
}
