//! The kinds of classification heads in adapters.

use spartui_facts::family::Family;

/// A parameter of a classification head; all of its scalars train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadPart {
    /// Name of the parameter.
    pub parameter: &'static str,
    /// Its key in `head_init.safetensors`.
    pub init_key: &'static str,
    /// Whether its first extent is the number of labels.
    pub of_labels: bool,
}

/// The parameters of one kind of head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeadKind {
    /// Value of `sparta_extension`. The reference supports decoders with a `score` head only; adapters of encoders are
    /// an extension of this project.
    pub extension: Option<&'static str>,
    pub parts: &'static [HeadPart],
}

const fn last(parameter: &'static str, init_key: &'static str) -> HeadPart {
    HeadPart { parameter, init_key, of_labels: true }
}

const fn inner(parameter: &'static str, init_key: &'static str) -> HeadPart {
    HeadPart { parameter, init_key, of_labels: false }
}

/// The kind for a causal language model, which has no classification head.
pub(crate) static NO_HEAD: HeadKind = HeadKind { extension: None, parts: &[] };

static DECODER: HeadKind = HeadKind { extension: None, parts: &[last("score.weight", "head")] };

static BERT: HeadKind = HeadKind {
    extension: Some("encoder"),
    parts: &[last("classifier.weight", "head"), last("classifier.bias", "head_bias")],
};

/// The head of a BERT whose files lack the pooler, which is then a part of the head.
static BERT_POOLED: HeadKind = HeadKind {
    extension: Some("bert-pooler"),
    parts: &[
        inner("bert.pooler.dense.weight", "head_inner"),
        inner("bert.pooler.dense.bias", "head_inner_bias"),
        last("classifier.weight", "head"),
        last("classifier.bias", "head_bias"),
    ],
};

static ROBERTA: HeadKind = HeadKind {
    extension: Some("roberta"),
    parts: &[
        inner("classifier.dense.weight", "head_inner"),
        inner("classifier.dense.bias", "head_inner_bias"),
        last("classifier.out_proj.weight", "head"),
        last("classifier.out_proj.bias", "head_bias"),
    ],
};

static DISTILBERT: HeadKind = HeadKind {
    extension: Some("distilbert"),
    parts: &[
        inner("pre_classifier.weight", "head_inner"),
        inner("pre_classifier.bias", "head_inner_bias"),
        last("classifier.weight", "head"),
        last("classifier.bias", "head_bias"),
    ],
};

impl HeadKind {
    /// Names of its parameters.
    pub fn names(&self) -> Vec<&'static str> {
        self.parts.iter().map(|part| part.parameter).collect()
    }
}

/// Every kind of head that an adapter can have.
pub(crate) static HEADS: [&HeadKind; 6] = [&NO_HEAD, &DECODER, &BERT, &BERT_POOLED, &ROBERTA, &DISTILBERT];

/// The kind with exactly these parameters and keys, in this order.
pub(crate) fn head_kind(names: &[(&str, &str)]) -> Option<&'static HeadKind> {
    let fits =
        |kind: &&&HeadKind| kind.parts.iter().map(|part| (part.parameter, part.init_key)).eq(names.iter().copied());
    HEADS.iter().find(fits).copied()
}

/// The kind of a `sparta_extension`; without one, the reference's own kind.
pub(crate) fn head_of_extension(extension: Option<&str>) -> Option<&'static HeadKind> {
    HEADS.iter().find(|kind| !kind.parts.is_empty() && kind.extension == extension).copied()
}

/// Name of the language-model head's weight, where it is not tied to the word embeddings.
pub(crate) const LM_HEAD: &str = "lm_head.weight";

/// The family that config.json names.
pub(crate) fn family(config: &serde_json::Value) -> Option<&'static Family> {
    Family::named(config.get("model_type")?.as_str()?)
}

/// The parts of the classification head with these parameters, in the order of an adapter; none where no kind of head
/// has exactly these.
#[must_use]
pub fn head_parts(names: &[&str]) -> Option<&'static [HeadPart]> {
    let fits = |kind: &&&HeadKind| kind.parts.iter().map(|part| part.parameter).eq(names.iter().copied());
    HEADS.iter().find(fits).map(|kind| kind.parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::family::FAMILIES;

    #[test]
    fn every_head_is_found_by_its_names_and_by_its_extension() {
        for kind in HEADS {
            let names: Vec<_> = kind.parts.iter().map(|part| (part.parameter, part.init_key)).collect();
            assert_eq!(head_kind(&names), Some(kind));
            if !kind.parts.is_empty() {
                assert_eq!(head_of_extension(kind.extension), Some(kind));
            }
        }
        assert_eq!(head_kind(&[("score.weight", "head_bias")]), None);
        assert_eq!(head_of_extension(Some("")), None);
    }

    #[test]
    fn the_head_of_every_family_is_known_and_lies_beside_its_prefix() {
        for family in FAMILIES {
            let parts = head_parts(family.head.names()).unwrap_or_else(|| panic!("{}", family.name));
            assert!(parts.iter().all(|part| !part.parameter.starts_with(family.prefix)));
            assert!(family.takes(family.head.names()));
        }
        let pooled: Vec<_> = BERT_POOLED.parts.iter().map(|part| part.parameter).collect();
        let takes = FAMILIES.into_iter().filter(|family| family.takes(&pooled)).map(|family| family.name);
        assert_eq!(takes.collect::<Vec<_>>(), ["bert"]);
    }
}
