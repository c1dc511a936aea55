"""Writes published.json: configurations of public checkpoints, by their published values, with their number of parameters.

    python tests/golden/make_published.py

The number is counted by transformers from the configuration, tensors without memory; for a decoder that of its language
model, for an encoder that of its classifier without the head. `published` is the number that we knew of the model's page;
it was written from memory, since no model hub can be reached where this was made. None: not known.
"""

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

ENCODERS = ("xlm-roberta", "camembert", "roberta")


def decoder(vocab, hidden, inner, layers, heads, kv=None, **more):
    config = dict(vocab_size=vocab, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers,
                  num_attention_heads=heads, tie_word_embeddings=False, max_position_embeddings=4096)
    return config | (dict(num_key_value_heads=kv) if kv else {}) | more


CHECKPOINTS = {
    "meta-llama/Llama-3.2-1B": (1235814400, "llama", decoder(
        128256, 2048, 8192, 16, 32, 8, head_dim=64, rope_theta=500000.0, tie_word_embeddings=True)),
    "mistralai/Mistral-7B-v0.3": (7248023552, "mistral", decoder(32768, 4096, 14336, 32, 32, 8, sliding_window=None)),
    "Qwen/Qwen2.5-0.5B": (494032768, "qwen2", decoder(151936, 896, 4864, 24, 14, 2, tie_word_embeddings=True)),
    "Qwen/Qwen3-0.6B": (596049920, "qwen3", decoder(
        151936, 1024, 3072, 28, 16, 8, head_dim=128, tie_word_embeddings=True)),
    "google/gemma-3-270m": (268098176, "gemma3_text", decoder(
        262144, 640, 2048, 18, 4, 1, head_dim=256, tie_word_embeddings=True)),
    "HuggingFaceTB/SmolLM3-3B": (3075098624, "smollm3", decoder(
        128256, 2048, 11008, 36, 16, 4, no_rope_layer_interval=4, tie_word_embeddings=True)),
    "allenai/OLMo-2-0425-1B": (1484916736, "olmo2", decoder(100352, 2048, 8192, 16, 16, 16, rope_theta=500000.0)),
    "allenai/Olmo-3-1025-7B": (7298011136, "olmo3", decoder(
        100278, 4096, 11008, 32, 32, 32, sliding_window=4096, rope_theta=500000.0)),
    "ibm-granite/granite-3.1-2b-instruct": (None, "granite", decoder(
        49155, 2048, 8192, 40, 32, 8, embedding_multiplier=12.0, residual_multiplier=0.22,
        attention_multiplier=0.015625, logits_scaling=8.0, tie_word_embeddings=True)),
    "arcee-ai/AFM-4.5B": (None, "arcee", decoder(128004, 2560, 18432, 36, 20, 4, head_dim=128, hidden_act="relu2")),
    "CohereLabs/c4ai-command-r-v01": (34980831232, "cohere", decoder(
        256000, 8192, 22528, 40, 64, 64, logit_scale=0.0625, tie_word_embeddings=True)),
    "CohereLabs/c4ai-command-r7b-12-2024": (None, "cohere2", decoder(
        256000, 4096, 14336, 32, 32, 8, logit_scale=0.25, sliding_window=4096, tie_word_embeddings=True)),
    "zai-org/glm-4-9b-chat-hf": (9399951360, "glm", decoder(
        151552, 4096, 13696, 40, 32, 2, head_dim=128, attention_bias=True)),
    "zai-org/GLM-4-9B-0414": (9400279040, "glm4", decoder(
        151552, 4096, 13696, 40, 32, 2, head_dim=128, attention_bias=True)),
    "microsoft/phi-2": (2779683840, "phi", decoder(51200, 2560, 10240, 32, 32, partial_rotary_factor=0.4)),
    "EleutherAI/pythia-410m": (405334016, "gpt_neox", decoder(
        50304, 1024, 4096, 24, 16, rotary_pct=0.25, use_parallel_residual=True)),
    "microsoft/Phi-3-mini-4k-instruct": (3821079552, "phi3", decoder(
        32064, 3072, 8192, 32, 32, 32, sliding_window=2047)),
    "FacebookAI/xlm-roberta-base": (None, "xlm-roberta", dict(
        vocab_size=250002, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        max_position_embeddings=514, type_vocab_size=1, pad_token_id=1)),
    "almanach/camembert-base": (None, "camembert", dict(
        vocab_size=32005, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        max_position_embeddings=514, type_vocab_size=1, pad_token_id=1)),
}


def main():
    rows = []
    for name, (published, kind, config) in CHECKPOINTS.items():
        auto = AutoModelForSequenceClassification if kind in ENCODERS else AutoModelForCausalLM
        with torch.device("meta"):
            model = auto.from_config(AutoConfig.for_model(kind, **config))
        count = sum(parameter.numel() for name, parameter in model.named_parameters()
                    if not name.startswith("classifier."))
        print(f"{name:40} {count:14} {'as published' if count == published else published}")
        rows.append(dict(name=name, config=dict(model_type=kind, **config), parameters=count, published=published))
    path = Path(__file__).with_name("published.json")
    path.write_text("[\n " + ",\n ".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
