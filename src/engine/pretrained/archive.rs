//! The tensors of a PyTorch file: `torch.save(model.state_dict(), "vgg16.pth")`, as an archive, or as PyTorch before 1.6 wrote it.
//!
//! An archive is a zip whose entries are stored as they are: `…/data.pkl` says which tensors there are, `…/data/0` and so on hold
//! their numbers.

use std::collections::HashMap;
use std::ops::Range;

use super::pickle::{Id, Pickle, Value};

/// The numbers of a tensor in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Real {
    /// Eight bytes.
    F64,
    /// Four bytes.
    F32,
    /// Two bytes, as IEEE 754 has it.
    F16,
    /// The upper two bytes of an f32.
    Bf16,
}

impl Real {
    /// The kind that a storage is called by.
    fn of(storage: &str) -> Option<Real> {
        match storage {
            "torch.DoubleStorage" => Some(Real::F64),
            "torch.FloatStorage" => Some(Real::F32),
            "torch.HalfStorage" => Some(Real::F16),
            "torch.BFloat16Storage" => Some(Real::Bf16),
            _ => None,
        }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Real::F64 => 8,
            Real::F32 => 4,
            Real::F16 | Real::Bf16 => 2,
        }
    }
}

/// Bytes of a number of a storage that is not read, so that what lies behind it is found.
fn foreign_bytes(storage: &str) -> Option<usize> {
    match storage {
        "torch.LongStorage" => Some(8),
        "torch.IntStorage" => Some(4),
        "torch.ShortStorage" => Some(2),
        "torch.CharStorage" | "torch.ByteStorage" | "torch.BoolStorage" => Some(1),
        _ => None,
    }
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub real: Real,
    /// Where its storage lies in the file.
    pub bytes: Range<usize>,
    /// The first of its numbers in the storage.
    pub offset: usize,
    /// How far apart neighbors along each axis lie.
    pub strides: Vec<usize>,
}

/// True for a file that PyTorch wrote.
pub fn is_pytorch(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02\x8a\x0a")
}

/// The tensors of real numbers in a file, in its order; the error is what is wrong with it.
pub fn tensors(bytes: &[u8]) -> Result<Vec<Stored>, String> {
    if bytes.starts_with(b"PK") { zipped(bytes) } else { legacy(bytes) }
}

/// A tensor as a pickle speaks of it.
struct Spoken<'a> {
    name: String,
    key: &'a str,
    storage: &'a str,
    numbers: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

fn zipped(bytes: &[u8]) -> Result<Vec<Stored>, String> {
    let entries = entries(bytes)?;
    let (name, place) = entries
        .iter()
        .find(|(name, _)| name.ends_with("data.pkl"))
        .ok_or("it is a zip without data.pkl, which PyTorch's files have")?;
    let root = name.strip_suffix("data.pkl").unwrap_or("");
    let of = |name: &str| entries.iter().find(|(n, _)| n.strip_prefix(root) == Some(name)).map(|(_, place)| place);
    let read = |place: &Range<usize>| bytes.get(place.clone()).unwrap_or(&[]);
    if of("byteorder").is_some_and(|place| read(place) == b"big") {
        return Err("its numbers are stored with the greatest byte first".into());
    }
    let places: HashMap<&str, &Range<usize>> =
        entries.iter().filter_map(|(n, p)| Some((n.strip_prefix(root)?.strip_prefix("data/")?, p))).collect();
    let pickle = Pickle::read(read(place))?;
    let mut found = Vec::new();
    for spoken in state_dict(&pickle)? {
        let Some(real) = Real::of(spoken.storage) else { continue };
        let place = places.get(spoken.key).ok_or_else(|| format!("the numbers of `{}` are missing", spoken.name))?;
        found.push(stored(spoken, real, (*place).clone()));
    }
    Ok(found)
}

