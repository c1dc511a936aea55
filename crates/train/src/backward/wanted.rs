//! What of the model itself a pass has to give gradients of.

use tch::Tensor;

use spartui_method::Collector;
use spartui_model::{Model, Stage};

/// Where the graph of a pass begins.
pub struct Start {
    /// Whether it begins with the embeddings, whose graph is walked back last.
    pub embedding: bool,
    /// The first block that is in it.
    pub lowest: usize,
}

impl Start {
    /// At the first block with a site that leaves a tap or lends a leaf, or with a parameter that is wanted; all blocks lie below
    /// it if there is none.
    pub fn of(model: &Model, collector: &dyn Collector) -> Self {
        let of_sites = |marked: &[bool]| {
            model.sites.iter().zip(marked).filter(|(_, marked)| **marked).map(|(site, _)| site.layer).min()
        };
        let lowest = [of_sites(collector.adapted()), of_sites(collector.lends())].into_iter().flatten().min();
        let mut start = Self { embedding: false, lowest: lowest.unwrap_or(model.layers()) };
        for (parameter, _) in model.parameters.iter().zip(collector.wants()).filter(|(_, wanted)| **wanted) {
            match parameter.stage {
                Stage::Embedding => start = Self { embedding: true, lowest: 0 },
                Stage::Block(layer) => start.lowest = start.lowest.min(layer),
                Stage::Output => {}
            }
        }
        start
    }
}

/// The parameters of one stage that are wanted.
pub struct Staged<'a> {
    pub places: Vec<usize>,
    pub tensors: Vec<&'a Tensor>,
}

impl<'a> Staged<'a> {
    pub fn of(model: &'a Model, collector: &dyn Collector, stage: Stage) -> Self {
        let numbered = model.parameters.iter().zip(collector.wants()).enumerate();
        let wanted = numbered.filter(|(_, (parameter, wanted))| **wanted && parameter.stage == stage);
        let (places, tensors) = wanted.map(|(place, (parameter, _))| (place, &parameter.tensor)).unzip();
        Self { places, tensors }
    }

    /// The one parameter that language-model logits are made with.
    pub fn language_head(model: &'a Model, collector: &dyn Collector) -> Self {
        let is_wanted = |place: &usize| collector.wants().get(*place).copied().unwrap_or(false);
        let place = model.language_parameter().filter(is_wanted);
        let tensors = place.iter().map(|&place| &model.parameters[place].tensor).collect();
        Self { places: place.into_iter().collect(), tensors }
    }

    pub fn without(mut self, other: &Self) -> Self {
        let keep: Vec<bool> = self.places.iter().map(|place| !other.places.contains(place)).collect();
        let mut kept = keep.iter();
        self.places.retain(|_| kept.next().copied().unwrap_or(true));
        let mut kept = keep.iter();
        self.tensors.retain(|_| kept.next().copied().unwrap_or(true));
        self
    }

    pub fn collect(&self, collector: &mut dyn Collector, gradients: &[Tensor]) {
        for (&place, gradient) in self.places.iter().zip(gradients) {
            collector.collect_parameter(place, gradient);
        }
    }
}
