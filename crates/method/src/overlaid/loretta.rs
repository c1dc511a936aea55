//! `LoRETTA` (arXiv 2402.11417): matrices as tensor trains.
//!
//! A train of cores `[R_(k-1), n_k, R_k]`, with `R_0 = R_d = 1`, is multiplied to one tensor of `n_1 ... n_d` numbers,
//! which is read row by row as a matrix. With the variant `rep` the two factors of a low-rank product are trains; with
//! `adp` a bottleneck of two trains with biases follows the layer.

use std::sync::Arc;

use tch::Tensor;

use super::design::{Design, LayerPlan, Start, TensorPlan};
use super::kind::{Kind, Size, extent, memory, module, targets};
use super::placed::{Dropout, Layer, numbers};
use crate::lora::extents;
use crate::{Factors, Shape};
use spartui_facts::recipe::{self, LorettaStart, LorettaVariant};
use spartui_model::{BaseLayer, Merged, Model};

pub static LORETTA: Kind = Kind {
    name: "loretta",
    prefix: &["loretta."],
    design: |settings, model| {
        Ok(match settings.loretta.variant {
            LorettaVariant::Rep => products(settings, model),
            LorettaVariant::Adp => adapters(settings, model),
        })
    },
    size: |_| Some(Size { called: "tensor rank", highest: 1 << 12, field: |method| &mut method.loretta.tensor_rank }),
    shape: |method| match method.loretta.variant {
        LorettaVariant::Rep => Shape::LowRank,
        LorettaVariant::Adp => Shape::Own,
    },
    live: None,
};

/// The largest mode of a width.
const LARGEST_MODE: i64 = 16;

/// The modes of a matrix from a width to a rank or bottleneck, which is a mode of its own; for widths of the table in the
/// authors' code, those that it has.
fn down_modes(width: i64, other: i64) -> Vec<i64> {
    known_modes(width, other).unwrap_or_else(|| [modes_of(width), vec![other]].concat())
}

/// The same for a matrix from a rank or bottleneck to a width.
fn up_modes(other: i64, width: i64) -> Vec<i64> {
    match known_modes(width, other) {
        Some(modes) => modes.into_iter().rev().collect(),
        None => [vec![other], modes_of(width)].concat(),
    }
}

fn known_modes(width: i64, other: i64) -> Option<Vec<i64>> {
    Some(match (width, other) {
        (768, 8) => vec![8, 8, 12, 8],
        (768, 64) => vec![8, 8, 12, 8, 8],
        (1024, 8) => vec![4, 8, 8, 8, 4],
        (4096, 8) => vec![16, 16, 8, 4, 4],
        (4096, 64) => vec![16, 16, 16, 4, 4, 4],
        _ => return None,
    })
}

/// Factors of a width, ascending: as few as possible, at least two, each at most [`LARGEST_MODE`] where that can be, and
/// as equal as possible.
fn modes_of(width: i64) -> Vec<i64> {
    let fits = |modes: &Vec<i64>| modes.last().is_some_and(|largest| *largest <= LARGEST_MODE);
    let by_length = (2..=6).filter_map(|length| most_equal(width, length, 2));
    by_length.clone().find(fits).or_else(|| by_length.min_by_key(|modes| modes.last().copied())).unwrap_or(vec![width])
}

/// So many factors of a number, ascending and none below `least`, of which the largest is as small as possible.
fn most_equal(number: i64, length: usize, least: i64) -> Option<Vec<i64>> {
    if length == 1 {
        return (number >= least).then(|| vec![number]);
    }
    let candidates =
        (least..=number).take_while(|factor| factor * factor <= number).filter(|factor| number % factor == 0);
    let modes =
        candidates.filter_map(|factor| Some([vec![factor], most_equal(number / factor, length - 1, factor)?].concat()));
    modes.min_by_key(|modes| modes.last().copied())
}