/// Pickles one behind the other (a magic number, a version, the system, the tensors, the keys of storages), and then each storage
/// behind its length.
fn legacy(bytes: &[u8]) -> Result<Vec<Stored>, String> {
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::read(bytes.get(at..).unwrap_or(&[]))?;
        at += pickle.length;
        Ok::<_, String>(pickle)
    };
    let _ = [next()?, next()?, next()?];
    let (pickle, keys) = (next()?, next()?);
    let spoken = state_dict(&pickle)?;
    // Storages that no tensor of the dictionary lies in have a size as well, so all that are spoken of count.
    let sizes: HashMap<&str, usize> = spoken
        .iter()
        .filter_map(|s| Some((s.key, Real::of(s.storage).map(Real::bytes).or(foreign_bytes(s.storage))?)))
        .collect();
    let mut places: HashMap<&str, Range<usize>> = HashMap::new();
    for key in keys.items(keys.root) {
        let Some(key) = keys.text(*key) else { break };
        let head = bytes.get(at..at.saturating_add(8)).ok_or("it is cut short")?;
        let numbers = head.iter().rev().fold(0usize, |sum, b| (sum << 8) | usize::from(*b));
        // Behind a storage of an unknown kind nothing can be found.
        let Some(size) = sizes.get(key) else { break };
        let end = numbers.checked_mul(*size).and_then(|n| n.checked_add(at + 8)).filter(|end| *end <= bytes.len());
        let end = end.ok_or("it is cut short")?;
        places.insert(key, at + 8..end);
        at = end;
    }
    let mut found = Vec::new();
    for spoken in spoken {
        let Some(real) = Real::of(spoken.storage) else { continue };
        let place = places.get(spoken.key).ok_or_else(|| format!("the numbers of `{}` are missing", spoken.name))?;
        found.push(stored(spoken, real, place.clone()));
    }
    Ok(found)
}

fn stored(spoken: Spoken<'_>, real: Real, place: Range<usize>) -> Stored {
    let Spoken { name, numbers, offset, shape, strides, .. } = spoken;
    let end = place.start.saturating_add(numbers.saturating_mul(real.bytes())).min(place.end);
    Stored { name, shape, real, bytes: place.start..end, offset, strides }
}

/// The names under which a checkpoint keeps its tensors, the likelier first.
const DICTS: [&str; 6] = ["state_dict", "model_state_dict", "model", "net", "weights", "params"];

/// The tensors of a dictionary, or of the one that a checkpoint holds.
fn state_dict(pickle: &Pickle) -> Result<Vec<Spoken<'_>>, String> {
    let own = of_dict(pickle, pickle.root);
    if !own.is_empty() {
        return Ok(own);
    }
    let inner = |name: &str| match pickle.get(pickle.root) {
        Value::Pairs(pairs) => pairs.iter().find(|(k, _)| pickle.text(*k) == Some(name)).map(|(_, v)| *v),
        _ => None,
    };
    let found = DICTS.iter().filter_map(|name| inner(name)).map(|id| of_dict(pickle, id)).find(|all| !all.is_empty());
    found.ok_or_else(|| {
        "it holds no dictionary of tensors; write one in Python:  torch.save(model.state_dict(), \"weights.pth\")"
            .to_string()
    })
}

fn of_dict(pickle: &Pickle, id: Id) -> Vec<Spoken<'_>> {
    let Value::Pairs(pairs) = pickle.get(id) else { return Vec::new() };
    pairs.iter().filter_map(|(key, value)| tensor(pickle, pickle.text(*key)?, *value)).collect()
}

/// A call that rebuilds a tensor: of its storage, an offset, a shape and strides.
fn tensor<'a>(pickle: &'a Pickle, name: &str, id: Id) -> Option<Spoken<'a>> {
    let mut id = id;
    // A parameter holds one.
    for _ in 0..3 {
        let Value::Made(callee, args, _) = pickle.get(id) else { return None };
        let Value::Global(callee) = pickle.get(*callee) else { return None };
        let args = pickle.items(*args);
        match callee.as_str() {
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                let [storage, offset, shape, strides, ..] = args else { return None };
                let Value::Outside(storage) = pickle.get(*storage) else { return None };
                let [_, kind, key, _, numbers, ..] = pickle.items(*storage) else { return None };
                let Value::Global(storage) = pickle.get(*kind) else { return None };
                let count = |id: &Id| pickle.int(*id).and_then(|n| usize::try_from(n).ok());
                let counts = |id: &Id| pickle.items(*id).iter().map(count).collect::<Option<Vec<usize>>>();
                return Some(Spoken {
                    name: name.to_string(),
                    key: pickle.text(*key)?,
                    storage,
                    numbers: count(numbers)?,
                    offset: count(offset)?,
                    shape: counts(shape)?,
                    strides: counts(strides)?,
                });
            }
            "torch._utils._rebuild_parameter" => id = *args.first()?,
            _ => return None,
        }
    }
    None
}

