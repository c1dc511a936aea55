//! Rotary position embeddings in config.json, in the older and the newer layout of the keys.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::keys::{Keys, number, shown, whole};
use spartui_facts::family::Rotary;

/// One rotary position embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// Number of dimensions of a head that are rotated.
    pub width: i64,
    /// Whether pairs of neighbouring dimensions are rotated, instead of one from each half.
    pub interleaved: bool,
    /// Whether the rotation is computed in `f32`, whatever the type of the activations.
    pub wide: bool,
    /// The growth of queries with the position; none in most families.
    pub growth: Option<QueryGrowth>,
    /// Scaling of the frequencies beyond the length of pretraining.
    pub scaling: Scaling,
}

/// Queries at position p are multiplied by `1 + beta ln(1 + floor(p / original))`, as in Llama 4 and Ministral 3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryGrowth {
    /// `llama_4_scaling_beta`
    pub beta: f64,
    /// `original_max_position_embeddings`
    pub original: i64,
}

/// Scaling of the frequencies. The fields have the names of config.json's keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// No scaling.
    None,
    /// All frequencies are divided by one factor.
    Linear { factor: f64 },
    /// A larger base for texts longer than `original` tokens (Dynamic NTK).
    Dynamic { factor: f64, original: i64 },
    /// By wavelength: short ones are kept, long ones are scaled by the factor, those between by a ramp (`YaRN`, arXiv
    /// 2309.00071). `low` and `high` are the ramp's ends; cos and sin are multiplied by `attention_factor`.
    Yarn { factor: f64, low: f64, high: f64, attention_factor: f64 },
    /// By three bands of wavelengths (Llama 3.1).
    Llama3 { factor: f64, low_freq_factor: f64, high_freq_factor: f64, original: i64 },
    /// One factor for each frequency; `long_factor` for texts longer than `original` tokens (`LongRoPE`, arXiv
    /// 2402.13753).
    Long { short_factor: Vec<f64>, long_factor: Vec<f64>, original: i64, attention_factor: f64 },
}

/// Accepted range of scaling factors: wider than any model's, and far from the limits of `f32`.
const FACTORS: RangeInclusive<f64> = 1e-6..=1e6;
const NO_FACTOR: &str = "not between 0.000001 and 1000000";
const MOST_THETA: f64 = 1e15;

impl Rope {
    /// Ratio of the longest input to `max_position_embeddings`.
    pub(super) fn longest(&self) -> f64 {
        match self.scaling {
            Scaling::Dynamic { factor, .. } => factor.max(1.0),
            _ => 1.0,
        }
    }

    /// The rotation that all blocks share.
    pub(super) fn one(keys: &Keys<'_>, family: &Rotary, head_dim: i64) -> Result<Self, String> {
        let parameters = parameters(keys)?;
        if family.must_be_given && parameters.is_empty() {
            return Err("rope_parameters is missing; get the model's files again".into());
        }
        Self::parse(keys, family, &parameters, head_dim, family.theta)
    }

    /// The rotation of blocks with full attention, and that of blocks with a sliding window.
    pub(super) fn by_window(keys: &Keys<'_>, family: &Rotary, head_dim: i64) -> Result<Vec<Self>, String> {
        let nested = |kind: &str| match keys.get("rope_parameters").and_then(|all| all.get(kind)) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(own)) => Ok(own.clone()),
            Some(other) => Err(format!("rope_parameters.{kind} is {}; get the model's files again", shown(other))),
        };
        if let Some(flat) = keys.get("rope_parameters").filter(|all| all.get("rope_theta").is_some()) {
            return Err(format!("rope_parameters = {} is not implemented for {}", shown(flat), keys.family.name));
        }
        let (mut full, mut sliding) = (nested("full_attention")?, nested("sliding_attention")?);
        full.extend(object(keys, "rope_scaling")?);
        for (parameters, name) in [(&mut full, "rope_theta"), (&mut sliding, "rope_local_base_freq")] {
            if let (false, Some(theta)) = (parameters.contains_key("rope_theta"), keys.get(name)) {
                parameters.insert("rope_theta".into(), theta.clone());
            }
        }
        let of = |parameters, theta| Self::parse(keys, family, parameters, head_dim, theta);
        Ok(vec![of(&full, family.theta)?, of(&sliding, family.theta_in_window)?])
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a head's width is small")]
    fn parse(
        keys: &Keys<'_>,
        family: &Rotary,
        parameters: &Map<String, Value>,
        head_dim: i64,
        theta: f64,
    ) -> Result<Self, String> {
        let own = Own { keys, parameters };
        let theta = match own.number_if("rope_theta")? {
            Some(theta) => theta,
            None => theta,
        };
        let share = match own.number_if("partial_rotary_factor")? {
            Some(share) => share,
            None => keys.number_or("partial_rotary_factor", family.share)?,
        };
        if share != 1.0 && !keys.family.switches.contains(&"partial_rotary_factor") {
            return Err(format!("partial_rotary_factor = {share} is not implemented for {}", keys.family.name));
        }
        let width = (head_dim as f64 * share) as i64;
        if !(theta > 1.0 && theta < MOST_THETA) || width < 2 || width > head_dim || width % 2 != 0 {
            return Err(format!(
                "rope_theta {theta} and partial_rotary_factor {share} make no rotation of heads of width {head_dim}; get the \
                 model's files again"
            ));
        }
        let growth = match own.number_if("llama_4_scaling_beta")? {
            Some(beta) if beta != 0.0 => Some(QueryGrowth { beta, original: own.original()? }),
            _ => None,
        };
        let Rotary { interleaved, wide, .. } = *family;
        Ok(Self { theta, width, interleaved, wide, growth, scaling: scaling(&own, theta, width)? })
    }
}

