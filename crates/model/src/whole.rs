//! The model: one interface to all families.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::config::Architecture;
use super::decoder::{self, Decoder};
use super::encoder::Encoder;
use super::loader::{Loader, Source};
use super::{
    Batch, Cache, Config, Head, HeadKind, LargePages, Remark, Slot, Tape, Weights, parse_device, parse_dtype,
    stored_head, tie, unread,
};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::TaskKind;

/// One weight that a method may adapt.
#[derive(Debug)]
pub struct Site {
    /// Parameter name in the transformers class, such as `model.layers.0.self_attn.v_proj.weight`.
    pub name: String,
    /// Its group, such as `v_proj`.
    pub group: &'static str,
    /// Index of its block.
    pub layer: usize,
    /// `[out, in]`, or `[in, out]` where transposed; shares its memory with the layer that uses it.
    pub weight: Tensor,
    /// Whether the weight is stored as GPT-2's `Conv1D` does.
    pub transposed: bool,
    /// The slot for a method's overlay on the layer.
    pub overlay: Slot,
}

/// One parameter of the model, sites among them.
#[derive(Debug)]
pub struct Parameter {
    /// Name in the transformers class for the task.
    pub name: String,
    /// Name in the checkpoint.
    pub stored: String,
    /// Shares its memory with the layer that uses it.
    pub tensor: Tensor,
    /// The stage of the forward pass that uses it; a tied word embedding is used in the last stage too.
    pub stage: Stage,
}

/// Parts of the forward pass, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the first block.
    Embedding,
    /// A block.
    Block(usize),
    /// After the last block.
    Output,
}

impl Stage {
    /// Its place in the forward pass: a later stage has a larger number.
    #[must_use]
    pub fn order(self) -> usize {
        match self {
            Self::Embedding => 0,
            Self::Block(layer) => 1 + layer,
            Self::Output => usize::MAX,
        }
    }

    pub(super) fn layer(self) -> usize {
        if let Self::Block(layer) = self { layer } else { 0 }
    }
}

/// Options of [`Model::open`].
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// The folder, in Hugging Face layout.
    pub folder: &'a Path,
    /// Dtype of the weights, as in a recipe.
    pub dtype: &'a str,
    /// Device, as in a recipe.
    pub device: &'a str,
    /// The task.
    pub task: TaskKind,
    /// Initialize random weights with this seed instead of reading files.
    pub fresh: Option<u64>,
    /// Rows that are added to the embeddings.
    pub added: AddedRows,
}

/// Rows for new tokens, which are added to the word embeddings and to an untied language-model head. They are drawn
/// from a normal distribution with config.json's `initializer_range`, as peft-sparta does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddedRows {
    /// Number of rows.
    pub count: u32,
    /// Seed of their values.
    pub seed: u64,
}

/// A token that a recipe or an adapter adds to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its text, such as `<sep>`.
    pub text: String,
    /// Its number.
    pub id: i64,
}

#[derive(Debug)]
pub(super) enum Body {
    Encoder(Encoder),
    Decoder(Decoder),
}

/// Values of a batch that all blocks share, such as attention masks; from [`Model::prepare`].
#[derive(Debug)]
pub struct Pass(Inner);

#[derive(Debug)]
enum Inner {
    Encoder(Option<Tensor>),
    Decoder(decoder::Pass),
}

/// A model.
#[derive(Debug)]
pub struct Model {
    /// The configuration.
    pub config: Config,
    /// The task.
    pub task: TaskKind,
    /// The weights that a method may adapt, block by block.
    pub sites: Vec<Site>,
    /// Layers that no method here adapts, but that an adapter of PEFT may: BERT's pooler.
    pub others: Vec<Site>,
    /// Every parameter without the classification head.
    pub parameters: Vec<Parameter>,
    /// Remarks about its files.
    pub remarks: Vec<Remark>,
    /// The tokens that were added to the model's own; set by those who know the tokenizer.
    pub new_tokens: Vec<NewToken>,
    /// The token with each of the texts that recipes name; set by those who know the tokenizer.
    pub token_ids: BTreeMap<String, i64>,
    /// Rows that were added to the embeddings.
    pub added: AddedRows,
    /// Dtype of the weights.
    pub kind: Kind,
    /// Device of the weights.
    pub device: Device,
    /// Dtype of the weights in the files.
    stored: Option<Kind>,
    pub(super) body: Body,
    head: Option<Head>,
    /// Keeps the mapped files alive; last, so that it is dropped after the tensors.
    pub(super) weights: Option<Weights>,
    /// Memory of the sites that were moved into large pages; dropped after the tensors too.
    pub(super) large_pages: Option<LargePages>,
}

