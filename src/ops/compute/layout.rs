//! The two orders in which a map's numbers may lie: (B, C, H, W) as in its shape, or channels last, (B, H, W, C).
//!
//! The shape of a map is always (B, C, H, W). One that lies channels last is a contiguous tensor of shape
//! (B, H, W, C) seen through exchanged axes; nothing else marks it. A field (B, T, C, H, W) may lie (B, H, W, T, C) in the
//! same way, so that it is a map of T·C channels without a copy. An operation that takes both orders declares it
//! ([`Compute::either_order`](super::Compute::either_order)); all others get contiguous tensors.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::folding::Folding;
use crate::compute::slices::{self, Element, wrong};
use rord_kernels::map;
use rord_kernels::order::{channels_first, channels_last};

/// How the numbers of a tensor lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As in the shape.
    First,
    /// Those of all channels of a cell beside each other.
    Last,
}

/// Channels last seen as channels first, and back.
const TO_FIRST: (usize, usize, usize, usize) = (0, 3, 1, 2);
const TO_LAST: (usize, usize, usize, usize) = (0, 2, 3, 1);

/// Both for a field: the exchange undoes itself.
const OF_FIELD: (usize, usize, usize, usize, usize) = (0, 3, 4, 1, 2);

/// The tensor with its axes in the order in which its numbers lie if that is channels last; `None` for what has no channels.
fn seen_last(t: &Tensor) -> Option<Tensor> {
    match t.rank() {
        4 => t.permute(TO_LAST).ok(),
        5 => t.permute(OF_FIELD).ok(),
        _ => None,
    }
}

/// True for a map or a field whose channels lie last; one of a single channel or a single cell lies in both orders.
pub fn is_last(t: &Tensor) -> bool {
    seen_last(t).is_some_and(|t| t.is_contiguous())
}

/// A field (B, T, C, H, W) as a map of T·C channels, in its order: turn by turn.
pub fn folded(t: &Tensor) -> Result<Tensor> {
    let (b, turns, c, h, w) = t.dims5()?;
    if order(t) == Order::Last {
        return t.permute(OF_FIELD)?.reshape((b, h, w, turns * c))?.permute(TO_FIRST);
    }
    t.contiguous()?.reshape((b, turns * c, h, w))
}

/// A map of T·C channels as a field of `turns` turns, in its order.
pub fn unfolded(t: &Tensor, turns: usize) -> Result<Tensor> {
    let (b, all, h, w) = t.dims4()?;
    let c = all / turns.max(1);
    if order(t) == Order::Last {
        return t.permute(TO_LAST)?.reshape((b, h, w, turns, c))?.permute(OF_FIELD);
    }
    t.contiguous()?.reshape((b, turns, c, h, w))
}

/// The order a tensor lies in; first where it lies in both or in none.
pub fn order(t: &Tensor) -> Order {
    if !t.is_contiguous() && is_last(t) { Order::Last } else { Order::First }
}

/// The axes along which a tensor is seen again and again, without lying in memory more than once: a gradient of a sum is.
pub fn repeated(t: &Tensor) -> Vec<usize> {
    let axes = t.dims().iter().zip(t.stride()).enumerate();
    axes.filter(|(_, (size, stride))| **size > 1 && **stride == 0).map(|(axis, _)| axis).collect()
}

/// The tensor without repetitions, an axis of which is of size 1 then.
pub fn once(t: &Tensor) -> Result<Tensor> {
    repeated(t).into_iter().try_fold(t.clone(), |t, axis| t.narrow(axis, 0, 1))
}

/// The tensor written out where it is [`repeated`], and else as it is.
pub fn written_out(t: &Tensor) -> Result<Tensor> {
    let axes = repeated(t);
    if axes.is_empty() || !on_cpu(t) {
        return if axes.is_empty() { Ok(t.clone()) } else { t.contiguous() };
    }
    let folding = Folding::of(t, axes, true);
    folding.widened(&once(t)?.contiguous()?.reshape(folding.left.as_slice())?)
}

