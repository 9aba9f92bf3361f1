//! Convolution of an image with a kernel along each axis.

/// Convolves rows of `width` values with `across`, then columns with `down`. Kernels have an odd number of weights; the
/// outermost values are repeated beyond the edge.
pub fn separable(values: &mut [f32], width: usize, across: &[f32], down: &[f32]) {
    if width == 0 || values.is_empty() {
        return;
    }
    if across.len() > 1 {
        let radius = across.len() / 2;
        let mut padded = Vec::with_capacity(width + 2 * radius);
        for row in values.chunks_mut(width) {
            let (first, last) = (row.first().copied().unwrap_or_default(), row.last().copied().unwrap_or_default());
            padded.clear();
            padded.resize(radius, first);
            padded.extend_from_slice(row);
            padded.resize(padded.len() + radius, last);
            row.fill(0.0);
            for (shift, &weight) in across.iter().enumerate() {
                row.iter_mut().zip(padded.iter().skip(shift)).for_each(|(out, &v)| *out += weight * v);
            }
        }
    }
    if down.len() > 1 {
        let radius = down.len() / 2;
        let source = values.to_vec();
        let rows: Vec<&[f32]> = source.chunks(width).collect();
        for (y, out) in values.chunks_mut(width).enumerate() {
            out.fill(0.0);
            for (shift, &weight) in down.iter().enumerate() {
                let from = (y + shift).saturating_sub(radius).min(rows.len() - 1);
                let Some(row) = rows.get(from) else { continue };
                out.iter_mut().zip(*row).for_each(|(out, &v)| *out += weight * v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_axis_has_its_own_kernel_and_edges_are_repeated() {
        let mut image = vec![1.0, 0.0, 0.0, 0.0, 0.0, 8.0];
        separable(&mut image, 3, &[0.25, 0.5, 0.25], &[1.0]);
        assert_eq!(image, [0.75, 0.25, 0.0, 0.0, 2.0, 6.0]);
        separable(&mut image, 3, &[1.0], &[0.0, 0.0, 1.0]);
        assert_eq!(image, [0.0, 2.0, 6.0, 0.0, 2.0, 6.0], "a correlation: the last weight is of the row below");
    }
}
