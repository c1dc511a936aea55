"""The batches that all curves share, and the ways to pad them."""

import random

import torch

from curves.small_models import END, FIRST_WORD, LABELS, PAD, START, VOCABULARY

STEPS = 50


def row(generator, label):
    """Words that step by the label's own stride, most of the time, so that both tasks have something to learn."""
    tokens = [START]
    word = generator.randrange(VOCABULARY - FIRST_WORD)
    for _ in range(generator.randint(3, 12)):
        tokens.append(FIRST_WORD + word)
        follows = generator.random() < 0.7
        word = (word + 3 * label + 1) % (VOCABULARY - FIRST_WORD) if follows \
            else generator.randrange(VOCABULARY - FIRST_WORD)
    return tokens + [END]


def targets(generator, length, whole_text):
    """1 where the token is to be predicted; the first token never is, nothing comes before it."""
    prompt = 1 if whole_text else generator.randint(1, length - 1)
    return [0] * prompt + [1] * (length - prompt)


def make_batches():
    generator = random.Random(20)
    made = []
    for step in range(STEPS):
        labels = [generator.randrange(len(LABELS)) for _ in range(generator.randint(4, 6))]
        rows = [row(generator, label) for label in labels]
        masks = [targets(generator, len(tokens), step % 3 == 0) for tokens in rows]
        longest = max(map(len, rows))
        made.append(dict(lengths=[len(tokens) for tokens in rows], labels=labels,
                         input_ids=[padded(tokens, longest) for tokens in rows],
                         targets=[padded(mask, longest) for mask in masks]))
    return made


def padded(values, length):
    return values + [PAD] * (length - len(values))


def examples(batch, causal):
    """The rows as a data set of the reference holds them: no padding, -100 where nothing is to be predicted."""
    for tokens, mask, label, length in zip(batch["input_ids"], batch["targets"], batch["labels"], batch["lengths"]):
        tokens, mask = tokens[:length], mask[:length]
        labels = [token if wanted else -100 for token, wanted in zip(tokens, mask)] if causal else label
        yield {"input_ids": tokens, "labels": labels}


def right_padded(batch, causal):
    tokens = torch.tensor(batch["input_ids"])
    attended = torch.arange(tokens.shape[1]) < torch.tensor(batch["lengths"])[:, None]
    labels = tokens.masked_fill(torch.tensor(batch["targets"]) == 0, -100) if causal else torch.tensor(batch["labels"])
    return {"input_ids": tokens, "attention_mask": attended.long(), "labels": labels}
