//! Rotary position embeddings (Su et al., 2021): the tables of cos and sin.

use tch::{Device, Kind, Tensor};

use super::config::{QueryGrowth, Rope, Scaling};

/// Tables of cos and sin for some positions.
#[derive(Debug)]
pub struct Rotation {
    /// `[width, rotated]` or `[rows, 1, width, rotated]`.
    cos: Tensor,
    sin: Tensor,
    rotated: i64,
    interleaved: bool,
    /// Factor of the queries, `[width, 1]` or `[rows, 1, 1, 1]`.
    growth: Option<Tensor>,
}

impl Rotation {
    /// Tables for the positions `from..from + width` of rows of these lengths, in `kind`. Where the rotation depends on
    /// a text's length, each row has its own table, so that a row's outputs do not depend on the other rows.
    pub fn new(rope: &Rope, from: i64, width: i64, lengths: &[usize], kind: Kind, device: Device) -> Self {
        let regime = |length: usize| regime(rope, length.cast_signed() as i64);
        let first = lengths.first().copied().map_or(0, regime);
        let tables = if lengths.iter().all(|&length| regime(length) == first) {
            table(rope, first, from, width)
        } else {
            let rows: Vec<Tensor> =
                lengths.iter().map(|&length| table(rope, regime(length), from, width).unsqueeze(1)).collect();
            Tensor::stack(&rows, 1)
        };
        let kind_of_tables = if rope.wide && kind != Kind::Double { Kind::Float } else { kind };
        let tables = tables.to_kind(kind_of_tables).to_device(device);
        let growth = rope.growth.map(|growth| query_growth(growth, from, width).to_kind(kind).to_device(device));
        let (cos, sin) = (tables.get(0), tables.get(1));
        Self { cos, sin, rotated: rope.width, interleaved: rope.interleaved, growth }
    }

    /// The same rotation for one position of each row, `[rows, 1, 1, 1]`.
    pub fn at(&self, positions: &Tensor) -> Self {
        let [rows, ..] = positions.size()[..] else { return self.shallow_clone() };
        let one = |table: &Tensor| {
            let table = if table.dim() == 2 { table.unsqueeze(0).unsqueeze(0) } else { table.shallow_clone() };
            let all = table.expand([rows, 1, table.size()[2], self.rotated], false);
            all.gather(2, &positions.expand([rows, 1, 1, self.rotated], false), false)
        };
        let growth =
            self.growth.as_ref().map(|growth| growth.index_select(0, &positions.view(-1)).view([rows, 1, 1, 1]));
        Self { cos: one(&self.cos), sin: one(&self.sin), growth, ..self.shallow_clone() }
    }

    fn shallow_clone(&self) -> Self {
        Self {
            cos: self.cos.shallow_clone(),
            sin: self.sin.shallow_clone(),
            rotated: self.rotated,
            interleaved: self.interleaved,
            growth: self.growth.as_ref().map(Tensor::shallow_clone),
        }
    }

    /// Rotates queries, `[rows, heads, width, head_dim]`, and lets them grow with their positions.
    pub fn apply_to_queries(&self, x: &Tensor) -> Tensor {
        match &self.growth {
            Some(growth) => self.apply(x) * growth,
            None => self.apply(x),
        }
    }

    /// Rotates `x`, `[rows, heads, width, head_dim]`.
    pub fn apply(&self, x: &Tensor) -> Tensor {
        let head = x.size()[3];
        if self.rotated == head {
            return self.rotate(x);
        }
        let rotated = self.rotate(&x.narrow(3, 0, self.rotated));
        Tensor::cat(&[rotated, x.narrow(3, self.rotated, head - self.rotated)], 3)
    }

