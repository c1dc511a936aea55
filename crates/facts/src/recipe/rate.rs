//! The learning rate that a recipe asks for, and the rule behind `"auto"`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Method, Variant};

/// The word that stands for an automatic value.
pub const AUTO: &str = "auto";
/// The word for a learning rate that a race chooses.
pub const RACE: &str = "race";

/// A learning rate at the schedule's peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LearningRate {
    /// The learning rate for the method and the density: see [`Method::learning_rate`].
    Auto,
    /// The best of several around that one, by a race before the first step.
    Race,
    /// This learning rate.
    At(f64),
}

impl Serialize for LearningRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::Race => serializer.serialize_str(RACE),
            Self::At(rate) => serializer.serialize_f64(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for LearningRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(rate) => Ok(Self::At(rate)),
            Written::Word(word) if word == AUTO => Ok(Self::Auto),
            Written::Word(word) if word == RACE => Ok(Self::Race),
            Written::Word(word) => Err(D::Error::custom(format!("a number, \"{AUTO}\" or \"{RACE}\", not \"{word}\""))),
        }
    }
}

/// What the rule goes by for a language model, beside method and density.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LanguageBasis {
    /// Width of the model: its hidden size.
    pub width: u64,
    /// The base model's loss on the first rows of the data, as a share of that of guessing among all tokens (the
    /// logarithm of their number): below 1 where the model knows something of the data.
    pub relative_loss: f64,
}

/// The learning rates of the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuggestedRate {
    /// The learning rate at the schedule's peak.
    pub rate: f64,
    /// The learning rate of the classification head; none if only the head trains.
    pub head: Option<f64>,
    /// The name of the method.
    method: &'static str,
    /// Share of the weights that trains, if the rate depends on it.
    density: Option<f64>,
    /// The language model, if the rate depends on it.
    language: Option<LanguageBasis>,
}

/// The learning rate of a head, if weights train too; docs/learning-rate.md says why the head has its own.
const HEAD: f64 = 0.02;

impl SuggestedRate {
    /// The basis of the rule, such as `sparta, 1 % trains`: the method, and the share of the weights that trains.
    #[must_use]
    pub fn basis(&self) -> String {
        let method =
            self.share().map_or_else(|| self.method.into(), |share| format!("{}, {share} % trains", self.method));
        match self.language {
            None => method,
            Some(LanguageBasis { width, relative_loss }) => {
                format!("{method}, width {width}, {} of the loss of guessing", share_of_guessing(relative_loss))
            }
        }
    }

    /// Percentage of the weights that trains, if the rate depends on it.
    fn share(&self) -> Option<f64> {
        self.density.map(|density| two_digits(density * 100.0))
    }

    /// The rate and its basis, in one sentence.
    #[must_use]
    pub fn remark(&self) -> String {
        let of = self.share().map_or_else(String::new, |share| format!(" where {share} % of the weights train"));
        let head = self.head.map(|rate| format!("; the head's is {rate:e}")).unwrap_or_default();
        let on = self.language.map_or_else(String::new, |LanguageBasis { width, relative_loss }| {
            format!(
                " on a model of width {width} whose loss on the first rows is {} of that of guessing",
                share_of_guessing(relative_loss)
            )
        });
        format!("learning_rate {AUTO} is {:e}, the rate for {}{of}{on}{head}", self.rate, self.method)
    }
}

/// A share as a percentage, bounded, since a broken model may have any loss.
fn share_of_guessing(relative_loss: f64) -> String {
    if relative_loss > 100.0 { "more than 10000 %".into() } else { format!("{:.0} %", relative_loss * 100.0) }
}

/// A power law of the density.
pub(super) struct Law {
    /// The rate where every weight trains.
    pub dense: f64,
    /// Exponent: the rate is proportional to the density to the power of minus this.
    pub exponent: f64,
    /// The highest rate.
    pub highest: f64,
    /// The law on a language model; none where the rate is the same there.
    pub on_language: Option<OnLanguage>,
}

/// What differs from a [`Law`] on a language model.
pub(super) struct OnLanguage {
    /// The rate where every weight trains.
    pub dense: f64,
    /// The highest rate.
    pub highest: f64,
    /// Whether the rate rises where the model guesses worse than at random. A few scalars bear a high rate anyway.
    pub rises: bool,
}

