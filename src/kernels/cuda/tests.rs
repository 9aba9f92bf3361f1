//! Kernels for GPUs against those for the CPU, without a GPU: the same text is compiled as C++ under the address and undefined-behavior
//! sanitizers (shim.h) and run block by block. Where there is no C++ compiler nothing is compared, and a line says so.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::*;
use crate::bilinear::{self, Maps};
use crate::conv::Geometry;
use crate::conv::call::{After, Past, Products, Wanted};
use crate::conv::last;
use crate::nearest::{Apart, Lists, nearest};
use crate::normalize::{self, Scale};
use crate::pool::{self, Windows};
use rord_random::Stream;

const SHIM: &str = include_str!("shim.h");

/// The program of all kernels for f32, or `None` where no compiler makes one.
fn program() -> Option<&'static PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| {
        if Command::new("g++").arg("--version").output().is_err() {
            eprintln!("there is no g++ here: kernels for GPUs are not compared");
            return None;
        }
        // Beside what the build makes, and renamed once it is whole: another process may run the same tests.
        let folder = std::env::current_exe().unwrap().with_file_name("kernels-of-gpus");
        std::fs::create_dir_all(&folder).unwrap();
        let (mut text, mut rows) = (format!("{SHIM}\n{COMMON}\ntypedef float S; typedef float T;\n"), String::new());
        for source in [MAPS, WINDOWS, BILINEAR, NEAREST, NORM, OPTIM, SUMS] {
            text += source;
            for name in names(source) {
                rows += &format!("    if (name == \"{name}\") launch({name}, all, waits);\n");
            }
        }
        text += &format!(
            "int main() {{\n    char word[64];\n    int waits, count;\n    Place g, b;\n    if (scanf(\"%63s %d %u %u %u %u %u %d\", word, &waits, &g.x, &g.y, &g.z, &b.x, &b.y, &count) != 8) abort();\n    \
             gridDim = g;\n    blockDim = b;\n    std::string name = word;\n    std::vector<Argument> all;\n    \
             for (int i = 0; i < count; i++) all.push_back(argument());\n{rows}    \
             for (auto &a : all)\n        if (a.bytes) fwrite(a.bytes.get(), 1, a.length, stdout);\n}}\n"
        );
        let own = folder.join(std::process::id().to_string());
        let (source, binary) = (own.with_extension("cpp"), folder.join("kernels"));
        std::fs::write(&source, text).unwrap();
        let flags = ["-std=c++20", "-O1", "-g", "-pthread", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let made = Command::new("g++").args(flags).arg(&source).arg("-o").arg(&own).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::rename(own, &binary).unwrap();
        std::fs::remove_file(source).unwrap();
        Some(binary)
    })
    .as_ref()
}

/// The kernels of a source.
fn names(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| line.strip_prefix("KERNEL ")?.split('(').next())
}

enum Arg<'a> {
    F32(&'a [f32]),
    U8(&'a [u8]),
    U32(&'a [u32]),
    F64(&'a [f64]),
    Int(usize),
    Real(f64),
}
use Arg::{F32, F64, Int, Real, U8, U32};

/// Runs a kernel; the tensors as it leaves them, as bytes.
fn run(name: &str, blocks: [usize; 3], threads: [usize; 2], args: &[Arg]) -> Option<Vec<Vec<u8>>> {
    let program = program()?;
    let waits = ["column_sums", "turned", "instance_norm", "instance_norm_back", "squares", "hardest"].contains(&name);
    let mut text = format!("{name} {}", u8::from(waits)).into_bytes();
    blocks.iter().chain(&threads).chain([&args.len()]).for_each(|n| write!(text, " {n}").unwrap());
    let mut lengths = Vec::new();
    for arg in args {
        let bytes: Vec<u8> = match arg {
            F32(x) => x.iter().flat_map(|x| x.to_ne_bytes()).collect(),
            F64(x) => x.iter().flat_map(|x| x.to_ne_bytes()).collect(),
            U32(x) => x.iter().flat_map(|x| x.to_ne_bytes()).collect(),
            U8(x) => x.to_vec(),
            Int(n) => {
                write!(text, " i {n}").unwrap();
                continue;
            }
            Real(x) => {
                write!(text, " r {x:e}").unwrap();
                continue;
            }
        };
        writeln!(text, " t {}", bytes.len()).unwrap();
        text.extend(&bytes);
        lengths.push(bytes.len());
    }
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    let mut rest = done.stdout.as_slice();
    let out = lengths.into_iter().map(|n| {
        let (own, more) = rest.split_at(n);
        rest = more;
        own.to_vec()
    });
    Some(out.collect())
}

fn each(name: &str, count: usize, args: &[Arg]) -> Option<Vec<Vec<u8>>> {
    run(name, [count.div_ceil(64).max(1), 1, 1], [64, 1], args)
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_ne_bytes(*b)).collect()
}

fn random(count: usize, key: u64) -> Vec<f32> {
    let mut stream = Stream::new(key, &[]);
    (0..count).map(|_| stream.range(-1.0, 1.0) as f32).collect()
}

#[track_caller]
fn close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1e-20f32, |m, x| m.max(x.abs()));
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        assert!((x - y).abs() <= 2e-6 * scale, "number {i}: {x} and {y}");
    }
}

