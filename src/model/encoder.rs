//! The BERT encoder (Devlin et al., 2019) with a classification head, as transformers'
//! `BertForSequenceClassification` computes it, without dropout.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::{Activation, Config, Tape, Weights, parse_device, parse_dtype};
use crate::error::Result;
use crate::permutation::{derive_key, mix};

/// One weight that a method may adapt.
#[derive(Debug)]
pub struct Site {
    /// Name in the model, such as `bert.encoder.layer.0.attention.self.value.weight`.
    pub name: String,
    /// Its group, such as `value`.
    pub group: &'static str,
    /// Its block.
    pub layer: usize,
    /// `[out, in]`; shares its memory with the layer that uses it.
    pub weight: Tensor,
}

/// Groups of an encoder in the order of its blocks: name in the checkpoint, name in decoder models.
const GROUPS: [(&str, &str); 6] = [
    ("query", "q_proj"),
    ("key", "k_proj"),
    ("value", "v_proj"),
    ("attention.output", "o_proj"),
    ("intermediate", "up_proj"),
    ("output", "down_proj"),
];

/// Right-padded rows.
#[derive(Debug)]
pub struct Batch {
    /// Token ids, `[rows, width]`, `i64`.
    pub ids: Tensor,
    /// Whether a position is a token, `[rows, 1, 1, width]`, boolean; none where no row is padded.
    pub mask: Option<Tensor>,
    /// Token types, as `ids`; none where all are 0.
    pub token_types: Option<Tensor>,
}

impl Batch {
    /// From right-padded ids, row by row, and the length of each row.
    #[must_use]
    pub fn new(ids: &[i64], lengths: &[usize], device: Device) -> Self {
        let rows = lengths.len();
        let width = ids.len() / rows.max(1);
        let shape = [rows.cast_signed() as i64, width.cast_signed() as i64];
        let mask = lengths.iter().any(|&length| length < width).then(|| {
            let mask: Vec<bool> = lengths.iter().flat_map(|&length| (0..width).map(move |at| at < length)).collect();
            Tensor::from_slice(&mask).view([shape[0], 1, 1, shape[1]]).to_device(device)
        });
        Self { ids: Tensor::from_slice(ids).view(shape).to_device(device), mask, token_types: None }
    }
}

/// `y = x W' + b`
#[derive(Debug)]
struct Linear {
    weight: Tensor,
    bias: Tensor,
    /// Position among the model's sites; none for the pooler.
    site: Option<usize>,
}

impl Linear {
    fn forward(&self, x: &Tensor, tape: &mut Tape) -> Tensor {
        let y = x.linear(&self.weight, Some(&self.bias));
        match self.site {
            Some(site) => tape.note(site, x, y),
            None => y,
        }
    }
}

#[derive(Debug)]
struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.epsilon, false)
    }
}

/// One block: attention and feed-forward layer, each followed by its norm (post-norm).
#[derive(Debug)]
struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    heads: i64,
    activation: Activation,
}

impl Block {
    fn forward(&self, x: &Tensor, mask: Option<&Tensor>, tape: &mut Tape) -> Tensor {
        let (rows, width, hidden) = x.size3().unwrap_or_default();
        let split = |x: Tensor| x.view([rows, width, self.heads, hidden / self.heads]).transpose(1, 2);
        let query = split(self.query.forward(x, tape));
        let key = split(self.key.forward(x, tape));
        let value = split(self.value.forward(x, tape));
        let context = Tensor::scaled_dot_product_attention(&query, &key, &value, mask, 0.0, false, None, false);
        let context = context.transpose(1, 2).reshape([rows, width, hidden]);
        let attended = self.attention_norm.forward(&(self.attention_output.forward(&context, tape) + x));
        let inner = self.intermediate.forward(&attended, tape);
        let inner = match self.activation {
            Activation::Gelu => inner.gelu("none"),
            Activation::GeluTanh => inner.gelu("tanh"),
            Activation::Relu => inner.relu(),
            Activation::Silu => inner.silu(),
        };
        self.output_norm.forward(&(self.output.forward(&inner, tape) + attended))
    }
}

/// The classification head, always in `f32`.
#[derive(Debug)]
pub struct Head {
    /// `[labels, hidden]`.
    pub weight: Tensor,
    /// `[labels]`.
    pub bias: Tensor,
}

