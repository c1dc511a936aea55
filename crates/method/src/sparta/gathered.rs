//! Parameters that are no sites: their dense gradients are computed by autograd, and gathered at once.

use tch::{Kind, Tensor};

use super::{Adapted, By, Sparta, add};
use spartui_facts::recipe;

/// A parameter whose gradient is gathered from the dense one.
#[derive(Debug)]
pub(super) struct Gathered {
    /// Its place among the model's parameters.
    pub place: usize,
    /// The model's own handle, which requires a gradient while the method is in the model.
    pub handle: Tensor,
    /// Whether rows of tokens train, and only these.
    pub rows: bool,
}

impl Adapted {
    /// Whether rows of tokens train, and only these.
    pub(super) fn trains_rows(&self) -> bool {
        self.parameter.as_ref().is_some_and(|parameter| parameter.rows)
    }

    /// Makes all scalars of these rows train, before the first step.
    pub(super) fn join_rows(&mut self, rows: &[i64]) {
        let Some(width) = self.parameter.as_ref().and_then(|parameter| parameter.handle.size().last().copied()) else {
            return;
        };
        let all: Vec<i64> = rows.iter().flat_map(|row| row * width..(row + 1) * width).collect();
        self.delta.join_at(&all, 0);
    }
}

impl Sparta {
    /// Number of trainable scalars of each site under (resolved) settings.
    pub(super) fn counts(&self, settings: &recipe::Method) -> Result<Vec<u64>, String> {
        let trains_rows = self.scope.trains_rows(settings);
        match self.sites.iter().zip(trains_rows).find(|(site, trains_rows)| site.trains_rows() != *trains_rows) {
            None => self.scope.counts(settings),
            Some((site, _)) => Err(format!(
                "whether single rows of {} train in full is fixed at the launch; start another run for that",
                site.name
            )),
        }
    }

    /// Takes over which sites and parameters have trainable scalars, and asks autograd for the gradients of the latter.
    pub(super) fn activate(&mut self, counts: &[u64]) {
        self.active = counts.iter().map(|&count| count > 0).collect();
        for (site, active) in self.sites.iter().zip(&self.active) {
            if let Some(parameter) = &site.parameter {
                self.needs_gradient[parameter.place] = *active;
            }
        }
        self.ask_for_gradients(true);
    }

    /// Whether autograd computes the dense gradients that are needed.
    pub(super) fn ask_for_gradients(&self, wanted: bool) {
        for parameter in self.sites.iter().filter_map(|site| site.parameter.as_ref()) {
            let _ = parameter.handle.shallow_clone().set_requires_grad(wanted && self.needs_gradient[parameter.place]);
        }
    }

    /// Adds the gradients of the trained scalars of a parameter, by its place among the model's.
    pub(super) fn gather(&mut self, parameter: usize, gradient: &Tensor) {
        let is_it = |site: &&mut Adapted| site.parameter.as_ref().is_some_and(|gathered| gathered.place == parameter);
        let Some(site) = self.sites[self.tapped..].iter_mut().find(is_it) else { return };
        let dense = tch::no_grad(|| gradient.to_kind(Kind::Float).reshape([-1]));
        let gather = |indices: &Tensor| dense.index_select(0, indices);
        let gradients = site.delta.indices().map(gather).collect();
        if let Some(candidates) = &mut site.candidates {
            candidates.gradient = Some(add(candidates.gradient.take(), gather(&candidates.indices)));
        }
        site.collect(gradients);
    }

    /// Refuses the selection by gradients for other parameters: it measures those of the sites alone.
    pub(super) fn refuse_to_score(&self, settings: &recipe::Method, counts: &[u64]) -> Result<(), String> {
        let mut others = self.sites.iter().zip(counts).skip(self.tapped);
        match others.find(|(site, count)| **count > 0 && !site.trains_rows()) {
            Some((site, _)) if settings.selection == By::Gradient => Err(format!(
                "method.selection = \"gradient\" chooses among linear layers, and method.targets has {}; leave that out, or take \
                 another selection",
                site.group
            )),
            _ => Ok(()),
        }
    }
}