/// Sizes of maps that no block divides: batch, height, width, channels.
const SIZES: [[usize; 4]; 3] = [[2, 5, 7, 3], [1, 4, 4, 33], [3, 2, 9, 1]];

#[test]
fn windows_are_pooled_as_on_the_cpu() {
    for [b, h, w, c] in SIZES {
        for (side, stride, pad) in [(2, 2, 0), (3, 1, 0), (3, 2, 1), (2, 3, 0)] {
            let g = Windows { pad, ..Windows::inside(b * c, (h, w), side, stride) };
            let Ok((rows, columns)) = g.result() else { continue };
            if side > h {
                continue;
            }
            let (x, count) = (random(b * h * w * c, 3), b * rows * columns * c);
            let sizes = |count| [h, w, c, rows, columns, side, stride, pad, count].map(Int);
            let mut args = vec![F32(&x)];
            let (value, cells) = (vec![f32::NAN; count], vec![7u32; count]);
            args.extend([F32(&value), U32(&cells)]);
            args.extend(sizes(count));
            let Some(out) = each("max_pool", count, &args) else { return };
            let (expected, cells) = pool::maximum_last(&g, c, &x).unwrap();
            assert_eq!(f32s(&out[1]), expected);
            assert_eq!(out[2], cells.iter().flat_map(|x| x.to_ne_bytes()).collect::<Vec<u8>>());
            let (grad, empty) = (random(count, 4), vec![f32::NAN; x.len()]);
            let mut args = vec![F32(&grad), U32(&cells), F32(&empty)];
            args.extend(sizes(x.len()));
            let out = each("max_pool_back", x.len(), &args).unwrap();
            close(&f32s(&out[2]), &pool::maximum_backward_last(&g, c, &cells, &grad).unwrap());
        }
    }
}

#[test]
fn maps_are_read_between_their_cells_as_on_the_cpu() {
    for [b, h, w, c] in SIZES {
        let g = Maps { batch: b, channels: c, height: h, width: w };
        let (rows, columns) = (h + 1, w);
        let (x, count) = (random(b * h * w * c, 5), b * rows * columns * c);
        let by: Vec<f32> = (0..b).flat_map(|i| [0.9, 0.2, 0.1, -0.15, 1.1, -0.2 * i as f32, 0.1, -0.05, 1.0]).collect();
        let taps = bilinear::taps_of_matrices(&g, &by, (rows, columns)).unwrap();
        let (places, cells) = (rows * columns, h * w);
        for last in [false, true] {
            let (empty, sums) = (vec![f32::NAN; count], vec![0.0f64; x.len()]);
            let strides = |n| if last { [1, c] } else { [n, 1] };
            let [plane, cell] = strides(cells);
            let [to_plane, to_cell] = strides(places);
            let sizes = [c, places, rows, columns, h, w, plane, cell, to_plane, to_cell, count];
            let mut args = vec![F32(&x), F32(&by), F32(&empty)];
            args.extend(sizes.map(Int));
            let Some(out) = each("read_map", count, &args) else { return };
            let expected = match last {
                true => bilinear::read_last(&g, &x, &taps, places),
                false => bilinear::read(&g, &x, &taps, places),
            };
            close(&f32s(&out[2]), &expected.unwrap());
            let grad = random(count, 6);
            let mut args = vec![F32(&grad), F32(&by), F64(&sums)];
            args.extend(sizes.map(Int));
            let out = each("read_map_back", count, &args).unwrap();
            let found: Vec<f32> = out[2].as_chunks::<8>().0.iter().map(|b| f64::from_ne_bytes(*b) as f32).collect();
            let expected = match last {
                true => bilinear::read_backward_last(&g, &grad, &taps, places),
                false => bilinear::read_backward(&g, &grad, &taps, places),
            };
            close(&found, &expected.unwrap());
        }
    }
}