    fn rotate(&self, x: &Tensor) -> Tensor {
        let (half, kind) = (self.rotated / 2, x.kind());
        // The product with tables of a wider type is of that type.
        let turned = if self.interleaved {
            let pairs = x.unflatten(3, [half, 2]);
            Tensor::stack(&[-pairs.select(4, 1), pairs.select(4, 0)], 4).flatten(3, 4)
        } else {
            Tensor::cat(&[-x.narrow(3, half, half), x.narrow(3, 0, half)], 3)
        };
        (x * &self.cos + turned * &self.sin).to_kind(kind)
    }
}

/// Factors of the queries at `width` positions from `from` on, `[width, 1]`, `f32`.
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
fn query_growth(growth: QueryGrowth, from: i64, width: i64) -> Tensor {
    let positions = Tensor::arange_start(from, from + width, (Kind::Float, Device::Cpu));
    ((positions / growth.original as f64).floor().log1p() * growth.beta + 1.0).unsqueeze(1)
}

/// The key of a frequency table: texts with equal keys have equal frequencies.
fn regime(rope: &Rope, length: i64) -> i64 {
    match rope.scaling {
        Scaling::Dynamic { original, .. } => length.max(original),
        Scaling::Long { original, .. } => i64::from(length > original),
        _ => 0,
    }
}

/// cos and sin of `width` positions from `from` on, `[2, width, rotated]`, `f32`.
fn table(rope: &Rope, regime: i64, from: i64, width: i64) -> Tensor {
    let cpu = (Kind::Float, Device::Cpu);
    let positions = Tensor::arange_start(from, from + width, cpu);
    let angles = positions.unsqueeze(1) * frequencies(rope, regime).unsqueeze(0);
    let angles = if rope.interleaved {
        angles.repeat_interleave_self_int(2, 1, None)
    } else {
        Tensor::cat(&[&angles, &angles], 1)
    };
    let factor = match rope.scaling {
        Scaling::Yarn { attention_factor, .. } | Scaling::Long { attention_factor, .. } => attention_factor,
        _ => 1.0,
    };
    Tensor::stack(&[angles.cos() * factor, angles.sin() * factor], 0)
}

/// Angular frequencies in radians per position, `[rotated / 2]`, `f32`.
#[expect(clippy::cast_precision_loss, reason = "lengths and widths are far below 2^53")]
fn frequencies(rope: &Rope, regime: i64) -> Tensor {
    let cpu = (Kind::Float, Device::Cpu);
    let exponents = Tensor::arange_start_step(0, rope.width, 2, cpu) / rope.width as f64;
    let plain = |theta: f64| Tensor::pow_scalar(theta, &exponents).reciprocal();
    match &rope.scaling {
        Scaling::None => plain(rope.theta),
        Scaling::Linear { factor } => plain(rope.theta) / *factor,
        Scaling::Dynamic { factor, original } => {
            let growth = factor * regime as f64 / *original as f64 - (factor - 1.0);
            plain(rope.theta * growth.powf(rope.width as f64 / (rope.width - 2).max(1) as f64))
        }
        Scaling::Yarn { factor, low, high, .. } => {
            let high = if low == high { high + 0.001 } else { *high };
            let ramp = ((Tensor::arange(rope.width / 2, cpu) - *low) / (high - low)).clamp(0.0, 1.0);
            let plain = plain(rope.theta);
            &plain / *factor * &ramp + &plain * (1.0 - &ramp)
        }
        Scaling::Llama3 { factor, low_freq_factor, high_freq_factor, original } => {
            let plain = plain(rope.theta);
            let turns = &plain * (*original as f64 / std::f64::consts::TAU);
            let smooth = ((turns - *low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            (1.0 - &smooth) * &plain / *factor + &smooth * &plain
        }
        Scaling::Long { short_factor, long_factor, .. } => {
            let factors = if regime == 1 { long_factor } else { short_factor };
            #[expect(clippy::cast_possible_truncation, reason = "to f32")]
            let factors: Vec<f32> = factors.iter().map(|&factor| factor as f32).collect();
            plain(rope.theta) / Tensor::from_slice(&factors)
        }
    }
}
