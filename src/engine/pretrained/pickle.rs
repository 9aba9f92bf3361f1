//! Python pickles, read as data: what a file of PyTorch says of its tensors, and nothing is ever called.
//!
//! A pickle is a program for a stack machine. Here a call is written down as a call, and whoever reads the result knows the few that rebuild
//! tensors. All values lie in one list and speak of each other by number, so that neither depth nor repetition costs anything: memory grows
//! with the length of the text alone.

use std::collections::HashMap;

/// A value's place in [`Pickle::values`].
pub type Id = usize;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`, and what no tensor needs.
    Nothing,
    /// `True`, `False`, or a whole number that fits.
    Int(i64),
    /// Text.
    Text(String),
    /// A class or a function by its full name: `torch._utils._rebuild_tensor_v2`.
    Global(String),
    /// A tuple, a list or a set.
    Items(Vec<Id>),
    /// A dictionary, in its order.
    Pairs(Vec<(Id, Id)>),
    /// A call, or an object of a class: what is called, with which arguments, and what it was given afterwards.
    Made(Id, Id, Option<Id>),
    /// Something that lies outside of the pickle: a storage.
    Outside(Id),
}

/// A pickle that was read.
pub struct Pickle {
    values: Vec<Value>,
    /// The whole of it.
    pub root: Id,
    /// The bytes it took.
    pub length: usize,
}

impl Pickle {
    /// A value.
    pub fn get(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Nothing)
    }

    /// The items of a tuple or a list.
    pub fn items(&self, id: Id) -> &[Id] {
        match self.get(id) {
            Value::Items(items) => items,
            _ => &[],
        }
    }

    /// A text.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number.
    pub fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// Reads the pickle that `bytes` begin with; the error is what it stumbled over.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine { bytes, at: 0, values: vec![], stack: vec![], marks: vec![], memo: HashMap::new() };
        loop {
            let begun = machine.at;
            match machine.step() {
                Some(false) => {}
                Some(true) => break,
                None => {
                    let op = bytes.get(begun).copied().unwrap_or_default();
                    return Err(match begun < bytes.len() {
                        true => format!("byte {begun} of its pickle ({op:#04x}) is not understood"),
                        false => "its pickle is cut short".to_string(),
                    });
                }
            }
        }
        let Machine { values, mut stack, at, .. } = machine;
        let root = stack.pop().ok_or("its pickle is empty")?;
        Ok(Self { values, root, length: at })
    }
}

/// The machine: a stack of values, and marks in it.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(n)?;
        let found = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(found)
    }

    /// A whole number of so many bytes, the least first.
    fn number(&mut self, n: usize) -> Option<u64> {
        Some(self.take(n)?.iter().rev().fold(0, |sum, b| (sum << 8) | u64::from(*b)))
    }

    fn length(&mut self, n: usize) -> Option<usize> {
        usize::try_from(self.number(n)?).ok()
    }

    fn line(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|b| *b == b'\n')?;
        let text = String::from_utf8_lossy(rest.get(..end)?).into_owned();
        self.at += end + 1;
        Some(text)
    }

    fn push(&mut self, value: Value) -> Option<bool> {
        self.values.push(value);
        self.stack.push(self.values.len() - 1);
        Some(false)
    }

    fn text(&mut self, length: usize) -> Option<bool> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Value::Text(text))
    }

    /// What lies above the last mark.
    fn marked(&mut self) -> Option<Vec<Id>> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len())?;
        Some(self.stack.split_off(mark))
    }

    /// The last `n` values as one.
    fn tuple(&mut self, n: usize) -> Option<bool> {
        let from = self.stack.len().checked_sub(n)?;
        let items = self.stack.split_off(from);
        self.push(Value::Items(items))
    }

    fn last(&mut self) -> Option<&mut Value> {
        let id = *self.stack.last()?;
        self.values.get_mut(id)
    }

    /// Puts pairs into the dictionary on top. What is no dictionary to us has entries that nobody reads.
    fn put(&mut self, all: &[Id]) -> Option<bool> {
        if let Value::Pairs(pairs) = self.last()? {
            pairs.extend(all.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))));
        }
        Some(false)
    }

    fn append(&mut self, more: &[Id]) -> Option<bool> {
        if let Value::Items(items) = self.last()? {
            items.extend(more);
        }
        Some(false)
    }

    fn remember(&mut self, key: u64) -> Option<bool> {
        let id = *self.stack.last()?;
        self.memo.insert(key, id);
        Some(false)
    }

    fn recall(&mut self, key: u64) -> Option<bool> {
        let id = *self.memo.get(&key)?;
        self.stack.push(id);
        Some(false)
    }

    /// A call, written down. An ordered dictionary is a dictionary.
    fn call(&mut self) -> Option<bool> {
        let (args, callee) = (self.stack.pop()?, self.stack.pop()?);
        let dictionary = matches!(
            self.values.get(callee)?,
            Value::Global(name) if matches!(name.as_str(), "collections.OrderedDict" | "collections.defaultdict")
        );
        self.push(if dictionary { Value::Pairs(vec![]) } else { Value::Made(callee, args, None) })
    }

    /// One instruction; true at the end, `None` for one that is not understood.
    fn step(&mut self) -> Option<bool> {
        let op = *self.take(1)?.first()?;
        match op {
            0x80 => self.take(1).map(|_| false),
            0x95 => self.take(8).map(|_| false),
            b'.' => Some(true),
            b'(' => {
                self.marks.push(self.stack.len());
                Some(false)
            }
            b'0' => self.stack.pop().map(|_| false),
            b'1' => self.marked().map(|_| false),
            b'2' => {
                let id = *self.stack.last()?;
                self.stack.push(id);
                Some(false)
            }
            b'N' => self.push(Value::Nothing),
            0x88 => self.push(Value::Int(1)),
            0x89 => self.push(Value::Int(0)),
            b'J' => self.number(4).and_then(|n| self.push(Value::Int(i64::from(n as u32 as i32)))),
            b'K' => self.number(1).and_then(|n| self.push(Value::Int(n as i64))),
            b'M' => self.number(2).and_then(|n| self.push(Value::Int(n as i64))),
            0x8a | 0x8b => {
                let length = self.length(if op == 0x8a { 1 } else { 4 })?;
                let digits = self.take(length)?;
                let negative = digits.last().is_some_and(|b| *b >= 0x80);
                let fill = if negative { !0u64 } else { 0 };
                let value = digits.iter().rev().fold(fill, |sum, b| (sum << 8) | u64::from(*b)) as i64;
                self.push(if length <= 8 { Value::Int(value) } else { Value::Nothing })
            }
            b'G' => self.take(8).and_then(|_| self.push(Value::Nothing)),
            b'X' | b'T' => self.length(4).and_then(|n| self.text(n)),
            0x8c | b'U' => self.length(1).and_then(|n| self.text(n)),
            0x8d => self.length(8).and_then(|n| self.text(n)),
            b'B' => self.length(4).and_then(|n| self.take(n)).and_then(|_| self.push(Value::Nothing)),
            b'C' => self.length(1).and_then(|n| self.take(n)).and_then(|_| self.push(Value::Nothing)),
            0x8e | 0x96 => self.length(8).and_then(|n| self.take(n)).and_then(|_| self.push(Value::Nothing)),
            b')' | b']' | 0x8f => self.push(Value::Items(vec![])),
            b'}' => self.push(Value::Pairs(vec![])),
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b't' | b'l' | 0x91 => self.marked().and_then(|items| self.push(Value::Items(items))),
            b'd' => {
                let all = self.marked()?;
                self.push(Value::Pairs(vec![]))?;
                self.put(&all)
            }
            b's' => {
                let (value, key) = (self.stack.pop()?, self.stack.pop()?);
                self.put(&[key, value])
            }
            b'u' => self.marked().and_then(|all| self.put(&all)),
            b'a' => self.stack.pop().and_then(|item| self.append(&[item])),
            b'e' | 0x90 => self.marked().and_then(|items| self.append(&items)),
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.push(Value::Global(name))
            }
            0x93 => {
                let (name, module) = (self.stack.pop()?, self.stack.pop()?);
                let (Value::Text(name), Value::Text(module)) = (self.values.get(name)?, self.values.get(module)?)
                else {
                    return None;
                };
                let name = format!("{module}.{name}");
                self.push(Value::Global(name))
            }
            b'q' => self.number(1).and_then(|key| self.remember(key)),
            b'r' => self.number(4).and_then(|key| self.remember(key)),
            0x94 => self.remember(self.memo.len() as u64),
            b'h' => self.number(1).and_then(|key| self.recall(key)),
            b'j' => self.number(4).and_then(|key| self.recall(key)),
            b'R' | 0x81 => self.call(),
            b'b' => {
                let state = self.stack.pop()?;
                if let Value::Made(_, _, own) = self.last()? {
                    *own = Some(state);
                }
                Some(false)
            }
            b'Q' => {
                let id = self.stack.pop()?;
                self.push(Value::Outside(id))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_python_wrote_is_read() {
        // pickle.dumps({"a": (1, -2, 70000, None, True), "b": [2.5, "x"]}, 2)
        let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00N\x88tq\x02X\x01\x00\x00\x00bq\x03]q\x04(G@\x04\x00\x00\x00\x00\x00\x00X\x01\x00\x00\x00xq\x05eu.";
        let pickle = Pickle::read(bytes).unwrap();
        assert_eq!(pickle.length, bytes.len());
        let Value::Pairs(pairs) = pickle.get(pickle.root) else { panic!() };
        let keys: Vec<_> = pairs.iter().map(|(k, _)| pickle.text(*k).unwrap()).collect();
        assert_eq!(keys, ["a", "b"]);
        let numbers: Vec<_> = pickle.items(pairs[0].1).iter().map(|i| pickle.int(*i)).collect();
        assert_eq!(numbers, [Some(1), Some(-2), Some(70000), None, Some(1)]);
        assert_eq!(pickle.items(pairs[1].1).len(), 2);
    }

    #[test]
    fn a_call_is_written_down_and_not_made() {
        let pickle = Pickle::read(b"cos\nsystem\n(X\x02\x00\x00\x00lstR.").unwrap();
        let Value::Made(callee, args, None) = pickle.get(pickle.root) else { panic!() };
        assert_eq!(pickle.get(*callee), &Value::Global("os.system".into()));
        assert_eq!(pickle.text(pickle.items(*args)[0]), Some("ls"));
    }

    #[test]
    fn hostile_bytes_are_an_error_and_take_no_memory() {
        let deep: Vec<u8> = std::iter::repeat_n(b"\x85".as_slice(), 200_000).fold(b"N".to_vec(), |mut all, b| {
            all.extend(b);
            all
        });
        // Tuples in tuples, and one that doubles itself a thousand times.
        let doubled: Vec<u8> = b"N".iter().copied().chain(b"2\x86".repeat(1000)).chain(*b".").collect();
        assert!(Pickle::read(&doubled).is_ok());
        assert!(Pickle::read(&[deep.as_slice(), b"."].concat()).is_ok());
        for wrong in [
            b"".as_slice(),
            b".",
            b"X\xff\xff\xff\xffx.",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffx.",
            b"t.",
            b"R.",
            b"h\x07.",
            b"s.",
            b"cos",
            b"I1\n.",
            b"(((",
        ] {
            assert!(Pickle::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