impl Law {
    /// The same rate whatever the density, such as the one of a method's paper.
    pub const fn flat(rate: f64) -> Self {
        Self { dense: rate, exponent: 0.0, highest: rate, on_language: None }
    }

    /// The same rate whatever the density, found by a search: for a classifier, and for a language model.
    pub const fn searched(rate: f64, on_language: f64) -> Self {
        let on_language = Some(OnLanguage { dense: on_language, highest: on_language, rises: false });
        Self { on_language, ..Self::flat(rate) }
    }
}

/// Widest language model whose rates do not fall with its width.
const WIDEST: f64 = 256.0;
/// Loss on the first rows, as a share of that of guessing, below which the rates fall with it.
const KNOWN: f64 = 0.7;

impl LanguageBasis {
    /// The rate relative to that of a small model that knows a little of the data: the less it knows, the further it has
    /// to go. Wider models have lower rates, in proportion to their width (arXiv 2203.03466 for Adam).
    fn factor(&self, rises: bool) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a width is small")]
        let width = self.width.max(1) as f64;
        let relative_loss = if self.relative_loss.is_finite() { self.relative_loss.clamp(0.01, 4.0) } else { 1.0 };
        let above = if rises { relative_loss.max(1.0) } else { 1.0 };
        ((relative_loss / KNOWN).min(1.0) * above).powi(2) * (WIDEST / width).min(1.0)
    }
}

impl Method {
    /// The learning rate of this method for `trainable` of the base model's `parameters`, without those of a head; to
    /// two digits. `language` is none for a classifier.
    ///
    /// The rule is derived from the study in `examples/study`: docs/learning-rate.md says how.
    #[must_use]
    pub fn learning_rate(&self, trainable: u64, parameters: u64, language: Option<LanguageBasis>) -> SuggestedRate {
        let facts = self.kind.facts();
        let Law { dense, exponent, highest, on_language } = (facts.law)(self);
        let language = language.filter(|_| on_language.is_some());
        let (dense, highest) = match (language, on_language) {
            (Some(language), Some(OnLanguage { dense, highest, rises })) => (dense * language.factor(rises), highest),
            _ => (dense, highest),
        };
        #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
        let density = (trainable.max(1) as f64 / parameters.max(1) as f64).min(1.0);
        SuggestedRate {
            rate: two_digits((dense * density.powf(-exponent)).min(highest)),
            head: facts.head_apart.then_some(HEAD),
            method: (facts.called)(self),
            density: (exponent > 0.0).then_some(density),
            language,
        }
    }
}

/// The scale of a low-rank product, relative to that with alpha at twice the rank.
pub(super) fn relative_scale(method: &Method) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
    let rank = method.rank.max(1) as f64;
    let by = if method.variant == Variant::Rslora { rank.sqrt() } else { rank };
    // Alpha may be 0, for which any rate gives the same result.
    (method.alpha / by / 2.0).max(1e-3)
}

