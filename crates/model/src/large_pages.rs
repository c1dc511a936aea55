//! Moves weights that training writes to densely into memory with large pages.
//!
//! Where one scalar in a hundred trains, an update writes to nearly every page of a weight. In the small pages of a
//! mapped file each write needs another address translation, and the TLB cannot hold so many. The system would copy the
//! pages at the first write anyway, so that moving them takes no additional memory.

use memmap2::MmapMut;
use tch::{Device, Tensor};

use super::Model;

/// Size of a large page on most processors, in bytes.
const LARGE: usize = 2 << 20;

/// Size of a small page, in bytes.
const SMALL: usize = 4 << 10;

/// Alignment of each weight in bytes, as in libtorch's allocator.
const ALIGNMENT: usize = 64;

/// Memory with large pages that holds weights.
#[derive(Debug)]
pub struct LargePages(MmapMut);

impl LargePages {
    /// Moves weights on the CPU into memory with large pages; all tensors that share a weight's storage see the new
    /// place. `left` is called with each weight at its old place. None where there is no such memory, or the weights
    /// are smaller than one large page: nothing has changed then.
    pub fn move_weights(weights: &[Tensor], left: impl Fn(&Tensor)) -> Option<Self> {
        let room: usize = weights.iter().map(|weight| size(weight).next_multiple_of(ALIGNMENT)).sum();
        if room < LARGE {
            return None;
        }
        let mut memory = of_system(room + LARGE)?;
        let mut place = memory.as_ptr().align_offset(LARGE);
        for weight in weights {
            let room = &mut memory[place..place + size(weight)];
            // SAFETY: there is room for the weight, at a place that is aligned for every type. The memory is dropped
            // after the tensors in it: see `Model::large_pages`.
            #[allow(unsafe_code)]
            let moved =
                unsafe { Tensor::f_from_blob(room.as_mut_ptr(), &weight.size(), &[], weight.kind(), Device::Cpu) };
            let Ok(mut moved) = moved else { continue };
            tch::no_grad(|| moved.copy_(weight));
            left(weight);
            weight.shallow_clone().set_data(&moved);
            place += size(weight).next_multiple_of(ALIGNMENT);
        }
        Some(Self(memory))
    }

    fn holds(&self, weight: &Tensor) -> bool {
        self.0.as_ptr_range().contains(&weight.data_ptr().cast_const().cast())
    }
}

impl Model {
    /// Moves the sites most of whose pages training will write to; `trainable` holds the number of trainable scalars of
    /// each. Must be called before anything holds a pointer into their memory.
    pub fn move_to_large_pages(&mut self, trainable: &[u64]) {
        if !self.is_mapped() || self.large_pages.is_some() {
            return;
        }
        let sites = self.sites.iter().zip(trainable).filter(|(site, count)| is_written_all_over(&site.weight, **count));
        let moved: Vec<Tensor> = sites.map(|(site, _)| site.weight.shallow_clone()).collect();
        self.large_pages = LargePages::move_weights(&moved, |weight| {
            self.weights.iter().for_each(|files| files.release_pages(weight));
        });
    }

    /// Bytes of the weights that were moved.
    #[must_use]
    pub fn large_page_bytes(&self) -> u64 {
        let Some(large_pages) = &self.large_pages else { return 0 };
        let moved = self.sites.iter().filter(|site| large_pages.holds(&site.weight));
        moved.map(|site| size(&site.weight) as u64).sum()
    }
}

/// Whether updates of `trainable` scalars at random positions write to more than half of the small pages.
#[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
fn is_written_all_over(weight: &Tensor, trainable: u64) -> bool {
    let density = trainable as f64 / (weight.numel() as f64).max(1.0);
    let in_a_page = SMALL / weight.kind().elt_size_in_bytes();
    let untouched = (1.0 - density).max(0.0).powf(in_a_page as f64);
    untouched < 0.5
}

fn size(weight: &Tensor) -> usize {
    weight.numel() * weight.kind().elt_size_in_bytes()
}

/// Allocates memory for which the system is asked to use large pages; none where it does not support them.
fn of_system(bytes: usize) -> Option<MmapMut> {
    #[cfg(target_os = "linux")]
    {
        let memory = MmapMut::map_anon(bytes).ok()?;
        memory.advise(memmap2::Advice::HugePage).ok()?;
        Some(memory)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = bytes;
        None
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn a_weight_is_moved_where_most_of_its_pages_will_be_written_to() {
        let weight = |kind| Tensor::zeros([1000, 1000], (kind, Device::Cpu));
        assert!(is_written_all_over(&weight(Kind::Float), 10_000));
        assert!(!is_written_all_over(&weight(Kind::Float), 500));
        assert!(is_written_all_over(&weight(Kind::BFloat16), 500));
        assert!(!is_written_all_over(&weight(Kind::Float), 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn all_who_share_a_weight_see_it_at_its_new_place() {
        let weights = [
            Tensor::randn([700, 501], (Kind::Float, Device::Cpu)),
            Tensor::randn([800, 500], (Kind::Float, Device::Cpu)),
        ];
        let sharers = weights.each_ref().map(Tensor::shallow_clone);
        let before = weights.each_ref().map(Tensor::copy);
        let old = weights.each_ref().map(Tensor::data_ptr);
        let pages = LargePages::move_weights(&weights, |_| ()).unwrap();
        for ((sharer, before), old) in sharers.iter().zip(&before).zip(old) {
            assert!(pages.holds(sharer) && sharer.data_ptr() != old);
            assert_eq!(sharer, before);
        }
        let _ = weights[0].view(-1).fill_(3.0);
        assert_eq!(sharers[0].mean(Kind::Float).double_value(&[]), 3.0);
        drop((weights, sharers));
    }
}