#[test]
fn channels_are_normalized_as_on_the_cpu() {
    for [b, h, w, c] in SIZES {
        let (x, grad, cells) = (random(b * h * w * c, 7), random(b * h * w * c, 8), h * w);
        let (empty, factors) = (vec![f32::NAN; x.len()], vec![f32::NAN; b * c]);
        let args = [F32(&x), F32(&empty), F32(&factors), Int(cells), Int(c), Real(1e-5)];
        let Some(out) = run("instance_norm", [c.div_ceil(32), b, 1], [32, 8], &args) else { return };
        let (value, factor) = normalize::center_last(&x, (cells, c), Scale::InsideRoot(1e-5)).unwrap();
        close(&f32s(&out[1]), &value);
        close(&f32s(&out[2]), &factor);
        let args = [F32(&value), F32(&factor), F32(&grad), F32(&empty), Int(cells), Int(c)];
        let out = run("instance_norm_back", [c.div_ceil(32), b, 1], [32, 8], &args).unwrap();
        close(&f32s(&out[3]), &normalize::center_backward_last(&value, &factor, &grad, (cells, c)).unwrap());
    }
}

/// Rows times the transpose of columns: (n, k) and (m, k) give (n, m).
fn product(a: &[f32], b: &[f32], k: usize) -> Vec<f32> {
    let row =
        |a: &[f32]| b.chunks_exact(k).map(|b| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()).collect::<Vec<_>>();
    a.chunks_exact(k).flat_map(row).collect()
}

