//! The few operators of ONNX that the little network of the tests is made of, from their definitions: slow, and in f64.

use std::collections::HashMap;

/// Numbers with their shape.
#[derive(Clone, Debug)]
pub struct Array {
    pub shape: Vec<usize>,
    pub numbers: Vec<f64>,
}

/// A node with what it takes beside tensors.
pub struct Node {
    pub op: String,
    pub inputs: Vec<String>,
    pub output: String,
    pub ints: HashMap<String, Vec<i64>>,
    pub floats: HashMap<String, f64>,
}

impl Node {
    fn int(&self, name: &str) -> usize {
        self.ints[name][0] as usize
    }
}

impl Array {
    fn of(shape: &[usize], at: impl Fn(&[usize]) -> f64) -> Self {
        let count: usize = shape.iter().product();
        let place = |index: usize| {
            let mut rest = index;
            let mut place: Vec<usize> = shape.iter().rev().map(|n| (rest % n, rest /= n).0).collect();
            place.reverse();
            place
        };
        Self { shape: shape.to_vec(), numbers: (0..count).map(|i| at(&place(i))).collect() }
    }

    fn at(&self, place: &[usize]) -> f64 {
        self.numbers[place.iter().zip(&self.shape).fold(0, |at, (i, n)| at * n + i)]
    }

    /// The number at a place of a shape that this one is spread over.
    fn spread(&self, place: &[usize]) -> f64 {
        let own = &place[place.len() - self.shape.len()..];
        self.at(&own.iter().zip(&self.shape).map(|(i, n)| if *n == 1 { 0 } else { *i }).collect::<Vec<_>>())
    }

    fn each(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { shape: self.shape.clone(), numbers: self.numbers.iter().map(|x| f(*x)).collect() }
    }

    /// One axis folded, which stays with size 1 if `keep`.
    fn folded(&self, axis: usize, keep: bool, f: impl Fn(&[f64]) -> f64) -> Self {
        let mut kept = self.shape.clone();
        kept[axis] = 1;
        let line = |place: &[usize]| -> Vec<f64> {
            let mut place = place.to_vec();
            (0..self.shape[axis]).map(|i| (place[axis] = i, self.at(&place)).1).collect()
        };
        let mut made = Self::of(&kept, |place| f(&line(place)));
        if !keep {
            made.shape.remove(axis);
        }
        made
    }
}

/// What a node makes.
fn made(node: &Node, inputs: &[&Array]) -> Array {
    let x = inputs[0];
    let both = |f: fn(f64, f64) -> f64| {
        let other = inputs[1];
        Array::of(&x.shape, |place| f(x.at(place), other.spread(place)))
    };
    let axis = || inputs[1].numbers[0] as usize;
    match node.op.as_str() {
        "Conv" => {
            let (w, pad) = (inputs[1], node.int("pads"));
            assert!(node.ints["strides"] == [1, 1] && node.ints["dilations"] == [1, 1] && node.int("group") == 1);
            let (h, width, k) = (x.shape[2], x.shape[3], w.shape[2]);
            let shape = [x.shape[0], w.shape[0], h + 2 * pad + 1 - k, width + 2 * pad + 1 - k];
            Array::of(&shape, |place| {
                let &[b, o, p, q] = place else { unreachable!() };
                let mut sum = inputs.get(2).map_or(0.0, |bias| bias.numbers[o]);
                for (c, i, j) in (0..w.shape[1]).flat_map(|c| (0..k * k).map(move |t| (c, t / k, t % k))) {
                    let (row, column) = ((p + i).wrapping_sub(pad), (q + j).wrapping_sub(pad));
                    if row < h && column < width {
                        sum += w.at(&[o, c, i, j]) * x.at(&[b, c, row, column]);
                    }
                }
                sum
            })
        }
        "MaxPool" => {
            let k = node.int("kernel_shape");
            assert!(node.ints["strides"] == [k as i64; 2] && node.ints["pads"] == [0; 4]);
            Array::of(&[x.shape[0], x.shape[1], x.shape[2] / k, x.shape[3] / k], |place| {
                let &[b, c, p, q] = place else { unreachable!() };
                let cells = (0..k * k).map(|t| x.at(&[b, c, p * k + t / k, q * k + t % k]));
                cells.fold(f64::NEG_INFINITY, f64::max)
            })
        }
        "BatchNormalization" => Array::of(&x.shape, |place| {
            let [weight, bias, mean, variance] = [1, 2, 3, 4].map(|i| inputs[i].numbers[place[1]]);
            (x.at(place) - mean) / (variance + node.floats["epsilon"]).sqrt() * weight + bias
        }),
        "Relu" => x.each(|x| x.max(0.0)),
        "Max" => both(f64::max),
        "Div" => both(|a, b| a / b),
        "ReduceMean" => {
            x.folded(axis(), node.int("keepdims") == 1, |line| line.iter().sum::<f64>() / line.len() as f64)
        }
        "ReduceL2" => {
            x.folded(axis(), node.int("keepdims") == 1, |line| line.iter().map(|x| x * x).sum::<f64>().sqrt())
        }
        "Shape" => {
            let numbers: Vec<f64> = x.shape[node.int("start")..node.int("end")].iter().map(|n| *n as f64).collect();
            Array { shape: vec![numbers.len()], numbers }
        }
        "Concat" => {
            let numbers: Vec<f64> = inputs.iter().flat_map(|i| i.numbers.clone()).collect();
            Array { shape: vec![numbers.len()], numbers }
        }
        "Reshape" => {
            let shape: Vec<usize> = inputs[1].numbers.iter().map(|n| *n as usize).collect();
            assert_eq!(shape.iter().product::<usize>(), x.numbers.len());
            Array { shape, numbers: x.numbers.clone() }
        }
        other => panic!("{other} is not among them"),
    }
}

/// All values of a graph, of what is given.
pub fn evaluated(nodes: &[Node], given: HashMap<String, Array>) -> HashMap<String, Array> {
    nodes.iter().fold(given, |mut values, node| {
        let inputs: Vec<&Array> = node.inputs.iter().map(|name| &values[name]).collect();
        let value = made(node, &inputs);
        values.insert(node.output.clone(), value);
        values
    })
}