impl Model {
    /// Opens the model of a folder.
    ///
    /// # Errors
    /// Refuses an invalid folder, configuration, file, dtype or device.
    pub fn open(open: &Open<'_>) -> Result<Self> {
        Self::with_weights(open, true)
    }

    /// As [`Model::open`], with parameters that have a shape and no memory: for counts and memory forecasts.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn outline(open: &Open<'_>) -> Result<Self> {
        Self::with_weights(open, false)
    }

    fn with_weights(open: &Open<'_>, wanted: bool) -> Result<Self> {
        let device = parse_device(open.device)?;
        let mut config = Config::load(open.folder)?;
        config.add_rows(open.added.count);
        if open.task == TaskKind::CausalLm && !config.family.is_decoder() {
            return Err(Error::refused(format!(
                "{}: {} is an encoder and writes no text; take task.kind = \"sequence-classification\", or a decoder",
                open.folder.display(),
                config.family.name
            )));
        }
        if open.task == TaskKind::SequenceClassification && config.family.classifier.is_none() {
            return Err(Error::refused(format!(
                "{}: transformers has no classifier of the family {}; take task.kind = \"causal-lm\", or another model",
                open.folder.display(),
                config.family.name
            )));
        }
        let weights = if open.fresh.is_some() { None } else { Some(Weights::load(open.folder, config.family)?) };
        let prefix = config.family.prefix;
        let mut remarks = Vec::new();
        if let Some(weights) = &weights {
            // A classifier has no language-model head; where its head is initialized from one, `language_rows` reads
            // the files.
            let apart =
                (open.task == TaskKind::CausalLm).then(|| tie::untie_if_different(weights, prefix, &mut config));
            remarks.extend(apart.flatten().map(Remark::warning));
            remarks.extend(stored_head::detect_missing_pooler(weights, prefix, &mut config).map(Remark::warning));
        }
        let stored = weights.as_ref().and_then(|weights| {
            tie::stored_words(weights, prefix, &config).and_then(|name| weights.stored_kind(&name))
        });
        let kind = kind(parse_dtype(open.dtype)?, stored, device)?;
        let source = match (&weights, open.fresh) {
            _ if !wanted => Source::Shapes,
            (Some(weights), _) => Source::Files(weights),
            (None, seed) => Source::Random { seed: seed.unwrap_or(0) },
        };
        let mut loader = Loader {
            config: &config,
            source,
            prefix,
            kind,
            device,
            parameters: Vec::new(),
            sites: Vec::new(),
            others: Vec::new(),
            stage: Stage::Embedding,
            added: open.added,
        };
        let body = match &config.architecture {
            Architecture::Encoder(encoder) => Body::Encoder(Encoder::load(&mut loader, encoder)?),
            Architecture::Decoder(decoder) => Body::Decoder(Decoder::load(&mut loader, decoder, open.task)?),
        };
        let Loader { parameters, sites, others, .. } = loader;
        let head =
            weights.as_ref().map_or(Ok(None), |weights| stored_head::read(weights, &config, open.task, device))?;
        let of_head = head.as_ref().map_or(&[][..], |head| head.kind.names());
        let unread = |weights| unread::remark(weights, &config, open.task, &parameters, of_head);
        remarks.extend(weights.as_ref().and_then(unread));
        Ok(Self {
            task: open.task,
            sites,
            others,
            parameters,
            remarks,
            new_tokens: Vec::new(),
            token_ids: BTreeMap::new(),
            added: open.added,
            kind,
            device,
            stored,
            body,
            head,
            weights,
            large_pages: None,
            config,
        })
    }

    /// Opens the model of a folder with this dtype, on this device, for a task; for tests and tools.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn load(folder: &Path, dtype: &str, device: &str, task: TaskKind) -> Result<Self> {
        Self::open(&Open { folder, dtype, device, task, fresh: None, added: AddedRows::default() })
    }

    /// Names of the groups, in the order of a block.
    #[must_use]
    pub fn groups(&self) -> Vec<&'static str> {
        self.config.family.groups.iter().map(|(own, _)| *own).collect()
    }

    /// The model's own name of each group, by every name that a recipe may use for it: its own, and those of the same
    /// role in other families.
    #[must_use]
    pub fn group_names(&self) -> BTreeMap<String, String> {
        let names = self.config.family.groups.iter().flat_map(|(own, others)| {
            std::iter::once(own).chain(*others).map(|name| ((*name).to_owned(), (*own).to_owned()))
        });
        names.collect()
    }

    /// Number of blocks.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.config.layers
    }

    /// Number of scalars without the classification head.
    #[must_use]
    pub fn base_parameters(&self) -> u64 {
        self.parameters.iter().map(|parameter| parameter.tensor.numel() as u64).sum()
    }

    /// The files of weights.
    #[must_use]
    pub fn files(&self) -> &[std::path::PathBuf] {
        self.weights.as_ref().map_or(&[], Weights::files)
    }

    /// Whether the weights in use are the mapped files themselves.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.device == Device::Cpu && self.stored == Some(self.kind)
    }

    /// The kind of this model's classification head.
    #[must_use]
    pub fn head_kind(&self) -> HeadKind {
        stored_head::kind(&self.config, self.task)
    }

    /// A copy of the classification head that is stored with the model, if there is one.
    pub fn stored_head(&self) -> Option<Head> {
        self.head.as_ref().map(Head::copy)
    }

    /// Whether a classification head is stored with the model.
    #[must_use]
    pub fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// Rows of the token-type embeddings; 0 where there are none.
    #[must_use]
    pub fn token_types(&self) -> i64 {
        match &self.body {
            Body::Encoder(encoder) => encoder.token_types(),
            Body::Decoder(_) => 0,
        }
    }

    /// The weight of the language-model head, `[vocab_size, hidden]`: its own, or the word embeddings where they are
    /// tied; none for an encoder. A classifier has no language-model head in memory: it is read from the files.
    ///
    /// # Errors
    /// Refuses files that do not hold it.
    pub fn language_rows(&self) -> Result<Option<Tensor>> {
        let Body::Decoder(decoder) = &self.body else { return Ok(None) };
        let Architecture::Decoder(config) = &self.config.architecture else { return Ok(None) };
        match (decoder.language_head(), &self.weights) {
            (Some(head), _) => Ok(Some(head.shallow_clone())),
            (None, Some(weights))
                if !config.tied || tie::contradicts_config(weights, self.config.family.prefix, &self.config) =>
            {
                // Only rows of the model's own tokens are asked for.
                let shape = [self.config.vocab_size - i64::from(self.added.count), self.config.hidden_size];
                weights.get(tie::LM_HEAD, &shape, Some(self.kind), self.device).map(Some)
            }
            _ => Ok(Some(decoder.word_embeddings().shallow_clone())),
        }
    }

    /// Index among the parameters of the word embeddings.
    #[must_use]
    pub fn words_parameter(&self) -> Option<usize> {
        let words = self.config.family.words;
        self.parameters
            .iter()
            .position(|parameter| parameter.stage == Stage::Embedding && parameter.name.strip_suffix(words).is_some())
    }

    /// Index among the parameters of the language-model head's weight, or of the word embeddings where they are tied.
    #[must_use]
    pub fn language_parameter(&self) -> Option<usize> {
        let Body::Decoder(decoder) = &self.body else { return None };
        let head = decoder.language_head()?;
        self.parameters.iter().position(|parameter| parameter.tensor.data_ptr() == head.data_ptr())
    }

    /// Index among the parameters of the language-model head's bias, if it has one.
    #[must_use]
    pub fn language_bias_parameter(&self) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.name == tie::LM_HEAD_BIAS)
    }

    /// The values of a batch that all blocks share.
    #[must_use]
    pub fn prepare(&self, batch: &Batch) -> Pass {
        Pass(match &self.body {
            Body::Encoder(_) => Inner::Encoder(batch.mask()),
            Body::Decoder(decoder) => Inner::Decoder(decoder.prepare(batch, 0, self.kind)),
        })
    }

    /// Input of the first block, `[rows, width, hidden]`.
    pub fn embed(&self, batch: &Batch) -> Tensor {
        match &self.body {
            Body::Encoder(encoder) => encoder.embed(batch),
            Body::Decoder(decoder) => decoder.embed(batch, 0),
        }
    }

    /// The output of one block, `[rows, width, hidden]`; of a classifier's last block `[rows, 1, hidden]`, since the
    /// head reads one token.
    pub fn block(&self, layer: usize, x: &Tensor, pass: &Pass, tape: &mut Tape) -> Tensor {
        match (&self.body, &pass.0) {
            (Body::Encoder(encoder), Inner::Encoder(mask)) => encoder.block(layer, x, mask.as_ref(), tape),
            (Body::Decoder(decoder), Inner::Decoder(pass)) => decoder.block(layer, x, pass, tape),
            _ => unreachable!("a pass is used with the model that prepared it"),
        }
    }

    /// The input of a classification head, `[rows, hidden]`, from the last block's output.
    pub fn pool(&self, x: &Tensor, batch: &Batch) -> Tensor {
        match &self.body {
            Body::Encoder(encoder) => encoder.pool(x),
            Body::Decoder(decoder) => decoder.pool(x, batch),
        }
    }

    /// The input of a language-model head, in the shape of `x`: the last block's output, or some positions of it, after
    /// the final norm.
    pub fn finish(&self, x: &Tensor) -> Tensor {
        match &self.body {
            Body::Encoder(_) => x.shallow_clone(),
            Body::Decoder(decoder) => decoder.finish(x),
        }
    }

    /// Logits of the next token, `[.., vocab_size]`, `f32`, from the output of [`Model::finish`].
    pub fn vocabulary(&self, x: &Tensor) -> Tensor {
        match &self.body {
            Body::Encoder(_) => x.shallow_clone(),
            Body::Decoder(decoder) => decoder.vocabulary(x),
        }
    }

    /// The weight of the language-model head, `[vocab_size, hidden]`, on the CPU, if the logits are its plain product
    /// with the output of [`Model::finish`]; else none.
    #[must_use]
    pub fn product_rows(&self) -> Option<&Tensor> {
        match &self.body {
            Body::Encoder(_) => None,
            Body::Decoder(decoder) => decoder.product_rows(),
        }
    }

    /// The last block's output without gradients; see [`Model::block`].
    pub fn hidden(&self, batch: &Batch) -> Tensor {
        let pass = self.prepare(batch);
        tch::no_grad(|| {
            (0..self.layers()).fold(self.embed(batch), |x, layer| self.block(layer, &x, &pass, &mut Tape::idle()))
        })
    }

    /// A classifier's whole forward pass without gradients: logits, `[rows, labels]`, `f32`.
    pub fn logits(&self, batch: &Batch, head: &Head) -> Tensor {
        tch::no_grad(|| head.forward(&self.pool(&self.hidden(batch), batch)))
    }

    /// Logits of the token after these tokens, `[vocab_size]`. The tokens follow those in the cache: first the whole
    /// prompt, then one token at a time.
    pub(super) fn next_logits(&self, tokens: &[i64], from: i64, cache: &mut Cache) -> Option<Tensor> {
        let Body::Decoder(decoder) = &self.body else { return None };
        let batch = Batch::new(tokens, &[tokens.len()], self.device);
        tch::no_grad(|| {
            let pass = decoder.prepare(&batch, from, self.kind);
            let x = decoder.continued(decoder.embed(&batch, from), &pass, cache);
            Some(decoder.vocabulary(&decoder.pool(&x, &batch)).get(0))
        })
    }
}

/// The dtype to compute in. The CPU has no fast `float16` arithmetic: there `auto` means `f32` for weights stored so.
fn kind(requested: Option<Kind>, stored: Option<Kind>, device: Device) -> Result<Kind> {
    match requested.or(stored) {
        Some(kind @ (Kind::BFloat16 | Kind::Double)) => Ok(kind),
        Some(Kind::Half) if device.is_cuda() => Ok(Kind::Half),
        Some(Kind::Half) if requested.is_some() => Err(Error::refused(
            "model.dtype \"float16\" needs a CUDA device; take float32 or bfloat16, or model.device = \"cuda\"",
        )),
        _ => Ok(Kind::Float),
    }
}
