//! One weight of the model with its low-rank product.

use tch::{Kind, Tensor};

use super::Factors;
use super::product::{Addition, Inside};
use crate::Dense;
use crate::leaf::Leaf;
use crate::state::copy_named;
use spartui_facts::permutation::derive_key;
use spartui_facts::random::Source;
use spartui_facts::recipe::{self, Variant};
use spartui_model::{Site, Slot, Tap, uniform};
use spartui_sparse::Optimizer;

/// Scalars of a weight that are processed at a time for the norms of its rows.
pub(super) const AT_A_TIME: u64 = 1 << 20;

/// `scale * up * down` added to a weight, and the magnitudes of its rows where these train.
#[derive(Debug)]
pub(super) struct Adapted {
    pub name: String,
    pub group: &'static str,
    pub layer: usize,
    /// The frozen weight; shares its memory with the model's.
    weight: Tensor,
    transposed: bool,
    slot: Slot,
    scale: f64,
    dropout: f64,
    key: u64,
    down: Leaf,
    up: Leaf,
    magnitude: Option<Magnitude>,
}

#[derive(Debug)]
struct Magnitude {
    /// The magnitudes, one for each row of the weight, `[out]`.
    rows: Leaf,
    /// Norms of the rows of `W + scale * B A`, `[out]`; treated as constants by the gradient.
    lengths: Tensor,
}

/// The factor of the product: alpha divided by the rank, or by its root for rank-stabilized `LoRA`.
#[expect(clippy::cast_precision_loss, reason = "a rank is small")]
pub(super) fn scale(settings: &recipe::Method) -> f64 {
    let rank = settings.rank.max(1) as f64;
    settings.alpha / if settings.variant == Variant::Rslora { rank.sqrt() } else { rank }
}

/// Number of trainable scalars of a site.
pub(super) fn count(settings: &recipe::Method, site: &Site) -> u64 {
    let [out, input] = extents(site);
    let magnitudes = if settings.variant == Variant::Dora { out } else { 0 };
    settings.rank as u64 * (out + input).cast_unsigned() + magnitudes.cast_unsigned()
}

/// Number of outputs and of inputs of a layer.
pub fn extents(site: &Site) -> [i64; 2] {
    let (first, second) = (site.weight.size()[0], site.weight.size()[1]);
    if site.transposed { [second, first] } else { [first, second] }
}

impl Adapted {
    /// Initializes as the reference does: A uniform up to `1 / sqrt(in)` (Kaiming's, with a = sqrt 5), B zero, the
    /// magnitudes the norms of the weight's rows.
    pub fn new(settings: &recipe::Method, site: &Site) -> Self {
        let [out, input] = extents(site);
        let rank = settings.rank.cast_signed() as i64;
        let kind = if site.weight.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        let options = (kind, site.weight.device());
        let source = Source::new(settings.seed, "lora", &site.name);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a width is far below 2^53")]
        let bound = (1.0 / (input.max(1) as f64).sqrt()) as f32;
        let start = uniform(&source, rank * input, bound);
        let down = Tensor::from_slice(&start).view([rank, input]).to_kind(kind).to_device(site.weight.device());
        let mut adapted = Self {
            name: site.name.clone(),
            group: site.group,
            layer: site.layer,
            weight: site.weight.detach(),
            transposed: site.transposed,
            slot: site.overlay.clone(),
            scale: scale(settings),
            dropout: settings.dropout,
            key: derive_key(settings.seed, "lora dropout", &site.name),
            down: Leaf::new(down),
            up: Leaf::new(Tensor::zeros([out, rank], options)),
            magnitude: None,
        };
        if settings.variant == Variant::Dora {
            let lengths = adapted.lengths(&adapted.down.value, &adapted.up.value);
            adapted.magnitude = Some(Magnitude { rows: Leaf::new(lengths.copy()), lengths });
        }
        adapted
    }

    /// Norms of the rows of the weight with this product added, `[out]`.
    fn lengths(&self, down: &Tensor, up: &Tensor) -> Tensor {
        row_lengths(&self.weight, self.transposed, (down, up, self.scale))
    }

    /// Recomputes the row norms after the factors have changed, and renews the overlay on the model's layer.
    pub fn refresh_overlay(&mut self) {
        if self.magnitude.is_some() {
            let lengths = self.lengths(&self.down.value, &self.up.value);
            self.magnitude.iter_mut().for_each(|magnitude| magnitude.lengths = lengths.shallow_clone());
        }
        self.enter();
    }

    /// Puts the overlay on the model's layer.
    pub fn enter(&self) {
        self.slot.set(Some(Box::new(self.addition())));
    }

    /// Removes the overlay.
    pub fn leave(&self) {
        self.slot.set(None);
    }