/// `rope_parameters`, or the older `rope_scaling` and `rope_theta`.
fn parameters(keys: &Keys<'_>) -> Result<Map<String, Value>, String> {
    let mut parameters = object(keys, "rope_scaling")?;
    if parameters.is_empty() {
        parameters = object(keys, "rope_parameters")?;
    }
    // A model with one rotation for all blocks may still nest it under the name of its kind.
    if let Some(Value::Object(inner)) = parameters.get("full_attention") {
        let inner = inner.clone();
        match parameters.get("sliding_attention") {
            None | Some(Value::Null) => parameters = inner,
            Some(other) if *other == Value::Object(inner.clone()) => parameters = inner,
            Some(other) => {
                return Err(format!(
                    "rope_parameters.sliding_attention = {} is not implemented for {}",
                    shown(other),
                    keys.family.name
                ));
            }
        }
    }
    if let (false, Some(theta)) = (parameters.contains_key("rope_theta"), keys.get("rope_theta")) {
        parameters.insert("rope_theta".into(), theta.clone());
    }
    Ok(parameters)
}

fn object(keys: &Keys<'_>, name: &str) -> Result<Map<String, Value>, String> {
    match keys.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(other) => Err(format!("{name} is {}; get the model's files again", shown(other))),
    }
}

/// The keys of one rotary embedding.
struct Own<'a> {
    keys: &'a Keys<'a>,
    parameters: &'a Map<String, Value>,
}

impl Own<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.parameters.get(name).filter(|value| !value.is_null())
    }

    fn number_if(&self, name: &str) -> Result<Option<f64>, String> {
        self.get(name).map(|value| number(&format!("rope_parameters.{name}"), value)).transpose()
    }

    /// A scaling factor within [`FACTORS`], so that frequencies neither vanish nor overflow.
    fn factor_if(&self, name: &str) -> Result<Option<f64>, String> {
        match self.number_if(name)? {
            Some(factor) if !FACTORS.contains(&factor) => {
                Err(format!("rope_parameters.{name} {factor} is {NO_FACTOR}; get the model's files again"))
            }
            factor => Ok(factor),
        }
    }

    fn factor(&self, name: &str) -> Result<f64, String> {
        self.factor_if(name)?.ok_or_else(|| format!("rope_parameters.{name} is missing; get the model's files again"))
    }

    /// The length of pretraining in tokens: the top-level key wins over the nested one, as in the reference.
    fn original(&self) -> Result<i64, String> {
        let name = "original_max_position_embeddings";
        let beside = self.keys.size_if(name)?.or(self.long_rope());
        let inside = self.get(name).map(|value| whole(name, value)).transpose()?;
        match beside.or(inside) {
            Some(original) => Ok(original),
            None => self.keys.size("max_position_embeddings"),
        }
    }

    fn long_rope(&self) -> Option<i64> {
        self.keys.family.decoder().and_then(|decoder| decoder.long_rope)
    }

    fn factors(&self, name: &str, count: i64) -> Result<Vec<f64>, String> {
        let list = self.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let factors: Vec<f64> =
            list.iter().filter_map(Value::as_f64).filter(|factor| FACTORS.contains(factor)).collect();
        if factors.len() != list.len() || factors.len().cast_signed() as i64 != count {
            return Err(format!(
                "rope_parameters.{name} is not {count} numbers, or one of them is {NO_FACTOR}; get the model's files again"
            ));
        }
        Ok(factors)
    }
}