impl Head {
    /// A head that has learned nothing: weights normal with standard deviation `0.02 * 3 / sqrt(hidden)`, as the
    /// reference draws them, bias zero. The same seed gives the same head on every device.
    #[must_use]
    pub fn random(labels: usize, hidden: i64, seed: u64, device: Device) -> Self {
        let key = derive_key(seed, "head", "");
        let labels = labels.cast_signed() as i64;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let uniform = |position: u64| (mix(key ^ mix(position)) >> 11) as f64 * 2_f64.powi(-53) + 2_f64.powi(-54);
        #[expect(clippy::cast_precision_loss, reason = "a width is far below 2^53")]
        let deviation = 0.02 * 3.0 / (hidden as f64).sqrt();
        // Box and Muller's transform of two uniform numbers.
        #[expect(clippy::cast_possible_truncation, reason = "to f32")]
        let values: Vec<f32> = (0..(labels * hidden).cast_unsigned())
            .map(|at| {
                let radius = (-2.0 * uniform(2 * at).ln()).sqrt();
                (deviation * radius * (std::f64::consts::TAU * uniform(2 * at + 1)).cos()) as f32
            })
            .collect();
        Self {
            weight: Tensor::from_slice(&values).view([labels, hidden]).to_device(device),
            bias: Tensor::zeros([labels], (Kind::Float, device)),
        }
    }

    /// Scalars.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        (self.weight.numel() + self.bias.numel()) as u64
    }
}

/// A BERT encoder.
#[derive(Debug)]
pub struct Encoder {
    /// What config.json says.
    pub config: Config,
    /// The weights that a method may adapt, block by block in the order of [`Encoder::groups`].
    pub sites: Vec<Site>,
    /// Type of the weights.
    pub kind: Kind,
    /// Where it runs.
    pub device: Device,
    /// Type of the weights in the files.
    stored: Option<Kind>,
    /// Every parameter without the head, by name; the tensors share their memory with the layers.
    pub parameters: Vec<(String, Tensor)>,
    word_embeddings: Tensor,
    position_embeddings: Tensor,
    token_type_embeddings: Tensor,
    embedding_norm: LayerNorm,
    blocks: Vec<Block>,
    pooler: Linear,
    head: Option<Head>,
    /// Keeps the mapped files alive; last, so that it is dropped after the tensors.
    weights: Weights,
}

impl Encoder {
    /// Loads the model of a folder. `dtype` and `device` are those of the recipe.
    ///
    /// # Errors
    /// Refuses a folder, a configuration, a file, a type or a device that will not do.
    pub fn load(folder: &Path, dtype: &str, device: &str) -> Result<Self> {
        let device = parse_device(device)?;
        let config = Config::load(folder)?;
        let weights = Weights::load(folder)?;
        let prefix = if weights.contains("bert.embeddings.word_embeddings.weight") { "bert." } else { "" };
        let stored = weights.stored_kind(&format!("{prefix}embeddings.word_embeddings.weight"));
        let kind = match parse_dtype(dtype)?.or(stored) {
            Some(kind @ (Kind::BFloat16 | Kind::Double)) => kind,
            _ => Kind::Float,
        };
        let mut loader = Loader { weights: &weights, prefix, kind, device, parameters: Vec::new(), sites: Vec::new() };
        let hidden = config.hidden_size;
        let norm = config.layer_norm_eps;
        let word_embeddings = loader.tensor("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        let position_embeddings =
            loader.tensor("embeddings.position_embeddings.weight", &[config.max_positions, hidden])?;
        let token_type_embeddings =
            loader.tensor("embeddings.token_type_embeddings.weight", &[config.token_types, hidden])?;
        let embedding_norm = loader.norm("embeddings.LayerNorm", hidden, norm)?;
        let blocks = (0..config.layers).map(|layer| loader.block(layer, &config)).collect::<Result<Vec<_>>>()?;
        let pooler = Linear {
            weight: loader.tensor("pooler.dense.weight", &[hidden, hidden])?,
            bias: loader.tensor("pooler.dense.bias", &[hidden])?,
            site: None,
        };
        let head = loader.head(&config)?;
        let Loader { parameters, sites, .. } = loader;
        Ok(Self {
            config,
            sites,
            kind,
            device,
            stored,
            parameters,
            word_embeddings,
            position_embeddings,
            token_type_embeddings,
            embedding_norm,
            blocks,
            pooler,
            head,
            weights,
        })
    }

    /// Names of the groups, in the order of a block.
    #[must_use]
    pub fn groups(&self) -> Vec<&'static str> {
        GROUPS.iter().map(|(name, _)| *name).collect()
    }

    /// The own name of each group by every name that a recipe may use for it: its own, and that of the same role in
    /// decoder models.
    #[must_use]
    pub fn group_names(&self) -> BTreeMap<String, String> {
        GROUPS.iter().flat_map(|(own, other)| [*own, *other].map(|name| (name.to_owned(), (*own).to_owned()))).collect()
    }