    fn addition(&self) -> Addition {
        Addition {
            down: self.down.value.shallow_clone(),
            up: self.up.value.shallow_clone(),
            scale: self.scale,
            factor: self.magnitude.as_ref().map(Magnitude::factor),
            dropout: self.dropout,
            key: self.key,
        }
    }

    /// A copy of the overlay's current values, independent of further training.
    pub fn copied(&self) -> (Slot, Addition) {
        let now = self.addition();
        (self.slot.clone(), Addition { down: now.down.copy(), up: now.up.copy(), ..now })
    }

    /// As [`Adapted::copied`], with the values of a state.
    ///
    /// # Errors
    /// The part of the state that does not fit.
    pub fn copied_from(&self, state: &[Dense]) -> Result<(Slot, Addition), String> {
        let down = self.down.value.zeros_like();
        let up = self.up.value.zeros_like();
        let magnitude = self.magnitude.as_ref().map(|magnitude| magnitude.rows.value.zeros_like());
        let name = |what: &str| format!("{}.value", self.tensor_name(what));
        let mut targets = vec![(name("A"), down.shallow_clone()), (name("B"), up.shallow_clone())];
        targets.extend(magnitude.iter().map(|rows| (name("m"), rows.shallow_clone())));
        copy_named(targets, state)?;
        let factor = magnitude.map(|rows| rows / self.lengths(&down, &up));
        Ok((self.slot.clone(), Addition { down, up, factor, ..self.addition() }))
    }

    fn tensor_name(&self, what: &str) -> String {
        format!("lora.{}.{what}", self.name)
    }

    /// The trainable tensors and their moments, with their names in a checkpoint.
    pub fn named(&self) -> Vec<(String, Tensor)> {
        let mut named = Vec::from(self.down.named(&self.tensor_name("A")));
        named.extend(self.up.named(&self.tensor_name("B")));
        named.extend(self.magnitude.iter().flat_map(|magnitude| magnitude.rows.named(&self.tensor_name("m"))));
        named
    }

    pub fn factors(&self) -> Factors {
        let copy = |trained: &Leaf| Dense::new(self.name.clone(), &trained.value).values;
        Factors {
            rank: usize::try_from(self.down.value.size()[0]).unwrap_or(0),
            down: copy(&self.down),
            up: copy(&self.up),
            magnitude: self.magnitude.as_ref().map(|magnitude| copy(&magnitude.rows)),
            scale: self.scale,
        }
    }

    /// Checks that training can start from these factors.
    ///
    /// # Errors
    /// One sentence why it cannot.
    pub fn check(&self, factors: &Factors) -> Result<(), String> {
        let rank = usize::try_from(self.down.value.size()[0]).unwrap_or(0);
        if factors.rank != rank {
            return Err(format!("its rank is {}, not {rank}; set method.rank to it", factors.rank));
        }
        if (factors.scale - self.scale).abs() > 1e-9 * self.scale.abs() {
            return Err(format!(
                "it multiplies its products by {}, and the settings say {}; set method.alpha and method.variant as it has them",
                factors.scale, self.scale
            ));
        }
        let sizes = [factors.down.len() as u64, factors.up.len() as u64];
        if sizes != [self.down.numel(), self.up.numel()] {
            return Err(format!("its factors of {} have another size; it was made for another model", self.name));
        }
        let rows = |magnitude: &Magnitude| magnitude.rows.numel();
        let given = factors.magnitude.as_ref().map(|magnitude| magnitude.len() as u64);
        if given != self.magnitude.as_ref().map(rows) {
            return Err("it has magnitudes and method.variant no \"dora\", or the other way round".into());
        }
        Ok(())
    }

    /// Starts from these factors, which [`Adapted::check`] has accepted.
    pub fn start_from(&mut self, factors: &Factors) {
        let put = |trained: &mut Leaf, values: &[f32]| {
            let value = Tensor::from_slice(values).view(trained.value.size().as_slice());
            trained.value.copy_(&value);
        };
        put(&mut self.down, &factors.down);
        put(&mut self.up, &factors.up);
        if let (Some(magnitude), Some(values)) = (&mut self.magnitude, &factors.magnitude) {
            put(&mut magnitude.rows, values);
        }
        self.refresh_overlay();
    }

    /// Adds the contribution of a tap and of the gradient of its output.
    pub fn collect(&mut self, tap: &Tap, output_gradient: &Tensor) {
        let inside = tap.kept.as_ref().and_then(|kept| kept.downcast_ref());
        let Some(Inside { mask, low, sum }) = inside else { return };
        let kind = self.down.value.kind();
        let flat = |tensor: &Tensor| {
            let width = tensor.size().last().copied().unwrap_or(1);
            tensor.to_kind(kind).reshape([-1, width])
        };
        let mut gradient = flat(output_gradient);
        if let (Some(magnitude), Some(sum)) = (&mut self.magnitude, sum) {
            let of_factor = (&gradient * flat(sum)).sum_dim_intlist([0_i64].as_slice(), false, kind);
            magnitude.rows.collect(of_factor / &magnitude.lengths);
            // A new tensor: other taps may share the gradient.
            gradient = &gradient * magnitude.factor();
        }
        self.up.collect(gradient.tr().matmul(&(flat(low) * self.scale)));
        let through = gradient.matmul(&self.up.value) * self.scale;
        let input = match mask {
            Some(mask) => flat(&tap.input) * flat(mask),
            None => flat(&tap.input),
        };
        self.down.collect(through.tr().matmul(&input));
    }