fn scaling(own: &Own<'_>, theta: f64, width: i64) -> Result<Scaling, String> {
    let kind = own.get("rope_type").or_else(|| own.get("type"));
    let kind = kind.map_or(Some("default"), Value::as_str).unwrap_or_default();
    match (kind, own.long_rope()) {
        ("default", _) => Ok(Scaling::None),
        ("linear", _) => Ok(Scaling::Linear { factor: own.factor("factor")? }),
        ("dynamic", _) => {
            Ok(Scaling::Dynamic { factor: own.factor("factor")?, original: own.keys.size("max_position_embeddings")? })
        }
        ("longrope", _) | ("su" | "yarn", Some(_)) => long(own, width),
        ("yarn", _) => yarn(own, theta, width),
        ("llama3", _) => llama3(own),
        (other, _) => Err(format!(
            "rope_type \"{}\" is not implemented; known: default, linear, dynamic, yarn, longrope, llama3",
            other.chars().take(64).collect::<String>().escape_debug()
        )),
    }
}

fn llama3(own: &Own<'_>) -> Result<Scaling, String> {
    let (low_freq_factor, high_freq_factor) = (own.factor("low_freq_factor")?, own.factor("high_freq_factor")?);
    if low_freq_factor >= high_freq_factor {
        return Err(format!(
            "rope_parameters.low_freq_factor {low_freq_factor} is not below high_freq_factor {high_freq_factor}; get the \
             model's files again"
        ));
    }
    Ok(Scaling::Llama3 { factor: own.factor("factor")?, low_freq_factor, high_freq_factor, original: own.original()? })
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
fn stretch(own: &Own<'_>, original: i64) -> Result<f64, String> {
    match own.factor_if("factor")? {
        Some(factor) => Ok(factor),
        None => Ok(own.keys.size("max_position_embeddings")? as f64 / original as f64),
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
fn long(own: &Own<'_>, width: i64) -> Result<Scaling, String> {
    let original = own.original()?;
    let factor = stretch(own, original)?;
    let attention_factor = match own.factor_if("attention_factor")? {
        Some(given) => given,
        None if factor <= 1.0 => 1.0,
        None if original < 2 => {
            return Err(format!("original_max_position_embeddings {original} is below 2; get the model's files again"));
        }
        None => (1.0 + factor.ln() / (original as f64).ln()).sqrt(),
    };
    Ok(Scaling::Long {
        short_factor: own.factors("short_factor", width / 2)?,
        long_factor: own.factors("long_factor", width / 2)?,
        original,
        attention_factor,
    })
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
fn yarn(own: &Own<'_>, theta: f64, width: i64) -> Result<Scaling, String> {
    let original = own.original()?;
    let factor = stretch(own, original)?;
    let scale = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
    // For these keys 0 means absent.
    let given = |name: &str| if own.number_if(name)? == Some(0.0) { Ok(None) } else { own.factor_if(name) };
    let attention_factor = match (own.factor_if("attention_factor")?, given("mscale")?, given("mscale_all_dim")?) {
        (Some(given), ..) => given,
        (None, Some(mscale), Some(all)) => scale(mscale) / scale(all),
        _ => scale(1.0),
    };
    // The dimension with this number of rotations over the original length.
    let dimension = |rotations: f64| {
        width as f64 * (original as f64 / (rotations * std::f64::consts::TAU)).ln() / (2.0 * theta.ln())
    };
    let (mut low, mut high) =
        (dimension(given("beta_fast")?.unwrap_or(32.0)), dimension(given("beta_slow")?.unwrap_or(1.0)));
    match own.get("truncate") {
        None | Some(Value::Bool(true)) => (low, high) = (low.floor(), high.ceil()),
        Some(Value::Bool(false)) => {}
        Some(other) => {
            return Err(format!("rope_parameters.truncate is {}; get the model's files again", shown(other)));
        }
    }
    Ok(Scaling::Yarn { factor, low: low.max(0.0), high: high.min((width - 1) as f64), attention_factor })
}