/// The same tensor, contiguous. A map that lies channels last is turned by blocks, which Candle's own copy is not.
pub fn first(t: &Tensor) -> Result<Tensor> {
    if t.is_contiguous() {
        return Ok(t.clone());
    }
    if on_cpu(t) && !repeated(t).is_empty() {
        return written_out(t);
    }
    if t.rank() == 5 && is_last(t) {
        return unfolded(&first(&folded(t)?)?, t.dim(1)?);
    }
    if t.rank() == 4 && rord_device::has(t) {
        return rord_device::maps::first(t);
    }
    match t.dtype() {
        DType::F32 if on_cpu(t) && is_last(t) => turned_first::<f32>(t),
        DType::F64 if on_cpu(t) && is_last(t) => turned_first::<f64>(t),
        _ => t.contiguous(),
    }
}

/// A map as (B, H, W, C), contiguous: without a copy where it lies channels last.
pub fn last(t: &Tensor) -> Result<Tensor> {
    match t.dtype() {
        DType::F32 if on_cpu(t) => straight::<f32>(t, Order::Last),
        DType::F64 if on_cpu(t) => straight::<f64>(t, Order::Last),
        _ if rord_device::has(t) => rord_device::maps::last(t),
        _ => t.permute(TO_LAST)?.contiguous(),
    }
}

/// A contiguous (B, H, W, C) as a map whose channels lie last.
pub fn from_last(t: &Tensor) -> Result<Tensor> {
    t.permute(TO_FIRST)
}

fn on_cpu(t: &Tensor) -> bool {
    matches!(t.device(), Device::Cpu)
}

fn turned_first<T: Element>(t: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = t.dims4()?;
    let numbers = slices::read::<T, _, 1>([&t.permute(TO_LAST)?], |[x]| channels_first(x, (b, c, h * w)))?;
    slices::tensor(numbers.map_err(wrong)?, t.shape())
}

/// A contiguous tensor whose numbers are those of `t` in this order: of shape (B, H, W, C) if that is last.
fn straight<T: Element>(t: &Tensor, order: Order) -> Result<Tensor> {
    // Only maps have channels to lie last.
    let seen = seen_last(t).filter(|_| order == Order::Last);
    let Some(seen) = seen else { return first(t) };
    if seen.is_contiguous() {
        return Ok(seen);
    }
    if t.rank() == 5 {
        let shape = seen.shape().clone();
        return straight::<T>(&folded(t)?, order)?.reshape(shape);
    }
    let (b, c, h, w) = t.dims4()?;
    let numbers = slices::read::<T, _, 1>([&first(t)?], |[x]| channels_last(x, (b, c, h * w)))?;
    slices::tensor(numbers.map_err(wrong)?, (b, h, w, c))
}

/// Calls `f` with the numbers of `tensors` in this order, without a copy where they lie so.
pub fn read<T: Element, R, const N: usize>(
    order: Order,
    tensors: [&Tensor; N],
    f: impl FnOnce([&[T]; N]) -> R,
) -> Result<R> {
    let straight = tensors.iter().map(|t| straight::<T>(t, order)).collect::<Result<Vec<_>>>()?;
    let mut each = straight.iter();
    // There are N of them; `tensors` fills what could not be.
    slices::read(tensors.map(|t| each.next().unwrap_or(t)), f)
}

/// A tensor of this shape whose numbers lie in this order.
pub fn tensor<T: Element>(order: Order, numbers: Vec<T>, shape: &[usize]) -> Result<Tensor> {
    match (order, shape) {
        (Order::Last, [b, c, h, w]) => slices::tensor(numbers, (*b, *h, *w, *c))?.permute(TO_FIRST),
        (Order::Last, [b, t, c, h, w]) => slices::tensor(numbers, (*b, *h, *w, *t, *c))?.permute(OF_FIELD),
        _ => slices::tensor(numbers, shape),
    }
}