    /// The accumulated gradients.
    pub fn gradients(&self) -> impl Iterator<Item = &Tensor> {
        let magnitude = self.magnitude.as_ref().and_then(|magnitude| magnitude.rows.gradient.as_ref());
        [&self.down, &self.up].into_iter().filter_map(|trained| trained.gradient.as_ref()).chain(magnitude)
    }

    /// One optimizer step. Magnitudes are exempt from decay, which would shrink the model's own weight.
    pub fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        self.down.update(optimizer, rate, scale, step);
        self.up.update(optimizer, rate, scale, step);
        if let Some(magnitude) = &mut self.magnitude {
            magnitude.rows.update(&Optimizer { weight_decay: 0.0, ..*optimizer }, rate, scale, step);
        }
        self.refresh_overlay();
    }

    pub fn clear_gradients(&mut self) {
        self.down.gradient = None;
        self.up.gradient = None;
        self.magnitude.iter_mut().for_each(|magnitude| magnitude.rows.gradient = None);
    }

    /// Number of trainable scalars.
    pub fn count(&self) -> u64 {
        self.down.numel() + self.up.numel() + self.magnitude.as_ref().map_or(0, |magnitude| magnitude.rows.numel())
    }

    /// Sum of the squares of `scale * up * down`, and its number of scalars.
    pub fn squares(&self) -> (f64, u64) {
        let [down, up] = [&self.down.value, &self.up.value];
        let squares = (up.tr().matmul(up) * down.matmul(&down.tr())).sum(Kind::Double).double_value(&[]);
        (squares.max(0.0) * self.scale * self.scale, self.weight.numel() as u64)
    }
}

impl Magnitude {
    fn factor(&self) -> Tensor {
        &self.rows.value / &self.lengths
    }
}

/// The factors of an adapter as an overlay on a site's layer, for inference.
///
/// # Errors
/// One sentence where they do not fit the layer.
pub fn addition_of(site: &Site, factors: &Factors) -> Result<Addition, String> {
    let [out, input] = extents(site);
    let rank = factors.rank.cast_signed() as i64;
    let fits = |values: &[f32], [rows, columns]: [i64; 2]| {
        rows.checked_mul(columns).is_some_and(|scalars| scalars == values.len().cast_signed() as i64)
    };
    let magnitudes = factors.magnitude.as_deref().is_none_or(|magnitude| fits(magnitude, [out, 1]));
    if !fits(&factors.down, [rank, input]) || !fits(&factors.up, [out, rank]) || !magnitudes {
        return Err(format!("its factors of {} do not fit the layer, which makes {out} numbers of {input}", site.name));
    }
    let kind = if site.weight.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    let tensor = |values: &[f32], shape: &[i64]| {
        Tensor::from_slice(values).view(shape).to_kind(kind).to_device(site.weight.device())
    };
    let (down, up) = (tensor(&factors.down, &[rank, input]), tensor(&factors.up, &[out, rank]));
    let factor = factors.magnitude.as_ref().map(|magnitude| {
        let lengths = row_lengths(&site.weight.detach(), site.transposed, (&down, &up, factors.scale));
        tensor(magnitude, &[out]) / lengths
    });
    Ok(Addition { down, up, scale: factors.scale, factor, dropout: 0.0, key: 0 })
}

/// Norms of the rows of a weight (of its columns, where it is transposed) plus the product of these factors, `[out]`.
/// They are computed for a part of the rows at a time.
fn row_lengths(weight: &Tensor, transposed: bool, (down, up, scale): (&Tensor, &Tensor, f64)) -> Tensor {
    let weight = if transposed { weight.tr() } else { weight.shallow_clone() };
    let rows = (AT_A_TIME.cast_signed() / weight.size()[1].max(1)).max(1);
    let all = weight.size()[0];
    let part = |from: i64| {
        let size = rows.min(all - from);
        let product = up.narrow(0, from, size).matmul(down) * scale;
        (weight.narrow(0, from, size).to_kind(down.kind()) + product).square_().sum_dim_intlist(
            [1_i64].as_slice(),
            false,
            down.kind(),
        )
    };
    let parts = (0..all).step_by(usize::try_from(rows).unwrap_or(1)).map(part);
    tch::no_grad(|| Tensor::cat(&parts.collect::<Vec<_>>(), 0).sqrt_())
}
