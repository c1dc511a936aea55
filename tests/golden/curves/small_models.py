"""The random models of curves/, small enough to keep, and their tokenizers."""

import math
import zlib

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, BertConfig, BertForSequenceClassification
from transformers import PreTrainedTokenizerFast

LABELS = ["yes", "no", "maybe"]
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
WORDS = LABELS + [f"word{number}" for number in range(57)]
VOCABULARY = 64
PAD, START, END, FIRST_WORD = 0, 1, 2, 4

IDS = dict(vocab_size=VOCABULARY, pad_token_id=PAD, bos_token_id=START, eos_token_id=END)
DECODER = dict(IDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
               intermediate_size=48, max_position_embeddings=64, attention_dropout=0.0)
CONFIGS = {
    "llama": dict(DECODER, model_type="llama", tie_word_embeddings=False),
    "gemma": dict(DECODER, model_type="gemma", head_dim=12, hidden_activation="gelu_pytorch_tanh",
                  tie_word_embeddings=True),
    "gemma2": dict(DECODER, model_type="gemma2", query_pre_attn_scalar=16, sliding_window=6,
                   attn_logit_softcapping=5.0, final_logit_softcapping=3.0, tie_word_embeddings=True),
    "gpt2": dict(IDS, model_type="gpt2", n_embd=32, n_layer=2, n_head=4, n_inner=48, n_positions=32,
                 resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0),
    "bert": dict(vocab_size=VOCABULARY, pad_token_id=PAD, model_type="bert", hidden_size=32, num_hidden_layers=2,
                 num_attention_heads=4, intermediate_size=48, max_position_embeddings=32, type_vocab_size=2,
                 hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
}


def random_weight(name, shape, family):
    """Nothing at its neutral value; activations of a size of about 1."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{family} {name}".encode()))
    value = torch.randn(*shape, generator=generator)
    module = name.split(".")[-2].lower()
    if name.endswith("bias"):
        return 0.1 * value
    if "norm" in module or module.startswith("ln_"):
        return 0.1 * value + (0.0 if family.startswith("gemma") else 1.0)
    if "embed" in module or module in ("wte", "wpe"):
        return 0.2 * value
    return value / math.sqrt(shape[0] if family == "gpt2" else shape[1])


def with_random_weights(model, family):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(random_weight(name, parameter.shape, family))
    return model


def label_names():
    return dict(id2label=dict(enumerate(LABELS)), label2id={name: index for index, name in enumerate(LABELS)})


def write_model(folder, family):
    config = AutoConfig.for_model(**CONFIGS[family])
    if family == "bert":
        model = BertForSequenceClassification(BertConfig(**config.to_dict() | label_names()))
    else:
        model = AutoModelForCausalLM.from_config(config)
    save(with_random_weights(model, family), word_tokenizer(), folder)


def save(model, tokenizer, folder, **options):
    model.to(torch.float32).save_pretrained(folder, **options)
    if tokenizer:
        tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    for file in folder.iterdir():
        file.chmod(0o644)


def word_tokenizer():
    entries = {word: index for index, word in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(entries, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return fast(tokenizer)


def fast(tokenizer):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
                                   unk_token="<unk>")


# --- Models of which only the head is taken ---------------------------------------------------------------------------

TRAINING_TEXT = ["positive or negative, yes or no; the answer is neutral", "positively negated: not neutral at all",
                 "yes, Yes, no, No, maybe: the positive one", "negative, negative, positive, neutral, neutral"]


def starting_with_bos(tokenizer):
    """What the tokenizer puts before a text must not be taken for the first token of a response."""
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", START)])
    return tokenizer


def byte_level_tokenizer():
    """As llama 3: no space before the first word."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return trained(tokenizer, 90)


def prefixed_tokenizer():
    """As llama 2: a mark of a space before the first word."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first"),
                                                       pre_tokenizers.Split(Regex("[,:;]"), "isolated")])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return trained(tokenizer, 74)


def trained(tokenizer, size):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    return fast(starting_with_bos(tokenizer))


HEADS = {
    "untied": dict(family="llama", tokenizer=byte_level_tokenizer, shard="4KB",
                   responses=[["yes", "no"], ["No", "Yes", "maybe"], [" positive", " negative", "neutral"]],
                   refused=[["no", "not"], ["yes", "yes"]]),
    "tied": dict(family="gemma", tokenizer=prefixed_tokenizer, shard="1GB",
                 responses=[["yes", "no"], ["positive", "negative", "neutral"], ["negated", "all", "maybe"],
                            [" yes", " no"]],
                 refused=[["all", "also"], ["yes", "yes"]]),
}


def write_head_model(folder, spec):
    tokenizer = spec["tokenizer"]()
    sizes = dict(vocab_size=len(tokenizer), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                 num_key_value_heads=1, head_dim=4, intermediate_size=8)
    config = AutoConfig.for_model(**CONFIGS[spec["family"]] | sizes)
    model = with_random_weights(AutoModelForCausalLM.from_config(config), spec["family"])
    save(model, tokenizer, folder, max_shard_size=spec["shard"])