    /// Blocks.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.blocks.len()
    }

    /// Scalars without the head.
    #[must_use]
    pub fn base_parameters(&self) -> u64 {
        self.parameters.iter().map(|(_, tensor)| tensor.numel() as u64).sum()
    }

    /// Files that the weights lie in.
    #[must_use]
    pub fn files(&self) -> &[std::path::PathBuf] {
        self.weights.files()
    }

    /// Whether the weights in use are the mapped files themselves.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.device == Device::Cpu && self.stored == Some(self.kind)
    }

    /// The classification head that is stored with the model, if there is one.
    pub fn take_head(&mut self) -> Option<Head> {
        self.head.take()
    }

    /// Input of the first block, `[rows, width, hidden]`.
    pub fn embed(&self, batch: &Batch) -> Tensor {
        let width = batch.ids.size()[1];
        let words = Tensor::embedding(&self.word_embeddings, &batch.ids, -1, false, false);
        let positions = self.position_embeddings.narrow(0, 0, width);
        let types = match &batch.token_types {
            Some(types) => Tensor::embedding(&self.token_type_embeddings, types, -1, false, false),
            None => self.token_type_embeddings.get(0),
        };
        self.embedding_norm.forward(&(words + types + positions))
    }

    /// One block: `[rows, width, hidden]` to the same shape.
    pub fn block(&self, layer: usize, x: &Tensor, batch: &Batch, tape: &mut Tape) -> Tensor {
        self.blocks[layer].forward(x, batch.mask.as_ref(), tape)
    }

    /// Logits, `[rows, labels]`, in the head's type, from the last block's output: the pooler on position 0, then the
    /// head.
    pub fn classify(&self, x: &Tensor, head: &Head) -> Tensor {
        let pooled = self.pooler.forward(&x.select(1, 0), &mut Tape::idle()).tanh();
        pooled.to_kind(head.weight.kind()).linear(&head.weight, Some(&head.bias))
    }

    /// The whole forward pass without gradients: logits, `[rows, labels]`, `f32`.
    pub fn logits(&self, batch: &Batch, head: &Head) -> Tensor {
        tch::no_grad(|| {
            let x =
                (0..self.layers()).fold(self.embed(batch), |x, layer| self.block(layer, &x, batch, &mut Tape::idle()));
            self.classify(&x, head)
        })
    }
}

/// Takes a model's tensors and notes each parameter and site.
struct Loader<'a> {
    weights: &'a Weights,
    prefix: &'a str,
    kind: Kind,
    device: Device,
    parameters: Vec<(String, Tensor)>,
    sites: Vec<Site>,
}

impl Loader<'_> {
    fn tensor(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let stored = self.stored_name(name);
        let tensor = self.weights.get(&stored, shape, Some(self.kind), self.device)?;
        self.parameters.push((format!("bert.{name}"), tensor.shallow_clone()));
        Ok(tensor)
    }

    /// The name in the checkpoint. The oldest checkpoints call a norm's weight and bias gamma and beta.
    fn stored_name(&self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix);
        let old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        if self.weights.contains(&name) || !self.weights.contains(&old) { name } else { old }
    }

    fn norm(&mut self, name: &str, hidden: i64, epsilon: f64) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: self.tensor(&format!("{name}.weight"), &[hidden])?,
            bias: self.tensor(&format!("{name}.bias"), &[hidden])?,
            epsilon,
        })
    }

    fn site(&mut self, layer: usize, group: usize, name: &str, [out, input]: [i64; 2]) -> Result<Linear> {
        let name = format!("encoder.layer.{layer}.{name}");
        let weight = self.tensor(&format!("{name}.weight"), &[out, input])?;
        let bias = self.tensor(&format!("{name}.bias"), &[out])?;
        let site = self.sites.len();
        self.sites.push(Site {
            name: format!("bert.{name}.weight"),
            group: GROUPS[group].0,
            layer,
            weight: weight.shallow_clone(),
        });
        Ok(Linear { weight, bias, site: Some(site) })
    }

    fn block(&mut self, layer: usize, config: &Config) -> Result<Block> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let square = [hidden, hidden];
        let norm = |name: &str| format!("encoder.layer.{layer}.{name}.LayerNorm");
        Ok(Block {
            query: self.site(layer, 0, "attention.self.query", square)?,
            key: self.site(layer, 1, "attention.self.key", square)?,
            value: self.site(layer, 2, "attention.self.value", square)?,
            attention_output: self.site(layer, 3, "attention.output.dense", square)?,
            attention_norm: self.norm(&norm("attention.output"), hidden, config.layer_norm_eps)?,
            intermediate: self.site(layer, 4, "intermediate.dense", [inner, hidden])?,
            output: self.site(layer, 5, "output.dense", [hidden, inner])?,
            output_norm: self.norm(&norm("output"), hidden, config.layer_norm_eps)?,
            heads: config.heads,
            activation: config.activation,
        })
    }

    fn head(&self, config: &Config) -> Result<Option<Head>> {
        let (Some(labels), true) = (&config.labels, self.weights.contains("classifier.weight")) else {
            return Ok(None);
        };
        let labels = labels.len().cast_signed() as i64;
        let tensor = |name: &str, shape: &[i64]| self.weights.get(name, shape, Some(Kind::Float), self.device);
        Ok(Some(Head {
            weight: tensor("classifier.weight", &[labels, config.hidden_size])?,
            bias: tensor("classifier.bias", &[labels])?,
        }))
    }
}
