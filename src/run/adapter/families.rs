//! What each family of models calls its parts, and the classification heads.

/// A parameter of a classification head; all of it trains.
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
pub(in crate::run) struct HeadKind {
    /// Value of `sparta_extension`. The reference knows decoders with a `score` head only; adapters of encoders are
    /// this project's own extension.
    pub extension: Option<&'static str>,
    pub parts: &'static [HeadPart],
}

const fn last(parameter: &'static str, init_key: &'static str) -> HeadPart {
    HeadPart { parameter, init_key, of_labels: true }
}

const fn inner(parameter: &'static str, init_key: &'static str) -> HeadPart {
    HeadPart { parameter, init_key, of_labels: false }
}

/// Of a causal language model, which has no head of its own to learn.
pub(in crate::run) static NO_HEAD: HeadKind = HeadKind { extension: None, parts: &[] };

static DECODER: HeadKind = HeadKind { extension: None, parts: &[last("score.weight", "head")] };

static BERT: HeadKind = HeadKind {
    extension: Some("encoder"),
    parts: &[last("classifier.weight", "head"), last("classifier.bias", "head_bias")],
};

/// Where the model has no pooler, that is a part of the head.
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

/// Every kind of head that an adapter can have.
pub(in crate::run) static HEADS: [&HeadKind; 6] = [&NO_HEAD, &DECODER, &BERT, &BERT_POOLED, &ROBERTA, &DISTILBERT];

/// The kind with exactly these parameters and keys, in this order.
pub(in crate::run) fn head_kind(names: &[(&str, &str)]) -> Option<&'static HeadKind> {
    let fits =
        |kind: &&&HeadKind| kind.parts.iter().map(|part| (part.parameter, part.init_key)).eq(names.iter().copied());
    HEADS.iter().find(fits).copied()
}

/// The kind that `sparta_extension` names; none is the reference's own.
pub(in crate::run) fn head_of_extension(extension: Option<&str>) -> Option<&'static HeadKind> {
    HEADS.iter().find(|kind| !kind.parts.is_empty() && kind.extension == extension).copied()
}

/// The language model's head, where it is not the input embeddings once more.
pub(in crate::run) const LM_HEAD: &str = "lm_head.weight";

/// Names within one family, as its classes in transformers have them.
#[derive(Debug)]
pub(in crate::run) struct Family {
    /// `model_type` in config.json.
    pub model_type: &'static str,
    /// What the names of all parameters below the head begin with. Some checkpoints leave it out.
    pub prefix: &'static str,
    /// The input embeddings.
    pub embeddings: &'static str,
    /// Class with a classification head.
    pub classifier: &'static str,
    /// Class of the language model, for decoders.
    pub causal: Option<&'static str>,
    pub head: &'static HeadKind,
}

impl Family {
    /// Whether this is a head of its classifiers.
    pub fn takes(&self, head: &HeadKind) -> bool {
        self.head == head || (self.head == &BERT && head == &BERT_POOLED)
    }
}

const fn decoder(model_type: &'static str, classifier: &'static str, causal: &'static str) -> Family {
    Family {
        model_type,
        prefix: "model.",
        embeddings: "model.embed_tokens.weight",
        classifier,
        causal: Some(causal),
        head: &DECODER,
    }
}

const fn encoder(
    model_type: &'static str,
    prefix: &'static str,
    embeddings: &'static str,
    classifier: &'static str,
    head: &'static HeadKind,
) -> Family {
    Family { model_type, prefix, embeddings, classifier, causal: None, head }
}

static FAMILIES: [Family; 12] = [
    decoder("llama", "LlamaForSequenceClassification", "LlamaForCausalLM"),
    decoder("mistral", "MistralForSequenceClassification", "MistralForCausalLM"),
    decoder("qwen2", "Qwen2ForSequenceClassification", "Qwen2ForCausalLM"),
    decoder("qwen3", "Qwen3ForSequenceClassification", "Qwen3ForCausalLM"),
    decoder("gemma", "GemmaForSequenceClassification", "GemmaForCausalLM"),
    decoder("gemma2", "Gemma2ForSequenceClassification", "Gemma2ForCausalLM"),
    decoder("gemma3_text", "Gemma3TextForSequenceClassification", "Gemma3ForCausalLM"),
    decoder("phi3", "Phi3ForSequenceClassification", "Phi3ForCausalLM"),
    Family {
        prefix: "transformer.",
        embeddings: "transformer.wte.weight",
        ..decoder("gpt2", "GPT2ForSequenceClassification", "GPT2LMHeadModel")
    },
    encoder("bert", "bert.", "bert.embeddings.word_embeddings.weight", "BertForSequenceClassification", &BERT),
    encoder(
        "roberta",
        "roberta.",
        "roberta.embeddings.word_embeddings.weight",
        "RobertaForSequenceClassification",
        &ROBERTA,
    ),
    encoder(
        "distilbert",
        "distilbert.",
        "distilbert.embeddings.word_embeddings.weight",
        "DistilBertForSequenceClassification",
        &DISTILBERT,
    ),
];

/// The family that config.json names.
pub(in crate::run) fn family(config: &serde_json::Value) -> Option<&'static Family> {
    let model_type = config.get("model_type")?.as_str()?;
    FAMILIES.iter().find(|family| family.model_type == model_type)
}

/// The parameters of the classification head that has these, in the order in which an adapter lists them; none where no head
/// is made of them.
#[must_use]
pub fn head_parts(names: &[&str]) -> Option<&'static [HeadPart]> {
    let fits = |kind: &&&HeadKind| kind.parts.iter().map(|part| part.parameter).eq(names.iter().copied());
    HEADS.iter().find(fits).map(|kind| kind.parts)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn embeddings_lie_below_the_prefix_and_heads_do_not() {
        for family in &FAMILIES {
            assert!(family.embeddings.starts_with(family.prefix));
            assert!(family.head.parts.iter().all(|part| !part.parameter.starts_with(family.prefix)));
            let names: Vec<_> = family.head.parts.iter().map(|part| part.parameter).collect();
            assert_eq!(head_parts(&names), Some(family.head.parts));
        }
    }
}