/// The same numbers in another type, in the tensor's order.
pub fn of_type(t: &Tensor, dtype: DType) -> Result<Tensor> {
    if t.dtype() == dtype {
        return Ok(t.clone());
    }
    match seen_last(t).filter(|_| order(t) == Order::Last) {
        Some(seen) if t.rank() == 4 => seen.to_dtype(dtype)?.permute(TO_FIRST),
        Some(seen) => seen.to_dtype(dtype)?.permute(OF_FIELD),
        None => t.to_dtype(dtype),
    }
}

/// The sum of two tensors of one shape. Where both lie in one order the sum does, too, and nothing is moved.
pub fn sum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype() != b.dtype() {
        // Rounded ones among others.
        return sum(&of_type(a, DType::F32)?, &of_type(b, DType::F32)?);
    }
    let same = a.dims() == b.dims() && a.dtype() == b.dtype() && on_cpu(a) && on_cpu(b);
    match a.dtype() {
        DType::F32 if same => flat_sum::<f32>(a, b),
        DType::F64 if same => flat_sum::<f64>(a, b),
        _ if a.rank() == 4 && b.rank() == 4 && (order(a) == Order::Last || order(b) == Order::Last) => {
            (last(a)? + last(b)?)?.permute(TO_FIRST)
        }
        _ => a + b,
    }
}

fn flat_sum<T: Element>(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let order = if order(a) == Order::Last || order(b) == Order::Last { Order::Last } else { Order::First };
    let numbers = read::<T, _, 2>(order, [a, b], |[a, b]| map::two(a, b, |a, b| a + b))?;
    tensor(order, numbers.map_err(wrong)?, a.dims())
}

/// `parts` after each other along the first axis, in the order of the first one.
pub fn stacked(parts: &[Tensor]) -> Result<Tensor> {
    let Some(head) = parts.first() else { return Err(candle_core::Error::msg("nothing to put together")) };
    let same = |t: &&Tensor| {
        on_cpu(t) && t.dtype() == head.dtype() && t.rank() > 0 && t.dims().get(1..) == head.dims().get(1..)
    };
    match head.dtype() {
        DType::F32 if parts.iter().all(|t| same(&t)) => flat_stack::<f32>(parts, head),
        DType::F64 if parts.iter().all(|t| same(&t)) => flat_stack::<f64>(parts, head),
        _ if parts.iter().all(|t| t.rank() == 4 && order(t) == Order::Last) => {
            Tensor::cat(&parts.iter().map(last).collect::<Result<Vec<_>>>()?, 0)?.permute(TO_FIRST)
        }
        _ => Tensor::cat(&parts.iter().map(first).collect::<Result<Vec<_>>>()?, 0),
    }
}

