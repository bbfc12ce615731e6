//! Buffers cut into disjoint parts, one per task, so that tasks write at the same time without `unsafe` in the
//! caller.

use core::hint;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{MAX_THREADS, Parallel};
use crate::ShapeError;
use crate::layout::TokenTiles;

/// The most tasks of one [`for_each_cut`].
pub const MAX_TASKS: usize = 4096;

/// Calls `task(i, part i of each buffer)` for `i` in `0..n`, on `parallel`.
///
/// # Errors
/// [`ShapeError`] if the buffers do not have `n` parts, if `n` exceeds [`MAX_TASKS`] (nothing was called then), or
/// if a task returned it.
pub fn for_each_cut<P: Parts + Sync>(
    parallel: &dyn Parallel,
    n: usize,
    parts: P,
    task: impl Fn(usize, P::Item) -> Result<(), ShapeError> + Sync,
) -> Result<(), ShapeError> {
    if n > MAX_TASKS || !parts.has(n) {
        return Err(ShapeError);
    }
    let claimed = [const { AtomicU32::new(0) }; MAX_TASKS / 32];
    let failed = AtomicBool::new(false);
    parallel.for_each(n, &|i| {
        let bit = 1 << (i % 32);
        let first = claimed.get(i / 32).is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0);
        if i >= n || !first {
            return;
        }
        // SAFETY: `i` is below `n`, which `has` accepted, and the bit above is set by one call only, so part `i`
        // is handed out once.
        let item = unsafe { parts.take(i) };
        if task(i, item).is_err() {
            failed.store(true, Ordering::Relaxed);
        }
    });
    if failed.into_inner() { Err(ShapeError) } else { Ok(()) }
}

/// Something that has a part for each task.
///
/// # Safety
/// If `has(n)` is true, then `take(i)` for distinct `i` below `n` gives parts that may be used at the same time
/// from several threads.
pub unsafe trait Parts {
    /// What a task gets.
    type Item;

    /// Whether there are `n` parts.
    fn has(&self, n: usize) -> bool;

    /// Part `i`.
    ///
    /// # Safety
    /// `has(n)` was true for some `n > i`, and `take(i)` is called once at most.
    unsafe fn take(&self, i: usize) -> Self::Item;
}

/// Where the parts of a [`Cut`] begin. Plain data: the same question has the same answer every time.
#[derive(Clone, Copy, Debug)]
enum Bounds {
    Even { len: usize },
    Tiles { tiles: TokenTiles, features: usize, parts: usize, granule: usize },
}

impl Bounds {
    fn start(&self, i: usize) -> usize {
        match *self {
            Bounds::Even { len } => i * len,
            Bounds::Tiles { tiles, features, parts, granule } => {
                let parts = parts.max(1);
                let (tile, part) = (i / parts, i % parts);
                tiles.offset(tile, features) + part_start(features, parts, granule, part) * tiles.lanes(tile)
            }
        }
    }
}

/// First feature of part `part`, when `features` are split in `parts` along multiples of `granule`.
pub(crate) fn part_start(features: usize, parts: usize, granule: usize, part: usize) -> usize {
    // Neither divisor is 0 where there are parts, see `Parts::has`; `max` shows it to the compiler.
    granule * (features / granule.max(1) * part / parts.max(1))
}

