//! A tensor as a pickle describes it: a storage, and how shape and strides lie in it.

use core::ops::Range;

use candle_core::pickle::Object;

use crate::checkpoint::reader::numbers::Number;

/// A tensor in the archive.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    /// The archive's entry with the storage.
    pub(super) entry: String,
    /// The format of its numbers; another one by name.
    pub(super) number: Result<Number, String>,
    /// The length of the storage, in numbers.
    pub(super) storage_len: usize,
    /// Where the tensor begins in it, in numbers.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// How far the next value along each dimension is, in numbers. 0 where one value stands for all.
    pub(super) strides: Vec<usize>,
}

impl Stored {
    /// The numbers of the storage from the tensor's first value to its last; `None` where they are not all there.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        if self.shape.contains(&0) {
            return Some(0..0);
        }
        let mut last = self.offset;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((size - 1).checked_mul(stride)?)?;
        }
        (self.shape.len() == self.strides.len() && last < self.storage_len).then(|| self.offset..last + 1)
    }

    /// The tensor's values in the order of its shape, from the numbers of [`Stored::span`].
    pub(super) fn row_major(&self, numbers: Vec<f32>) -> Vec<f32> {
        let count: usize = self.shape.iter().product();
        let mut expected = 1;
        let is_row_major = self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        });
        if is_row_major || count == 0 {
            return numbers;
        }
        let mut values = Vec::with_capacity(count);
        self.gather(&numbers, 0, 0, &mut values);
        values
    }

    /// Appends the values along the dimensions from `dimension`, of which the first is at `at`.
    fn gather(&self, numbers: &[f32], dimension: usize, at: usize, values: &mut Vec<f32>) {
        match (self.shape.get(dimension), self.strides.get(dimension)) {
            (Some(&size), Some(&stride)) => {
                (0..size).for_each(|i| self.gather(numbers, dimension + 1, at + i * stride, values));
            }
            _ => values.extend(numbers.get(at)),
        }
    }
}

/// The tensor that an object is; `None` for anything else, the kind of a tensor that has no plain storage as an
/// error. `folder` is the archive's, with its slash.
pub(super) fn tensor(object: Object, folder: &str) -> Option<Result<Stored, String>> {
    let (callable, arguments) = object.reduce().ok()?;
    let (module, class) = callable.class().ok()?;
    let mut arguments = arguments.tuple().ok()?;
    match (module.as_str(), class.as_str()) {
        ("torch._utils", "_rebuild_tensor_v2") => {
            Some(plain(arguments, folder).ok_or_else(|| "a tensor of unknown make".to_owned()))
        }
        // A parameter: the tensor, then whether it is trained.
        ("torch._utils", "_rebuild_parameter") => tensor(take(&mut arguments, 0)?, folder),
        // A subclass: the function, the class, the function's arguments, the object's state.
        ("torch._tensor", "_rebuild_from_type_v2") => {
            let (callable, inner) = (take(&mut arguments, 0)?, take(&mut arguments, 2)?);
            tensor(Object::Reduce { callable: Box::new(callable), args: Box::new(inner) }, folder)
        }
        ("torch._utils", make) => {
            let kind = make.trim_start_matches("_rebuild_");
            Some(Err(format!("a tensor of another make ({kind})")))
        }
        _ => None,
    }
}

/// The arguments of PyTorch's `_rebuild_tensor_v2`: storage, offset, shape, strides and others.
fn plain(mut arguments: Vec<Object>, folder: &str) -> Option<Stored> {
    let storage = take(&mut arguments, 0)?.persistent_load().ok()?;
    // "storage", its class, its key in the archive, its device, its length.
    let mut storage = storage.tuple().ok()?;
    let (_, class) = take(&mut storage, 1)?.class().ok()?;
    let number = match class.as_str() {
        "DoubleStorage" => Ok(Number::F64),
        "FloatStorage" => Ok(Number::F32),
        "HalfStorage" => Ok(Number::F16),
        "BFloat16Storage" => Ok(Number::Bf16),
        other => Err(other.trim_end_matches("Storage").to_lowercase()),
    };
    Some(Stored {
        entry: format!("{folder}data/{}", take(&mut storage, 2)?.unicode().ok()?),
        number,
        storage_len: count(take(&mut storage, 4)?)?,
        offset: count(take(&mut arguments, 1)?)?,
        shape: counts(take(&mut arguments, 2)?)?,
        strides: counts(take(&mut arguments, 3)?)?,
    })
}

/// The object at a place, which is left empty.
fn take(objects: &mut [Object], at: usize) -> Option<Object> {
    objects.get_mut(at).map(|object| core::mem::replace(object, Object::None))
}

fn count(object: Object) -> Option<usize> {
    usize::try_from(object.int_or_long().ok()?).ok()
}

fn counts(object: Object) -> Option<Vec<usize>> {
    object.tuple().ok()?.into_iter().map(count).collect()
}