/// Adds the cores of a train to the design; `sizes` are the rows and columns of the matrix. Returns their numbers.
#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn add_train(
    design: &mut Design,
    name: &str,
    modes: &[i64],
    tensor_rank: i64,
    sizes: [i64; 2],
    site: usize,
) -> Vec<usize> {
    let order = modes.len();
    let scale = (1.0 / (sizes[0] + sizes[1]) as f64).powf(0.5 / order as f64);
    let cores = modes.iter().enumerate().map(|(at, mode)| {
        let before = if at == 0 { 1 } else { tensor_rank };
        let after = if at + 1 == order { 1 } else { tensor_rank };
        let start = Start::Normal { mean: 0.0, deviation: scale / (after as f64).sqrt() };
        design.add(TensorPlan::new(format!("{name}.{at}"), &[before, *mode, after], site, start))
    });
    cores.collect()
}

/// The matrix of a train.
fn matrix(cores: &[Tensor], sizes: [i64; 2]) -> Tensor {
    let mut product = cores[0].reshape([-1, cores[0].size()[2]]);
    for core in &cores[1..] {
        let [before, mode, after] = core.size()[..] else { unreachable!("a core has three dimensions") };
        product = product.matmul(&core.reshape([before, mode * after])).reshape([-1, after]);
    }
    product.reshape(sizes)
}

#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn products(settings: &recipe::Method, model: &Model) -> Design {
    let own = &settings.loretta;
    let mut design = Design { draws: own.dropout > 0.0, ..Design::default() };
    let (rank, tensor_rank) = (extent(own.rank), extent(own.tensor_rank));
    for (at, site) in targets(settings, model) {
        let [out, input] = extents(site);
        let (down_modes, up_modes) = (down_modes(input, rank), up_modes(rank, out));
        let name = |part: &str| format!("{}.{part}", module(site));
        let mut tensors = add_train(&mut design, &name("A"), &down_modes, tensor_rank, [input, rank], at);
        tensors.extend(add_train(&mut design, &name("B"), &up_modes, tensor_rank, [rank, out], at));
        let cores = [down_modes.len(), up_modes.len()];
        if own.start == LorettaStart::Identity {
            for number in tensors.clone() {
                let plan = &design.tensors[number];
                let (name, shape) = (format!("{}.start", plan.name), plan.shape.clone());
                let start = TensorPlan::new(name, &shape, at, Start::Times(number, 1.0)).frozen();
                tensors.push(design.add(start));
            }
        }
        let ranks = if own.start == LorettaStart::Identity { 2 * rank } else { rank };
        let dropout = Dropout::new(own.dropout, settings.seed, &site.name);
        let masked = if dropout.draws() { 2 * input } else { 0 };
        let layer = Product { scale: own.alpha / rank as f64, sizes: [input, rank, out], cores, dropout };
        design.layers.push(LayerPlan {
            site: at,
            tensors,
            layer: Arc::new(layer),
            per_token: memory(model, input, ranks + masked, 2 * out),
        });
    }
    design
}

#[derive(Debug)]
struct Product {
    scale: f64,
    /// Inputs, rank, outputs.
    sizes: [i64; 3],
    /// Numbers of cores of the two factors.
    cores: [usize; 2],
    dropout: Dropout,
}

impl Product {
    /// The factors, `[in, rank]` and `[rank, out]`. The ranks of the product that is subtracted come second.
    fn factors_of(&self, tensors: &[Tensor]) -> [Tensor; 2] {
        let [input, rank, out] = self.sizes;
        let [of_down, of_up] = self.cores;
        let pair = |tensors: &[Tensor]| {
            let (down, up) = tensors.split_at(of_down);
            [matrix(down, [input, rank]), matrix(&up[..of_up], [rank, out])]
        };
        let [down, up] = pair(tensors);
        match tensors.get(of_down + of_up..) {
            Some(start @ [_, ..]) => {
                let [start_down, start_up] = pair(start);
                [Tensor::cat(&[down, start_down], 1), Tensor::cat(&[up, -start_up], 0)]
            }
            _ => [down, up],
        }
    }
}