/// A mutable slice, cut into contiguous parts.
#[derive(Debug)]
pub struct Cut<'a, T> {
    start: *mut T,
    len: usize,
    bounds: Bounds,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Cut` is a `&mut [T]` whose disjoint parts are handed to threads.
unsafe impl<T: Send> Send for Cut<'_, T> {}
// SAFETY: as above; `take` gives each part to one thread only.
unsafe impl<T: Send> Sync for Cut<'_, T> {}

impl<'a, T> Cut<'a, T> {
    /// Parts of `len` elements each.
    pub fn even(slice: &'a mut [T], len: usize) -> Self {
        Self::new(slice, Bounds::Even { len })
    }

    /// A buffer `[tile][feature][lane]` with task `tile · parts + part` owning the features of `part`: see
    /// [`Cut::features`].
    ///
    /// `parts` and `granule` must not be 0 (there are no parts then).
    pub fn tiles(
        slice: &'a mut [T],
        tiles: TokenTiles,
        features: usize,
        parts: usize,
        granule: usize,
    ) -> Self {
        Self::new(slice, Bounds::Tiles { tiles, features, parts, granule })
    }

    /// The features of part `part` when `features` are split in `parts` along multiples of `granule`.
    pub fn features(features: usize, parts: usize, granule: usize, part: usize) -> core::ops::Range<usize> {
        part_start(features, parts, granule, part)..part_start(features, parts, granule, part + 1)
    }

    fn new(slice: &'a mut [T], bounds: Bounds) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), bounds, slice: PhantomData }
    }
}

// SAFETY: `has` makes sure that the parts are in order and inside the slice, hence disjoint.
unsafe impl<'a, T> Parts for Cut<'a, T> {
    type Item = &'a mut [T];

    fn has(&self, n: usize) -> bool {
        if let Bounds::Tiles { tiles, parts, granule, .. } = self.bounds
            && (parts == 0 || granule == 0 || n > tiles.count() * parts)
        {
            return false;
        }
        (0..n).all(|i| self.bounds.start(i) <= self.bounds.start(i + 1)) && self.bounds.start(n) <= self.len
    }

    unsafe fn take(&self, i: usize) -> &'a mut [T] {
        let (start, end) = (self.bounds.start(i), self.bounds.start(i + 1));
        // SAFETY: `has` checked that start ≤ end ≤ len; the caller takes each part once, so nothing else points
        // to it during `'a`.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(start), end - start) }
    }
}

/// Scratch buffers that tasks borrow while they run: as many as threads, not as many as tasks.
#[derive(Debug)]
pub struct Pool<'a, T> {
    start: *mut T,
    each: usize,
    slots: usize,
    busy: &'a AtomicU32,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Pool` is a `&mut [T]` whose disjoint slots are handed to threads.
unsafe impl<T: Send> Send for Pool<'_, T> {}
// SAFETY: as above; the bits of `busy` keep a slot with one task at a time.
unsafe impl<T: Send> Sync for Pool<'_, T> {}

impl<'a, T> Pool<'a, T> {
    /// Slots of `each` elements, as many as `slice` holds, at most [`MAX_THREADS`]; `busy` is the pool's and starts at 0.
    pub fn new(slice: &'a mut [T], each: usize, busy: &'a mut AtomicU32) -> Self {
        *busy.get_mut() = 0;
        let slots = slice.len().checked_div(each).unwrap_or(0).min(MAX_THREADS);
        Self { start: slice.as_mut_ptr(), each, slots, busy, slice: PhantomData }
    }
}

// SAFETY: a slot is lent to the task that set its bit, and the bit is cleared when the loan is dropped.
unsafe impl<'a, T> Parts for Pool<'a, T> {
    type Item = Loan<'a, T>;

    fn has(&self, _: usize) -> bool {
        self.slots > 0
    }

    unsafe fn take(&self, _: usize) -> Loan<'a, T> {
        loop {
            for slot in 0..self.slots {
                let bit = 1 << slot;
                if self.busy.fetch_or(bit, Ordering::Acquire) & bit == 0 {
                    // SAFETY: `slot < slots`, so the range lies in the slice; the bit was clear, so nobody else
                    // holds this slot until `Loan::drop` clears it again.
                    let buffer = unsafe {
                        core::slice::from_raw_parts_mut(self.start.add(slot * self.each), self.each)
                    };
                    return Loan { buffer, busy: self.busy, bit };
                }
            }
            hint::spin_loop();
        }
    }
}

/// A slot of a [`Pool`], returned when dropped.
#[derive(Debug)]
pub struct Loan<'s, T> {
    buffer: &'s mut [T],
    busy: &'s AtomicU32,
    bit: u32,
}

