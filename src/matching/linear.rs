#![allow(clippy::indexing_slicing, clippy::needless_range_loop)] // matrices of a fixed size, by row and column
//! The small systems of equations that fits lead to.

/// Solves `a · x = b` by elimination with pivots. `None` where `a` is singular to rounding, or something is no number.
pub fn solve<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> Option<[f64; N]> {
    for column in 0..N {
        let pivot = (column..N).max_by(|&i, &j| a[i][column].abs().total_cmp(&a[j][column].abs()))?;
        let largest = a[pivot].iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        if a[pivot][column].is_nan() || a[pivot][column].abs() <= 1e-13 * largest.max(f64::MIN_POSITIVE) {
            return None;
        }
        a.swap(column, pivot);
        b.swap(column, pivot);
        let (head, tail) = a.split_at_mut(column + 1);
        let lead = &head[column];
        for (offset, row) in tail.iter_mut().enumerate() {
            let factor = row[column] / lead[column];
            for (x, l) in row.iter_mut().zip(lead).skip(column) {
                *x -= factor * l;
            }
            b[column + 1 + offset] -= factor * b[column];
        }
    }
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|k| a[row][k] * b[k]).sum();
        b[row] = (b[row] - known) / a[row][row];
    }
    b.iter().all(|x| x.is_finite()).then_some(b)
}

/// The eigenvector of the least eigenvalue of a symmetric matrix, of length 1, by Jacobi's rotations.
pub fn least_eigenvector<const N: usize>(mut a: [[f64; N]; N]) -> [f64; N] {
    let mut vectors = [[0.0; N]; N];
    (0..N).for_each(|i| vectors[i][i] = 1.0);
    for _ in 0..60 {
        let off: f64 = (0..N).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j] * a[i][j]).sum();
        let diagonal: f64 = (0..N).map(|i| a[i][i] * a[i][i]).sum();
        if off <= 1e-30 * diagonal || off.is_nan() {
            break;
        }
        for p in 0..N {
            for q in p + 1..N {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for k in 0..N {
                    (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]);
                }
                for k in 0..N {
                    (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]);
                }
                for vector in &mut vectors {
                    (vector[p], vector[q]) = (c * vector[p] - s * vector[q], s * vector[p] + c * vector[q]);
                }
            }
        }
    }
    let least = (0..N).min_by(|&i, &j| a[i][i].total_cmp(&a[j][j])).unwrap_or(0);
    std::array::from_fn(|i| vectors[i][least])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_a_singular_one_refused() {
        let a = [[0.0, 2.0, 1.0], [1.0, -1.0, 0.5], [3.0, 0.25, -2.0]];
        let x = [1.5, -2.0, 4.0];
        let b = a.map(|row: [f64; 3]| row.iter().zip(&x).map(|(a, x)| a * x).sum());
        let solved = solve(a, b).unwrap();
        assert!(solved.iter().zip(&x).all(|(s, x)| (s - x).abs() < 1e-12), "{solved:?}");
        assert_eq!(solve([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0]), None);
        assert_eq!(solve([[f64::NAN, 2.0], [2.0, 4.0]], [1.0, 2.0]), None);
    }

    #[test]
    fn the_least_eigenvector_of_a_known_matrix_is_found() {
        // A = V diag(5, 2, 0.01) Vᵀ with V a rotation about (1, 1, 1) by 120°, then one in the first plane.
        let (s, c) = 0.3f64.sin_cos();
        let v = [[0.0, -s, c], [0.0, c, s], [1.0, 0.0, 0.0]];
        let values = [5.0, 2.0, 0.01];
        let a = std::array::from_fn(|i| {
            std::array::from_fn(|j| (0..3).map(|k: usize| v[i][k] * values[k] * v[j][k]).sum())
        });
        let found: [f64; 3] = least_eigenvector(a);
        let along: f64 = found.iter().zip(&[c, s, 0.0]).map(|(a, b)| a * b).sum();
        assert!((along.abs() - 1.0).abs() < 1e-12, "{found:?}");
    }
}