impl Layer for Product {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], noise: Option<u64>) -> Tensor {
        let kind = tensors[0].kind();
        let y = (base.forward)(x, base.bias).to_kind(kind);
        let x = self.dropout.apply(x, kind, noise);
        let [down, up] = self.factors_of(tensors);
        y + (x.matmul(&down) * self.scale).matmul(&up)
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let [down, up] = self.factors_of(tensors);
        Some((weight + down.matmul(&up).tr() * self.scale, bias.map(Tensor::shallow_clone)))
    }

    fn factors(&self, tensors: &[Tensor]) -> Option<Factors> {
        let [down, up] = self.factors_of(tensors);
        Some(Factors {
            rank: usize::try_from(down.size()[1]).unwrap_or(0),
            down: numbers(&down.tr()),
            up: numbers(&up.tr()),
            magnitude: None,
            scale: self.scale,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn adapters(settings: &recipe::Method, model: &Model) -> Design {
    let mut design = Design::default();
    let (width, tensor_rank) = (extent(settings.loretta.bottleneck), extent(settings.loretta.tensor_rank));
    for (at, site) in targets(settings, model) {
        let out = extents(site)[0];
        let (down_modes, up_modes) = (down_modes(out, width), up_modes(width, out));
        let name = |part: &str| format!("{}.{part}", module(site));
        let bias = |part: &str, size: i64| {
            let start = Start::Uniform(1.0 / (size as f64).sqrt());
            TensorPlan::new(name(part), &[size], at, start).without_decay()
        };
        let mut tensors = add_train(&mut design, &name("down"), &down_modes, tensor_rank, [out, width], at);
        tensors.push(design.add(bias("down.bias", width)));
        tensors.extend(add_train(&mut design, &name("up"), &up_modes, tensor_rank, [width, out], at));
        tensors.push(design.add(bias("up.bias", out)));
        let layer = Adapter { sizes: [out, width], cores: [down_modes.len(), up_modes.len()] };
        design.layers.push(LayerPlan {
            site: at,
            tensors,
            layer: Arc::new(layer),
            per_token: memory(model, 0, out + 2 * width, 2 * out),
        });
    }
    design
}

#[derive(Debug)]
struct Adapter {
    /// Outputs, bottleneck.
    sizes: [i64; 2],
    /// Numbers of cores of the two trains.
    cores: [usize; 2],
}

impl Layer for Adapter {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], _: Option<u64>) -> Tensor {
        let kind = tensors[0].kind();
        let [out, width] = self.sizes;
        let y = (base.forward)(x, base.bias).to_kind(kind);
        let [of_down, of_up] = self.cores;
        let (down, up) = tensors.split_at(of_down + 1);
        let low = y.matmul(&matrix(&down[..of_down], [out, width])) + &down[of_down];
        &y + low.relu().matmul(&matrix(&up[..of_up], [width, out])) + &up[of_up]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_divided_evenly_and_known_ones_as_the_authors_do() {
        let cases: &[(i64, &[i64])] =
            &[(16, &[4, 4]), (32, &[4, 8]), (48, &[6, 8]), (64, &[8, 8]), (768, &[8, 8, 12]), (4096, &[16, 16, 16])];
        for (width, expected) in cases {
            assert_eq!(modes_of(*width), *expected);
        }
        // No factor below 16.
        assert_eq!(modes_of(2 * 101), [2, 101]);
        assert_eq!(modes_of(101), [101]);
        assert_eq!((down_modes(768, 8), up_modes(8, 768)), (vec![8, 8, 12, 8], vec![8, 12, 8, 8]));
        assert_eq!((down_modes(32, 4), up_modes(4, 32)), (vec![4, 8, 4], vec![4, 4, 8]));
        // Cores of rank 5: 580 scalars at 768 and rank 8, 800 at 4096, as the card counts them.
        for (width, expected) in [(768, 580), (4096, 800)] {
            let mut design = Design::default();
            add_train(&mut design, "A", &down_modes(width, 8), 5, [width, 8], 0);
            add_train(&mut design, "B", &up_modes(8, width), 5, [8, width], 0);
            assert_eq!(design.trainable(), 2 * expected);
        }
    }
}