impl<T> Deref for Loan<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.buffer
    }
}

impl<T> DerefMut for Loan<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.buffer
    }
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        self.busy.fetch_and(!self.bit, Ordering::Release);
    }
}

macro_rules! tuple_of_parts {
    ($($name:ident $index:tt),+) => {
        // SAFETY: each member is `Parts` by itself, and the members are different buffers.
        unsafe impl<$($name: Parts),+> Parts for ($($name,)+) {
            type Item = ($($name::Item,)+);

            fn has(&self, n: usize) -> bool {
                $(self.$index.has(n))&&+
            }

            unsafe fn take(&self, i: usize) -> Self::Item {
                // SAFETY: the caller's promise is the members'.
                unsafe { ($(self.$index.take(i),)+) }
            }
        }
    };
}

tuple_of_parts!(A 0, B 1);
tuple_of_parts!(A 0, B 1, C 2);
tuple_of_parts!(A 0, B 1, C 2, D 3);
tuple_of_parts!(A 0, B 1, C 2, D 3, E 4);
tuple_of_parts!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_of_parts!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Serial;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn parts_cover_the_buffer_once() {
        for (tokens, features, parts, granule) in
            [(1, 8, 3, 4), (100, 12, 2, 4), (130, 16, 5, 4), (64, 4, 1, 2)]
        {
            let tiles = TokenTiles::new(tokens);
            let mut buffer = vec![0u8; tiles.padded() * features];
            let n = tiles.count() * parts;
            for_each_cut(&Serial, n, Cut::tiles(&mut buffer, tiles, features, parts, granule), |i, part| {
                let range = Cut::<u8>::features(features, parts, granule, i % parts);
                assert_eq!(part.len(), range.len() * tiles.lanes(i / parts));
                part.iter_mut().for_each(|x| *x += 1);
                Ok(())
            })
            .unwrap();
            assert!(buffer.iter().all(|&x| x == 1), "{tokens} {features} {parts}");
        }
    }

    #[test]
    fn a_buffer_too_short_or_too_many_tasks_are_refused() {
        let mut buffer = vec![0u8; 64];
        let run = |buffer: &mut [u8], n, len| for_each_cut(&Serial, n, Cut::even(buffer, len), |_, _| Ok(()));
        assert!(run(&mut buffer, 8, 8).is_ok());
        assert!(run(&mut buffer, 9, 8).is_err());
        assert!(run(&mut buffer, MAX_TASKS + 1, 0).is_err());
        assert!(
            for_each_cut(&Serial, 1, Cut::tiles(&mut buffer, TokenTiles::new(1), 4, 0, 1), |_, _| Ok(()))
                .is_err()
        );
    }

    #[test]
    fn a_parallel_that_repeats_itself_gets_each_part_once() {
        struct Twice;
        impl Parallel for Twice {
            fn threads(&self) -> usize {
                1
            }
            fn for_each(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
                (0..n + 3).chain(0..n).for_each(task);
            }
        }
        let mut buffer = vec![0u8; 12];
        for_each_cut(&Twice, 4, Cut::even(&mut buffer, 3), |_, part| {
            part.iter_mut().for_each(|x| *x += 1);
            Ok(())
        })
        .unwrap();
        assert_eq!(buffer, vec![1; 12]);
    }

    #[test]
    fn a_failing_task_is_reported_and_loans_return() {
        let (mut scratch, mut out) = (vec![0u32; 6], vec![0u32; 5]);
        let mut busy = AtomicU32::new(0);
        let parts = (Pool::new(&mut scratch, 3, &mut busy), Cut::even(&mut out, 1));
        let result = for_each_cut(&Serial, 5, parts, |i, (mut scratch, out)| {
            scratch.fill(i as u32);
            out.copy_from_slice(scratch.get(..1).ok_or(ShapeError)?);
            if i == 3 { Err(ShapeError) } else { Ok(()) }
        });
        assert!(result.is_err());
        assert_eq!(out, (0..5).collect::<Vec<u32>>());
    }
}
