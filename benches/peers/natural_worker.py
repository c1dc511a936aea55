"""One Python contestant of natural.py: a classifier on rows of natural lengths, an epoch when asked."""

import argparse
import json
import random
import time
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from pipes import serve

SEED = 10605
RATE = 2e-3
BETAS = (0.9, 0.99)
WINDOW = 50
TARGETS = ("attention.self.value.weight", "attention.output.dense.weight")


class PeftSparta:
    """peft-sparta's wrapper around an encoder, which its trainer does not know; the head is sampled like the rest."""

    def __init__(self, model, sparsity):
        from peft_sparta import SpaRTA

        names = [name for name, _ in model.named_parameters()]
        frozen = [name for name in names if not (is_target(name) or name == "classifier.weight")]
        self.model = SpaRTA(model, sparsity=sparsity, frozen_modules=frozen)
        self.model.train()
        self.trainable = self.model.num_trainable_parameters(printout=False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, betas=BETAS, weight_decay=0.0)

    def step(self, batch):
        loss = self.model(**batch).loss
        loss.item()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


class DenseThenGather:
    """SpaRTA as one would write it in PyTorch: dense gradients of the target weights only, of which few are kept."""

    def __init__(self, model, sparsity):
        self.model = model.train()
        head = list(model.classifier.parameters())
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(is_target(name) or name.startswith("classifier."))
        self.weights = [parameter for name, parameter in model.named_parameters() if is_target(name)]
        budget = (1 - sparsity) * model.num_parameters() - sum(p.numel() for p in head)
        density = budget / sum(weight.numel() for weight in self.weights)
        self.indices = [torch.randperm(w.numel())[: round(density * w.numel())].sort().values for w in self.weights]
        self.kept = [w.detach().view(-1)[at].clone() for w, at in zip(self.weights, self.indices)]
        self.deltas = [torch.zeros_like(kept, requires_grad=True) for kept in self.kept]
        self.trainable = sum(p.numel() for p in self.deltas + head)
        self.optimizer = torch.optim.AdamW(self.deltas + head, lr=RATE, betas=BETAS, weight_decay=0.0, fused=True)

    def step(self, batch):
        loss = self.model(**batch).loss
        loss.item()
        self.model.zero_grad()
        loss.backward()
        for delta, weight, at in zip(self.deltas, self.weights, self.indices):
            delta.grad = weight.grad.view(-1)[at]
        self.optimizer.step()
        with torch.no_grad():
            for kept, delta, weight, at in zip(self.kept, self.deltas, self.weights, self.indices):
                weight.view(-1)[at] = kept + delta


def is_target(name):
    return name.endswith(TARGETS)


PEERS = {"peft-sparta": PeftSparta, "pytorch": DenseThenGather}


class Contestant:
    def __init__(self, options):
        torch.manual_seed(SEED)
        self.options = options
        rows = [json.loads(line) for line in options.rows.read_text().splitlines()]
        labels = sorted({row["label"] for row in rows})
        self.labels = [labels.index(row["label"]) for row in rows]
        self.tokenizer = AutoTokenizer.from_pretrained(options.model)
        texts = [row["text"] for row in rows]
        self.tokens = self.tokenizer(texts, truncation=True, max_length=options.max_length)["input_ids"]
        # Ours has no dropout in the model either.
        kept = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        model = AutoModelForSequenceClassification.from_pretrained(
            options.model, num_labels=len(labels), dtype=torch.float32, **kept
        )
        self.peer = PEERS[options.peer](model, options.sparsity)

    def warm_up(self):
        for rows in self.batches(seed=0)[:3]:
            self.peer.step(self.collate(rows))
        return {"trainable": self.peer.trainable, "tokens": sum(map(len, self.tokens))}

    def handle(self, request):
        """An epoch: what each step took and how many rows it had."""
        return {"steps": [self.timed(rows) for rows in self.batches(request["seed"])]}

    def timed(self, rows):
        started = time.perf_counter()
        self.peer.step(self.collate(rows))
        return {"seconds": time.perf_counter() - started, "examples": len(rows)}

    def batches(self, seed):
        """Shuffled as a data loader does, or, if asked, sorted by length within windows of 50 batches, as ours are."""
        order = list(range(len(self.tokens)))
        draw = random.Random(seed)
        draw.shuffle(order)
        size = self.options.batch
        if self.options.grouped:
            windows = [order[at : at + WINDOW * size] for at in range(0, len(order), WINDOW * size)]
            order = [row for window in windows for row in sorted(window, key=lambda row: len(self.tokens[row]))]
        batches = [order[at : at + size] for at in range(0, len(order), size)]
        if self.options.grouped:
            draw.shuffle(batches)
        return batches

    def collate(self, rows):
        """Filled up to the longest row, as peft-sparta's collator does."""
        batch = self.tokenizer.pad([{"input_ids": self.tokens[row]} for row in rows], return_tensors="pt")
        return {**batch, "labels": torch.tensor([self.labels[row] for row in rows])}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--sparsity", type=float, default=0.99)
    parser.add_argument("--grouped", action="store_true")
    options = parser.parse_args()

    def start():
        contestant = Contestant(options)
        return contestant.warm_up(), contestant.handle

    serve(start)


if __name__ == "__main__":
    main()
