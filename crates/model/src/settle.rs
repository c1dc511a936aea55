//! Weights that training writes to all over, moved into memory with large pages.
//!
//! Where one scalar in a hundred trains, an update writes to nearly every page of a weight. In the pages of a mapped file
//! that is a translation for each write, and the processor has no room to keep so many. The system would copy the pages at
//! the first write anyway, so that moving them takes no memory.

use memmap2::MmapMut;
use tch::{Device, Tensor};

use super::Model;

/// Large pages of the processors that have them in this size; others take what they have.
const LARGE: usize = 2 << 20;

/// Common pages.
const SMALL: usize = 4 << 10;

/// Weights begin at such places, as libtorch's own do.
const ALIGNMENT: usize = 64;

/// Memory with large pages, and weights in it.
#[derive(Debug)]
pub struct LargePages(MmapMut);

impl LargePages {
    /// Moves weights on the CPU into memory with large pages, for all who share the tensors; `left` is told each as it was.
    /// None where there is no such memory, or too little to move: nothing has changed then.
    pub fn take_in(weights: &[Tensor], left: impl Fn(&Tensor)) -> Option<Self> {
        let room: usize = weights.iter().map(|weight| size(weight).next_multiple_of(ALIGNMENT)).sum();
        if room < LARGE {
            return None;
        }
        let mut memory = of_system(room + LARGE)?;
        let mut place = memory.as_ptr().align_offset(LARGE);
        for weight in weights {
            let room = &mut memory[place..place + size(weight)];
            // SAFETY: there is room for the weight, at a place that is aligned for every type. The memory is dropped after
            // the tensors in it: see `Model::settled`.
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
    /// Moves the sites of which most pages are going to be written to, given how many scalars of each train. To be called
    /// before anything refers to their memory.
    pub fn settle(&mut self, trainable: &[u64]) {
        if !self.is_mapped() || self.settled.is_some() {
            return;
        }
        let sites = self.sites.iter().zip(trainable).filter(|(site, count)| is_written_all_over(&site.weight, **count));
        let movers: Vec<Tensor> = sites.map(|(site, _)| site.weight.shallow_clone()).collect();
        self.settled =
            LargePages::take_in(&movers, |weight| self.weights.iter().for_each(|files| files.forget(weight)));
    }

    /// Bytes of the weights that were moved.
    #[must_use]
    pub fn settled_bytes(&self) -> u64 {
        let Some(settled) = &self.settled else { return 0 };
        let moved = self.sites.iter().filter(|site| settled.holds(&site.weight));
        moved.map(|site| size(&site.weight) as u64).sum()
    }
}

/// Whether training so many scalars, spread evenly, writes to more than every second small page.
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

/// So many bytes of which the system is asked to make large pages; none where it has no such pages.
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
        let pages = LargePages::take_in(&weights, |_| ()).unwrap();
        for ((sharer, before), old) in sharers.iter().zip(&before).zip(old) {
            assert!(pages.holds(sharer) && sharer.data_ptr() != old);
            assert_eq!(sharer, before);
        }
        let _ = weights[0].view(-1).fill_(3.0);
        assert_eq!(sharers[0].mean(Kind::Float).double_value(&[]), 3.0);
        drop((weights, sharers));
    }
}
