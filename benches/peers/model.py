"""The model that everybody trains: a Llama shape with random weights, in Hugging Face layout."""

import argparse
from dataclasses import asdict, dataclass, fields
from pathlib import Path

SEED = 10605
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Shape:
    """The defaults make 58.5 million parameters: 25.7 in the blocks, 16.4 each in embedding and output."""

    hidden_size: int = 512
    intermediate_size: int = 1408
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    num_key_value_heads: int = 8
    vocab_size: int = 32000

    def __str__(self):
        return (
            f"Llama with random weights: hidden {self.hidden_size}, intermediate {self.intermediate_size}, "
            f"{self.num_hidden_layers} layers, {self.num_attention_heads} heads, "
            f"{self.num_key_value_heads} key and value heads, vocabulary {self.vocab_size}, untied"
        )


def add_shape_options(parser: argparse.ArgumentParser):
    for field in fields(Shape):
        parser.add_argument("--" + field.name.replace("_", "-"), type=int, default=field.default, metavar="N")


def shape_of(arguments):
    return Shape(**{field.name: getattr(arguments, field.name) for field in fields(Shape)})


def stem_of(shape: Shape):
    return "llama-" + "-".join(str(size) for size in asdict(shape).values())


def config_folder(shape: Shape, cache: Path):
    """A folder with config.json alone, for contestants that draw weights of their own."""
    folder = cache / f"{stem_of(shape)}-config"
    config_of(shape).save_pretrained(folder)
    return folder


def config_of(shape: Shape):
    from transformers import LlamaConfig

    return LlamaConfig(
        **asdict(shape), max_position_embeddings=2048, tie_word_embeddings=False, pad_token_id=0,
        architectures=["LlamaForCausalLM"],
    )  # fmt: skip


def folders(shape: Shape, cache: Path):
    """The model's folder by dtype; made where it is missing."""
    stem = stem_of(shape)
    found = {dtype: cache / f"{stem}-{dtype}" for dtype in DTYPES}
    if not all((folder / "tokenizer.json").exists() for folder in found.values()):
        _write(shape, found)
    return found


def _write(shape, found):
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(SEED)
    model = LlamaForCausalLM(config_of(shape))
    for dtype, folder in found.items():
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        _tokenizer(shape.vocab_size).save_pretrained(folder)


def _tokenizer(vocabulary):
    """Words t0, t1, … by number: batches are random ids, but a model folder has a tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {f"t{at}": at for at in range(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="t1"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="t1", pad_token="t0")
