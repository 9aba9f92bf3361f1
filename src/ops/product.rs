//! `product`: the matrix product of a table with a table, or with vectors: `product(softmax(s, over = column), v)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::tables::{back, both, matmul, plain, result, turned};
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::axis::Axis;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Application, Combines, Entry, GraphFacts, LintFacts, Products};

/// The operation.
pub static OP: Op = Op {
    name: "product",
    entry: Entry {
        signature: "product(a: Values, b: Values) -> Values",
        manual: MANUAL,
        rule,
        graph: GraphFacts { products: Some(PRODUCTS), ..GraphFacts::NONE },
        lints: LintFacts {
            range: |r| r.of("a").times(r.of("b")).added_up(),
            ..LintFacts::combining(Combines::Products)
        },
        ..Entry::PLAIN
    },
    compute: Some(&Product),
    samples,
};

const MANUAL: &str = "\
The matrix product of a table with a table, or with vectors.

    y[i, k] = Σ_j a[i, j] · b[j, k]

`a` is a table (N, M). `b` is a table (M, K), and the result a table (N, K); or `b` are M vectors, and the result are N
vectors, each a sum of them weighed by a row of the table. Both may have a batch; what has none belongs to every sample.
The columns of `a` are as many as the rows or items of `b`. Of two lists of vectors `similarities(a, b)` is the product
with the other list transposed.

Errors: another number of rows than columns; a first argument that is no table; maps.

Source: `torch.matmul(a, b)`.

```rord
input s: Values[N, M]
input v: Vectors[M, 64]
let attended = product(softmax(s, over = column), v)
```
";

const PRODUCTS: Products = Products {
    count: |shapes| {
        let columns = shapes.of("a")?.last().copied()?;
        Some(shapes.result_elements() * columns as f64)
    },
    of: &["a", "b"],
};

fn refuse(a: &mut Application<'_>, of: &str, help: &str) {
    let (span, label) = a.arg(of).map_or((a.span, String::new()), |x| (x.span, x.ty.to_string()));
    a.reports.push(shapes::rule(span, "`product` takes a table, then a table or vectors", &label, help));
}

fn rule(a: &mut Application<'_>) {
    use Axis::{Batch, Channel, Column, Item, Row};
    let (Some(x), Some(y)) = (a.ty("a").cloned(), a.ty("b").cloned()) else { return };
    if x.is_open() || y.is_open() {
        return;
    }
    let without_batch = |t: &Type| t.axes.iter().filter(|axis| **axis != Batch).cloned().collect::<Vec<_>>();
    if x.kind == Kind::Vectors && y.kind == Kind::Vectors {
        let help = format!(
            "the product of every vector with every other is  similarities({}, {})",
            text(a, "a"),
            text(a, "b")
        );
        return refuse(a, "a", &help);
    }
    if without_batch(&x) != [Row, Column] || x.frame.is_some() {
        return refuse(a, "a", "make a table first:  similarities(a, b),  rename(x, item, row)");
    }
    let (inner, outer) = match without_batch(&y).as_slice() {
        [Row, Column] if y.frame.is_none() => (Row, Column),
        [Item, Channel] => (Item, Channel),
        _ => return refuse(a, "b", "a table has rows and columns, vectors have items and channels"),
    };
    let same = |p: Option<&Dim>, q: Option<&Dim>| match (p, q) {
        (Some(p), Some(q)) => p == q || p.is_opaque() || q.is_opaque(),
        _ => true,
    };
    let (columns, rows) = (x.size(&Column), y.size(&inner));
    if !same(columns, rows) || !same(x.size(&Batch), y.size(&Batch)) {
        let (p, q) = match (a.arg("a"), a.arg("b")) {
            (Some(p), Some(q)) => (p.span, q.span),
            _ => return,
        };
        a.reports.push(shapes::product(p, &x, q, &y, inner.name()));
        return;
    }
    let batch = x.size(&Batch).or(y.size(&Batch)).map(|d| (Batch, d.clone()));
    let first = if inner == Row { Row } else { Item };
    let rest = [(first, x.size(&Row)), (outer, y.size(if inner == Row { &Column } else { &Channel }))];
    let rest = rest.into_iter().filter_map(|(axis, d)| Some((axis, d?.clone())));
    let shape: Vec<(Axis, Dim)> = batch.into_iter().chain(rest).collect();
    let kind = if inner == Item { Kind::Vectors } else { Kind::Values };
    a.result = Type::plain(kind).with_axes(shape);
}

fn text(a: &Application<'_>, name: &str) -> String {
    a.arg(name).map_or(String::new(), |x| x.text.clone())
}

/// The matrix product.
pub struct Product;

impl Compute for Product {
    fn backward_reads_value(&self, _: &rord_lang::constant::Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        Ok(result(matmul(plain(&x), plain(&y))?, a, b)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        let grad = if grad.rank() == 2 { grad.unsqueeze(0)? } else { grad.clone() }.contiguous()?;
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", back(matmul(plain(&grad), turned(&y))?, a)?));
        }
        if call.wants("b") {
            out.push(("b", back(matmul(turned(&x), plain(&grad))?, b)?));
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.plain("MatMul", &[call.name("a")?, call.name("b")?]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{} @ {}", call.name("a")?, call.name("b")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    const TABLE: &[&str] = &["row", "column"];
    const TABLES: &[&str] = &["batch", "row", "column"];
    let case = |name, value: &[usize], a: &[usize], b: &[usize]| {
        let sample = Sample::new(name, value).random("a", a, -1.0, 1.0)?.random("b", b, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.to(&["a", "b"]))
    };
    Ok(vec![
        case("two tables", &[3, 5], &[3, 4], &[4, 5])?.named("a", TABLE).named("b", TABLE),
        case("a table and vectors", &[3, 5], &[3, 4], &[4, 5])?.named("a", TABLE),
        case("a batch of both", &[2, 3, 5], &[2, 3, 4], &[2, 4, 5])?.named("a", TABLES),
        case("one table for a batch", &[2, 3, 5], &[3, 4], &[2, 4, 5])?.named("a", TABLE),
        case("one list for a batch", &[2, 3, 5], &[2, 3, 4], &[4, 5])?.named("a", TABLES),
    ])
}
