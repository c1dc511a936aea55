"""Drives peft-sparta's own classes: model loading, padding, SpaRTA, optimizer, schedule and training loop.

Only `SFT.__init__` is stepped around: it reads a data set and shuffles it, and here the batches are given. Mixed
precision is switched off, the trainer's own switch.
"""

from peft_sparta import SpaRTA
from peft_sparta.trainer.sft.data_processor import DataProcessor
from peft_sparta.trainer.sft.model_loader import load_classification_model, load_generative_model
from peft_sparta.trainer.sft.optim import build_lr_scheduler, build_optimizer
from peft_sparta.trainer.sft.sft import SFT, SFT_Config

import torch

from curves.batches import examples
from curves.small_models import LABELS


class Tokenized:
    """A data set whose rows are token ids already: the reference's preparation leaves it as it is."""

    column_names = ["text", "label"]

    def map(self, *_, **__):
        return self

    def remove_columns(self, _):
        return self

    def rename_column(self, *_):
        return self


class Batches(list):
    batch_size = 1  # the trainer asks, for the average that it prints


def collated(batches, tokenizer, causal):
    processor = DataProcessor(tokenizer, "CAUSAL_LM" if causal else "SEQ_CLS")
    prepare = processor.prepare_causal_lm if causal else processor.prepare_seq_cls
    _, collate = prepare(Tokenized())
    return Batches(dict(collate(list(examples(batch, causal)))) for batch in batches)


def load(folder, causal, head_init):
    """The head draws from torch's global generator: seed it first."""
    if causal:
        return load_generative_model(str(folder), dtype=torch.float32)
    words = LABELS if head_init == "from_pretrained" else None
    return load_classification_model(str(folder), len(LABELS), dict(enumerate(LABELS)), head_init, words,
                                     dtype=torch.float32)


def settings(curve, method):
    config = SFT_Config()
    config.update(num_epochs=1, amp=False, logging_freq=10**9, peft_method=method, lr=curve["learning_rate"],
                  lr_min=curve["min_learning_rate"], lr_scheduler_type=curve["schedule"],
                  warmup_steps=curve["warmup_steps"], weight_decay=curve["weight_decay"],
                  max_grad_norm=curve["max_grad_norm"])
    return config


def train(model, tokenizer, batches, curve, method):
    """The trainer's own loop over the given batches; its statistics."""
    trainer = SFT.__new__(SFT)
    trainer.config = settings(curve, method)
    trainer.model, trainer.tokenizer, trainer.device = model, tokenizer, torch.device("cpu")
    trainer.task = "CAUSAL_LM" if curve["task"] == "causal-lm" else "SEQ_CLS"
    trainer.train_dataloader = collated(batches, tokenizer, trainer.task == "CAUSAL_LM")
    trainer.val_dataloader = None
    trainer.optimizer = build_optimizer(model, trainer.config, trainer.task)
    trainer.lr_scheduler = build_lr_scheduler(trainer.optimizer, trainer.config, len(batches))
    trainer.stats = {"train_loss": [], "grad_norm": [], "lr": []}
    trainer.train()
    return trainer.stats, trainer.optimizer


def sparse(model, curve):
    return SpaRTA(model, sparsity=curve["sparsity"], frozen_modules=curve["frozen_modules"], dropout=0.0)
