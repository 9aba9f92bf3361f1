//! Sums over a batch that several processes share: what batch normalization needs of the samples of all.
//!
//! A process by itself gets back what it gave.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::Call;
use crate::compute::slices::Element;
use rord_ranks::{Lost, Share};

/// What went wrong between processes as an error of an operation.
pub(crate) fn lost(error: Lost) -> candle_core::Error {
    candle_core::Error::wrap(error)
}

/// How many numbers all processes have, of which this one has so many.
pub(crate) fn count(call: &Call, own: usize) -> usize {
    call.own().map_or(own, |share| own / share.samples.max(1) * share.batch)
}

/// Mean and variance of each channel over the samples of all processes, from those over the samples of this one, put together by the
/// formula of Chan, Golub and LeVeque (1979).
pub(crate) fn moments(call: &Call, (mean, variance): (Vec<f64>, Vec<f64>)) -> Result<(Vec<f64>, Vec<f64>)> {
    let Some(share) = call.own() else { return Ok((mean, variance)) };
    let channels = mean.len();
    let all = share.ranks.gather(&[mean, variance].concat(), &vec![2 * channels; share.ranks.size()]).map_err(lost)?;
    let (mut means, mut squares, mut so_far) = (vec![0.0; channels], vec![0.0; channels], 0.0);
    for (part, samples) in all.chunks_exact((2 * channels).max(1)).zip(share.each()) {
        let (mean, variance) = part.split_at(channels);
        let samples = samples as f64;
        let all = so_far + samples;
        for ((m, s), (mean, variance)) in means.iter_mut().zip(&mut squares).zip(mean.iter().zip(variance)) {
            let gap = mean - *m;
            *m += gap * samples / all;
            *s += variance * samples + gap * gap * so_far * samples / all;
        }
        so_far = all;
    }
    squares.iter_mut().for_each(|s| *s /= so_far);
    Ok((means, squares))
}

/// As [`moments`], of tensors.
pub(crate) fn moments_of(call: &Call, [mean, variance]: [Tensor; 2]) -> Result<[Tensor; 2]> {
    if call.own().is_none() {
        return Ok([mean, variance]);
    }
    let (means, variances) = moments(call, (wide(&mean)?, wide(&variance)?))?;
    Ok([narrow(means, &mean)?, narrow(variances, &variance)?])
}

/// The means over all samples, from two sums over those of this process, which are of `numbers` numbers each.
pub(crate) fn means(call: &Call, [a, b]: [Tensor; 2], numbers: usize) -> Result<[Tensor; 2]> {
    let sums = sums(call.own(), [wide(&a)?, wide(&b)?])?;
    let share = 1.0 / count(call, numbers) as f64;
    let [a_all, b_all] = sums.map(|sums| sums.into_iter().map(|sum| sum * share).collect::<Vec<f64>>());
    Ok([narrow(a_all, &a)?, narrow(b_all, &b)?])
}

/// Two rows of sums over the samples of this process, over those of all; not where nothing is made of them.
pub(crate) fn added_up<T: Element>(call: &Call, own: [&[T]; 2]) -> Result<[Vec<T>; 2]> {
    let Some(share) = call.own().filter(|_| call.training) else { return Ok(own.map(<[T]>::to_vec)) };
    let wide = own.map(|numbers| numbers.iter().map(|x| x.wide()).collect());
    Ok(sums(Some(share), wide)?.map(|sums| sums.into_iter().map(T::of).collect()))
}

/// Two rows of sums over all processes.
fn sums(share: Option<&Share<'_>>, [a, b]: [Vec<f64>; 2]) -> Result<[Vec<f64>; 2]> {
    let Some(share) = share else { return Ok([a, b]) };
    let length = a.len();
    let mut a = share.ranks.sum([a, b].concat()).map_err(lost)?;
    let b = a.split_off(length.min(a.len()));
    Ok([a, b])
}

fn wide(t: &Tensor) -> Result<Vec<f64>> {
    t.flatten_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec1()
}

fn narrow(numbers: Vec<f64>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(numbers, like.shape(), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())
}