fn flat_stack<T: Element>(parts: &[Tensor], head: &Tensor) -> Result<Tensor> {
    let order = order(head);
    let mut numbers: Vec<T> = Vec::with_capacity(parts.iter().map(Tensor::elem_count).sum());
    for part in parts {
        read::<T, _, 1>(order, [part], |[x]| numbers.extend_from_slice(x))?;
    }
    let mut shape = head.dims().to_vec();
    if let Some(size) = shape.first_mut() {
        *size = parts.iter().map(|t| t.dim(0)).sum::<Result<usize>>()?;
    }
    tensor(order, numbers, &shape)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;

    fn map(shape: [usize; 4]) -> Tensor {
        let count = shape.iter().product::<usize>();
        slices::tensor((0..count).map(|i| i as f32).collect(), &shape[..]).unwrap()
    }

    fn laid_last(t: &Tensor) -> Tensor {
        read::<f32, _, 1>(Order::Last, [t], |[x]| tensor(Order::Last, x.to_vec(), t.dims())).unwrap().unwrap()
    }

    #[test]
    fn a_map_keeps_its_numbers_in_both_orders() {
        for shape in [[2, 3, 4, 5], [1, 1, 3, 2], [3, 7, 1, 1], [1, 40, 6, 9]] {
            let x = map(shape);
            let last = laid_last(&x);
            assert!(is_last(&last));
            assert_eq!(last.dims(), x.dims());
            assert_eq!(numbers(&last).unwrap(), numbers(&x).unwrap());
            assert!(first(&last).unwrap().is_contiguous());
            assert_eq!(numbers(&first(&last).unwrap()).unwrap(), numbers(&x).unwrap());
        }
        assert!(!is_last(&map([2, 3, 4, 5])) && order(&map([2, 1, 4, 5])) == Order::First);
    }

    #[test]
    fn a_field_is_a_map_of_all_its_turns_in_both_orders() {
        let x = map([2, 6, 4, 5]);
        for map in [x.clone(), laid_last(&x)] {
            let field = unfolded(&map, 3).unwrap();
            assert_eq!((field.dims(), order(&field)), (&[2, 3, 2, 4, 5][..], order(&map)));
            assert_eq!(numbers(&field).unwrap(), numbers(&x).unwrap());
            assert_eq!(numbers(&first(&field).unwrap()).unwrap(), numbers(&x).unwrap());
            let back = folded(&field).unwrap();
            assert_eq!((numbers(&back).unwrap(), order(&back)), (numbers(&x).unwrap(), order(&map)));
            let last = read::<f32, _, 1>(Order::Last, [&field], |[x]| x.to_vec()).unwrap();
            assert_eq!(last, read::<f32, _, 1>(Order::Last, [&map], |[x]| x.to_vec()).unwrap());
            let again = tensor(Order::Last, last, field.dims()).unwrap();
            assert_eq!((numbers(&again).unwrap(), order(&again)), (numbers(&x).unwrap(), Order::Last));
        }
    }

    #[test]
    fn sums_and_stacks_stay_in_the_order_of_their_parts() {
        let x = map([2, 3, 4, 5]);
        let last = laid_last(&x);
        let doubled: Vec<f64> = numbers(&x).unwrap().iter().map(|x| 2.0 * x).collect();
        for (a, b) in [(&x, &x), (&x, &last), (&last, &x), (&last, &last)] {
            assert_eq!(numbers(&sum(a, b).unwrap()).unwrap(), doubled);
            let both = stacked(&[a.clone(), b.clone()]).unwrap();
            assert_eq!(both.dims(), [4, 3, 4, 5]);
            assert_eq!(order(&both), order(a));
            assert_eq!(numbers(&both.narrow(0, 2, 2).unwrap()).unwrap(), numbers(&x).unwrap());
        }
        assert!(is_last(&sum(&last, &last).unwrap()));
        assert!(is_last(&last.narrow(0, 1, 1).unwrap()), "a part of a batch is read in place");
    }

    #[test]
    fn what_is_repeated_is_written_out_where_it_is_read() {
        let small = slices::tensor(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], (2, 3)).unwrap();
        for axes in [[0, 1], [0, 3], [1, 2], [2, 3]] {
            let shape = [4usize, 5, 6, 7];
            let kept: Vec<usize> = (0..4).filter(|axis| !axes.contains(axis)).collect();
            let (mut ones, mut wide) = ([1usize; 4], shape);
            (ones[kept[0]], ones[kept[1]]) = (2, 3);
            (wide[kept[0]], wide[kept[1]]) = (2, 3);
            let seen = small.reshape(&ones).unwrap().broadcast_as(&wide).unwrap();
            let there = seen.contiguous().unwrap();
            assert_eq!(repeated(&seen), axes);
            assert_eq!(once(&seen).unwrap().dims(), ones);
            for written in [first(&seen).unwrap(), written_out(&seen).unwrap()] {
                assert!(written.is_contiguous() && repeated(&written).is_empty());
                assert_eq!(numbers(&written).unwrap(), numbers(&there).unwrap());
            }
            for order in [Order::First, Order::Last] {
                let found = read::<f32, _, 1>(order, [&seen], |[x]| x.to_vec()).unwrap();
                assert_eq!(found, read::<f32, _, 1>(order, [&there], |[x]| x.to_vec()).unwrap());
            }
            let doubled: Vec<f64> = numbers(&there).unwrap().iter().map(|x| 2.0 * x).collect();
            assert_eq!(numbers(&sum(&seen, &there).unwrap()).unwrap(), doubled);
        }
        assert!(repeated(&small).is_empty() && written_out(&small).unwrap().is_contiguous());
    }
}
