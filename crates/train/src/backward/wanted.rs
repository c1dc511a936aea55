//! The parameters of the model whose dense gradients a pass computes, and the blocks that need a graph.

use tch::Tensor;

use spartui_method::Collector;
use spartui_model::{Model, Stage};

/// The start of a pass's autograd graph.
pub struct GraphStart {
    /// Whether the embeddings have a graph.
    pub embedding: bool,
    /// The first block with a graph.
    pub lowest: usize,
}

impl GraphStart {
    /// The first block with a site that records a tap or registers a leaf, or with a parameter whose dense gradient is
    /// needed; the number of blocks if there is none.
    pub fn of(model: &Model, collector: &dyn Collector) -> Self {
        let of_sites = |marked: &[bool]| {
            model.sites.iter().zip(marked).filter(|(_, marked)| **marked).map(|(site, _)| site.layer).min()
        };
        let lowest =
            [of_sites(collector.adapted()), of_sites(collector.registers_leaves())].into_iter().flatten().min();
        let mut start = Self { embedding: false, lowest: lowest.unwrap_or(model.layers()) };
        for (parameter, _) in model.parameters.iter().zip(collector.needs_gradient()).filter(|(_, wanted)| **wanted) {
            match parameter.stage {
                Stage::Embedding => start = Self { embedding: true, lowest: 0 },
                Stage::Block(layer) => start.lowest = start.lowest.min(layer),
                Stage::Output => {}
            }
        }
        start
    }
}

/// The parameters of one stage whose dense gradients are needed.
pub struct StageParameters<'a> {
    /// Indices among the model's parameters.
    pub places: Vec<usize>,
    pub tensors: Vec<&'a Tensor>,
}

impl<'a> StageParameters<'a> {
    pub fn of(model: &'a Model, collector: &dyn Collector, stage: Stage) -> Self {
        let numbered = model.parameters.iter().zip(collector.needs_gradient()).enumerate();
        let wanted = numbered.filter(|(_, (parameter, wanted))| **wanted && parameter.stage == stage);
        let (places, tensors) = wanted.map(|(place, (parameter, _))| (place, &parameter.tensor)).unzip();
        Self { places, tensors }
    }

    /// Weight and bias of the language-model head, those whose dense gradients are needed.
    pub fn language_head(model: &'a Model, collector: &dyn Collector) -> Self {
        let is_wanted = |place: &usize| collector.needs_gradient().get(*place).copied().unwrap_or(false);
        let both = [model.language_parameter(), model.language_bias_parameter()];
        let places: Vec<usize> = both.into_iter().flatten().filter(is_wanted).collect();
        let tensors = places.iter().map(|&place| &model.parameters[place].tensor).collect();
        Self { places, tensors }
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