#[test]
fn a_convolution_of_windows_with_what_follows_is_that_of_the_cpu() {
    for (kernel, stride, pad, dilation) in [(3, 1, 1, 1), (3, 2, 1, 1), (2, 1, 0, 2), (5, 1, 2, 1)] {
        let (batch, inputs, height, width, outputs) = (2, 3, 6, 9, 4);
        let g = Geometry { batch, inputs, height, width, outputs, kernel, stride, pad, dilation, groups: 1 };
        let (h, w) = g.result().unwrap();
        let x = random(batch * height * width * inputs, 9);
        let (weight, bias) = (random(outputs * inputs * kernel * kernel, 10), random(outputs, 11));
        let (deep, count) = (kernel * kernel * inputs, batch * h * w);
        // (O, C, k, k) as rows of (k, k, C).
        let at = |o: usize, i: usize| weight[(o * inputs + i % inputs) * kernel * kernel + i / inputs];
        let laid: Vec<f32> = (0..outputs).flat_map(|o| (0..deep).map(move |i| (o, i))).map(|(o, i)| at(o, i)).collect();
        let sizes = [height, width, inputs, h, w, kernel, stride, pad, dilation].map(Int);
        let empty = vec![f32::NAN; count * deep];
        let mut args = vec![F32(&x), F32(&empty)];
        args.extend(sizes);
        args.push(Int(count * deep));
        let Some(out) = each("windows", count * deep, &args) else { return };
        let y = product(&f32s(&out[1]), &laid, deep);
        let grad = random(y.len(), 12);
        for after in [After::Nothing, After::Relu, After::ReluPool] {
            if after == After::ReluPool && (h < 2 || w < 2) {
                continue;
            }
            let expected = last::forward(&g, &x, &weight, Some(&bias), after, Products::Single).unwrap();
            let empty = vec![f32::NAN; expected.numbers.len()];
            let (value, cells) = match after {
                After::ReluPool => {
                    let none = vec![9u8; empty.len()];
                    let args =
                        [F32(&y), F32(&bias), F32(&empty), U8(&none), Int(h), Int(w), Int(outputs), Int(empty.len())];
                    let out = each("biased_pooled", empty.len(), &args).unwrap();
                    // Where nothing is above 0 the CPU keeps a cell that is none, and the GPU looks at the value.
                    let alive =
                        expected.numbers.iter().zip(out[3].iter().zip(&expected.cells)).filter(|(x, _)| **x > 0.0);
                    assert!(alive.clone().count() > 0 || expected.numbers.is_empty());
                    alive.for_each(|(_, (found, expected))| assert_eq!(found, expected));
                    (f32s(&out[2]), out[3].clone())
                }
                _ => {
                    let relu = usize::from(after == After::Relu);
                    let args = [F32(&y), F32(&bias), F32(&empty), Int(outputs), Int(relu), Int(y.len())];
                    (f32s(&each("biased", y.len(), &args).unwrap()[2]), vec![])
                }
            };
            close(&value, &expected.numbers);
            // Backward from here on with the CPU's value, so that both decide alike.
            let (value, whole) = (expected.numbers, vec![f32::NAN; y.len()]);
            let above = &grad[..value.len()];
            let before = match after {
                After::Nothing => above.to_vec(),
                After::Relu => {
                    let args = [F32(above), F32(&value), F32(&whole), Int(y.len())];
                    f32s(&each("relu_back", y.len(), &args).unwrap()[2])
                }
                After::ReluPool => {
                    let sizes = [h, w, outputs, y.len()].map(Int);
                    let mut args = vec![F32(above), F32(&value), U8(&cells), F32(&whole)];
                    args.extend(sizes);
                    f32s(&each("pooled_back", y.len(), &args).unwrap()[3])
                }
            };
            let wanted = Wanted { x: true, weight: false, bias: true };
            let past = Past { after, value: &value, cells: &expected.cells };
            let found = last::backward(&g, &x, &weight, past, above, wanted, Products::Single).unwrap();
            let turned: Vec<f32> =
                (0..deep).flat_map(|i| (0..outputs).map(move |o| (o, i))).map(|(o, i)| at(o, i)).collect();
            let (rows, empty) = (product(&before, &turned, outputs), vec![f32::NAN; x.len()]);
            let mut args = vec![F32(&rows), F32(&empty)];
            args.extend([height, width, inputs, h, w, kernel, stride, pad, dilation].map(Int));
            args.push(Int(x.len()));
            close(&f32s(&each("windows_back", x.len(), &args).unwrap()[1]), &found.x.unwrap());
            let (per, rows) = (7, before.len() / outputs);
            let parts = vec![f32::NAN; rows.div_ceil(per) * outputs];
            let args = [F32(&before), F32(&parts), Int(rows), Int(outputs), Int(per)];
            let out = f32s(&run("column_sums", [1, rows.div_ceil(per), 1], [32, 8], &args).unwrap()[1]);
            let sums: Vec<f32> = (0..outputs).map(|o| out.iter().skip(o).step_by(outputs).sum()).collect();
            close(&sums, &found.bias.unwrap());
        }
    }
}

#[test]
fn maps_are_turned_and_squares_are_summed() {
    let (rows, columns) = (37, 41);
    let x = random(2 * rows * columns, 13);
    let empty = vec![f32::NAN; x.len()];
    let args = [F32(&x), F32(&empty), Int(rows), Int(columns)];
    let Some(out) = run("turned", [2, 2, 2], [32, 8], &args) else { return };
    let out = f32s(&out[1]);
    for (i, y) in out.iter().enumerate() {
        let (b, column, row) = (i / (rows * columns), i / rows % columns, i % rows);
        assert_eq!(*y, x[b * rows * columns + row * columns + column]);
    }
    let sums = vec![0.0f64; 3];
    let out = run("squares", [3, 1, 1], [256, 1], &[F32(&x), F64(&sums), Int(x.len())]).unwrap();
    let total: f64 = out[1].as_chunks::<8>().0.iter().map(|b| f64::from_ne_bytes(*b)).sum();
    let expected: f64 = x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    assert!((total / expected - 1.0).abs() < 1e-12);
}