/// The bytes of a tensor's numbers in the order of its shape; `None` where it reaches out of its storage.
pub fn raw(bytes: &[u8], of: &Stored) -> Option<Vec<u8>> {
    let storage = bytes.get(of.bytes.clone())?;
    let size = of.real.bytes();
    let count = of.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
    if count == 0 {
        return Some(Vec::new());
    }
    let axes = || of.shape.iter().zip(&of.strides);
    let reach = axes().try_fold(of.offset, |sum, (d, s)| sum.checked_add(d.checked_sub(1)?.checked_mul(*s)?))?;
    if of.shape.len() != of.strides.len() || reach.checked_add(1)?.checked_mul(size)? > storage.len() {
        return None;
    }
    let dense = axes().rev().try_fold(1usize, |step, (d, s)| (*d == 1 || *s == step).then_some(step * d)).is_some();
    if dense {
        return storage.get(of.offset * size..(of.offset + count) * size).map(<[u8]>::to_vec);
    }
    let mut place = vec![0usize; of.shape.len()];
    let mut found = Vec::with_capacity(count * size);
    for _ in 0..count {
        let at = place.iter().zip(&of.strides).fold(of.offset, |sum, (i, s)| sum + i * s);
        found.extend_from_slice(storage.get(at * size..at * size + size)?);
        for (index, size) in place.iter_mut().zip(&of.shape).rev() {
            *index += 1;
            if *index < *size {
                break;
            }
            *index = 0;
        }
    }
    Some(found)
}

/// The entries of a zip, each with its place; only such as are stored as they are.
fn entries(bytes: &[u8]) -> Result<Vec<(String, Range<usize>)>, String> {
    let number = |at: usize, n: usize| -> Option<usize> {
        let raw = bytes.get(at..at.checked_add(n)?)?;
        Some(raw.iter().rev().fold(0usize, |sum, b| (sum << 8) | usize::from(*b)))
    };
    let cut = || "its zip is cut short".to_string();
    // The end of the directory is the last thing of a zip but for a comment.
    let from = bytes.len().saturating_sub(22 + (1 << 16));
    let tail = bytes.get(from..).unwrap_or(&[]);
    let end = tail.windows(4).rposition(|w| w == b"PK\x05\x06").map(|at| from + at).ok_or_else(cut)?;
    let (mut count, mut at) = (number(end + 10, 2).ok_or_else(cut)?, number(end + 16, 4).ok_or_else(cut)?);
    // A large zip has the same numbers with more digits before that.
    if (count == 0xffff || at == 0xffff_ffff)
        && let Some(wide) = end.checked_sub(20).filter(|p| bytes.get(*p..*p + 4) == Some(b"PK\x06\x07"))
    {
        let place = number(wide + 8, 8).ok_or_else(cut)?;
        let place =
            Some(place).filter(|p| bytes.get(*p..p.saturating_add(4)) == Some(b"PK\x06\x06")).ok_or_else(cut)?;
        (count, at) = (number(place + 32, 8).ok_or_else(cut)?, number(place + 48, 8).ok_or_else(cut)?);
    }
    let mut found = Vec::new();
    for _ in 0..count {
        if bytes.get(at..at.saturating_add(4)) != Some(b"PK\x01\x02") {
            return Err(cut());
        }
        let field = |offset: usize, n: usize| at.checked_add(offset).and_then(|at| number(at, n)).ok_or_else(cut);
        let (method, name, extra, comment) = (field(10, 2)?, field(28, 2)?, field(30, 2)?, field(32, 2)?);
        let (mut size, mut header) = (field(24, 4)?, field(42, 4)?);
        let text = bytes.get(at + 46..at + 46 + name).ok_or_else(cut)?;
        // Wide numbers stand in the extra field number 1, in this order, those alone that need it.
        let mut more = at + 46 + name;
        let end_of_extra = more + extra;
        while more + 4 <= end_of_extra {
            let (id, length) = (number(more, 2).ok_or_else(cut)?, number(more + 2, 2).ok_or_else(cut)?);
            if id == 1 {
                let mut place = more + 4;
                if size == 0xffff_ffff {
                    size = number(place, 8).ok_or_else(cut)?;
                    // The size as stored follows.
                    place += 16;
                }
                if header == 0xffff_ffff {
                    header = number(place, 8).ok_or_else(cut)?;
                }
            }
            more += 4 + length;
        }
        let name_text = String::from_utf8_lossy(text).into_owned();
        if method != 0 {
            return Err(format!("`{name_text}` in it is compressed, which PyTorch's files are not"));
        }
        let local = |offset: usize| header.checked_add(offset).and_then(|at| number(at, 2)).ok_or_else(cut);
        let begin = header.checked_add(30 + local(26)? + local(28)?).ok_or_else(cut)?;
        let end = begin.checked_add(size).filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
        found.push((name_text, begin..end));
        at = at + 46 + name + extra + comment;
    }
    Ok(found)
}