/// A number above 0 with two significant digits.
#[must_use]
pub fn two_digits(number: f64) -> f64 {
    format!("{number:.1e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{MethodKind, Recipe, Selection, Value};

    fn method(kind: MethodKind, selection: Selection) -> Method {
        Method { kind, selection, ..Method::default() }
    }

    #[test]
    fn it_is_a_number_or_a_word_and_survives_a_file() {
        let mut recipe = Recipe::default();
        assert_eq!(recipe.optimizer.learning_rate, LearningRate::Auto);
        let again = |recipe: &Recipe| Recipe::parse(&recipe.to_toml(), std::path::Path::new(""), &[]).unwrap();
        assert_eq!(again(&recipe), recipe);
        recipe.set("optimizer.learning_rate", Value::Integer(1)).unwrap();
        assert_eq!(recipe.optimizer.learning_rate, LearningRate::At(1.0));
        assert_eq!(again(&recipe), recipe);
        let why = recipe.set("optimizer.learning_rate", "fast".into()).unwrap_err();
        assert_eq!(why, "optimizer.learning_rate takes a number from 0 to 10, \"auto\" or \"race\", not \"fast\"");
        assert!(recipe.set("schedule.min_learning_rate", "auto".into()).is_err());
        recipe.set("optimizer.learning_rate", "auto".into()).unwrap();
        assert_eq!(recipe, Recipe::default());
    }

    #[test]
    fn it_rises_as_density_falls_by_more_than_ten_between_full_and_a_thousandth() {
        let parameters = 22_713_216;
        let sparta = method(MethodKind::Sparta, Selection::Random);
        let full = method(MethodKind::Full, Selection::Random).learning_rate(parameters, parameters, None).rate;
        assert!(sparta.learning_rate(parameters / 1000, parameters, None).rate > 10.0 * full);
        for selection in
            [Selection::Random, Selection::Smallest, Selection::Largest, Selection::Gradient, Selection::Dynamic]
        {
            for kind in [MethodKind::Sparta, MethodKind::Lora] {
                let method = method(kind, selection);
                let rates: Vec<f64> =
                    (0..25).map(|bits| method.learning_rate(1 << bits, parameters, None).rate).collect();
                assert!(rates.is_sorted_by(|few, many| few >= many), "{kind:?} {selection:?}: {rates:?}");
                assert!(rates.iter().all(|rate| *rate > 0.0 && *rate <= 0.1), "{rates:?}");
            }
        }
    }

    #[test]
    fn low_rank_that_weighs_in_more_has_a_lower_rate() {
        let lora = |rank, alpha, variant| {
            let method = Method { rank, alpha, variant, ..method(MethodKind::Lora, Selection::Random) };
            method.learning_rate(37_000, 22_700_000, None).rate
        };
        let usual = lora(4, 8.0, Variant::Plain);
        assert_eq!(lora(16, 32.0, Variant::Dora), usual);
        assert!(lora(4, 1.0, Variant::Plain) > 2.0 * usual && lora(16, 32.0, Variant::Rslora) < usual);
        assert!(lora(4, 0.0, Variant::Plain).is_finite());
    }

    #[test]
    fn nothing_that_trains_and_no_parameters_have_a_rate_too() {
        for (trainable, parameters) in [(0, 0), (0, 100), (100, 100), (u64::MAX, 1)] {
            let suggested = method(MethodKind::Sparta, Selection::Random).learning_rate(trainable, parameters, None);
            assert!(suggested.rate.is_finite() && suggested.rate > 0.0, "{trainable} of {parameters}");
        }
    }

    #[test]
    fn a_language_model_has_rates_by_what_it_knows_and_by_its_width() {
        let rate = |kind, width, relative_loss| {
            let language = Some(LanguageBasis { width, relative_loss });
            method(kind, Selection::Random).learning_rate(10_000, 1_000_000, language).rate
        };
        for kind in [MethodKind::Sparta, MethodKind::Lora, MethodKind::Full] {
            assert!(rate(kind, 256, 1.0) > 1.9 * rate(kind, 256, 0.5), "{kind:?}");
            assert!((rate(kind, 256, 0.5) / rate(kind, 4096, 0.5) / 16.0 - 1.0).abs() < 0.1, "{kind:?}");
            assert!(rate(kind, 64, 0.5) <= rate(kind, 256, 0.5), "{kind:?}");
            for relative_loss in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e9] {
                assert!((1e-9..0.5).contains(&rate(kind, 256, relative_loss)), "{kind:?} {relative_loss}");
            }
        }
        // A few scalars bear a high rate.
        assert!(rate(MethodKind::Vera, 256, 2.0) > 0.1 && rate(MethodKind::Melora, 4096, 0.2) < 1e-3);
    }

    #[test]
    fn every_method_has_a_rate_for_language_models_and_they_fall_with_the_width() {
        for kind in MethodKind::ALL.into_iter().filter(|kind| *kind != MethodKind::Head) {
            let rate = |width| {
                let language = Some(LanguageBasis { width, relative_loss: 0.5 });
                method(kind, Selection::Random).learning_rate(10_000, 1_000_000, language).rate
            };
            assert!(rate(4096) < 0.1 * rate(256) && rate(4096) > 0.0, "{kind:?}");
        }
    }

    #[test]
    fn a_loss_beyond_all_bounds_is_said_in_few_words() {
        let language = Some(LanguageBasis { width: 64, relative_loss: 1e30 });
        let suggested = method(MethodKind::Sparta, Selection::Random).learning_rate(10, 1000, language);
        assert!(suggested.remark().contains("more than 10000 % of that of guessing"), "{}", suggested.remark());
    }

    #[test]
    fn two_digits_stay() {
        assert_eq!([0.001_449, 0.02, 123.0].map(two_digits), [0.0014, 0.02, 120.0]);
    }
}