#[test]
fn rows_are_added_up_in_their_order_and_rounded_once() {
    let count = 131;
    for rows in [1, 2, 3, 5] {
        // The last two cancel each other, and leave of the others what f64 keeps beside them: in another order more.
        let scale = |row: usize| [1.0f32, 1e-7, 1e3, 1e17, -1e17][row];
        let of = |row: usize| random(count, 30 + row.min(3) as u64).into_iter().map(move |x| x * scale(row));
        let all: Vec<f32> = (0..rows).flat_map(of).collect();
        let in_order = |i: usize| (0..rows).fold(0.0f64, |sum, row| sum + f64::from(all[row * count + i])) as f32;
        let empty = vec![f32::NAN; count];
        let Some(out) = each("added", count, &[F32(&all), F32(&empty), Int(rows), Int(count)]) else { return };
        assert_eq!(f32s(&out[1]), (0..count).map(in_order).collect::<Vec<f32>>(), "{rows} rows");
    }
}

#[test]
fn the_hardest_candidate_is_the_cpus() {
    let (batch, anchors, candidates, channels) = (2, 3, 70, 4);
    let (a, v) = (random(batch * anchors * channels, 21), random(batch * candidates * channels, 22));
    let (own, places) = (random(batch * anchors * 2, 23), random(batch * candidates * 2, 24));
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f32>();
    let rows = |x: &[f32]| x.chunks(channels).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let (from, to) = (rows(&a), rows(&v));
    let pairs = (0..batch * anchors).flat_map(|i| (0..candidates).map(move |j| (i, i / anchors * candidates + j)));
    let cross: Vec<f32> = pairs.map(|(i, j)| dot(&from[i], &to[j])).collect();
    let squares = |of: &[Vec<f32>]| of.iter().map(|x| dot(x, x)).collect::<Vec<f32>>();
    let g = Lists { batch, anchors, candidates, channels };
    // Nothing is too near, some are, and all.
    for least in [0.0f32, 9.0, 1e3] {
        let scale = [18.0f32, 12.0];
        let apart = Apart { own: &own, places: &places, scale, least };
        let chosen = nearest(&g, &a, &v, Some(apart)).unwrap();
        let expected: Vec<f32> = chosen
            .iter()
            .enumerate()
            .flat_map(|(i, j)| {
                let at = 2 * (i / anchors * candidates + j);
                [places[at], places[at + 1]]
            })
            .collect();
        let (mine, theirs, empty) = (squares(&from), squares(&to), vec![f32::NAN; own.len()]);
        let mut args = vec![F32(&cross), F32(&mine), F32(&theirs), F32(&own), F32(&places), F32(&empty)];
        args.extend([Int(anchors), Int(candidates), Real(18.0), Real(12.0), Real(f64::from(least))]);
        let Some(out) = run("hardest", [batch * anchors, 1, 1], [64, 1], &args) else { return };
        assert_eq!(f32s(&out[5]), expected, "{least}");
    }
}

#[test]
fn adam_tells_of_what_is_not_finite() {
    let (w, g, zeros) = (random(70, 14), random(70, 15), vec![0.0f32; 70]);
    let step = |g: &[f32]| {
        let args = [F32(&w), F32(g), F32(&zeros), F32(&zeros), F32(&zeros), F32(&zeros), F32(&zeros), U32(&[0])];
        let by = [0.1, 0.999, 0.001, 1e-8, 1.0, 0.0, 1e-3 / 0.1, 0.001f64.sqrt()];
        let args: Vec<Arg> = args.into_iter().chain(by.map(Real)).chain([Int(70)]).collect();
        each("adam", 70, &args)
    };
    let Some(out) = step(&g) else { return };
    // The first step is as long as the rate, against the gradient.
    let expected: Vec<f32> = w.iter().zip(&g).map(|(w, g)| w - 1e-3 * g.signum()).collect();
    let found = f32s(&out[4]);
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 2e-6), "{found:?}");
    assert_eq!(out[7], [0, 0, 0, 0]);
    for bad in [f32::NAN, f32::INFINITY, 1e30] {
        let mut g = g.clone();
        g[69] = bad;
        assert_ne!(step(&g).unwrap()[7], [0, 0, 0, 0], "{bad}");
    }
}
