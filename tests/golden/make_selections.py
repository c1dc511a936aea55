"""Makes the loss curves of curves/selections/ with plain PyTorch and explicit masks, without a line of spartui.

    python tests/golden/make_selections.py

Needs what make.py needs, and the models and batches of make_curves.py. Every weight, mask, moment and age is dense: what
trains is a mask of ones and zeros on the gradient. Seeded and computed on one thread: a second run on the same machine
writes the same bytes.
"""

import argparse
import json
import math
from pathlib import Path

from make import write_json, write_tensors  # also forbids the hub

import numpy
import torch
import transformers
from transformers import AutoModelForCausalLM

from curves.batches import right_padded

BETAS, EPSILON, DECAY, RATE = (0.9, 0.99), 1e-8, 0.5, 3e-3
SITES = ("v_proj.weight", "o_proj.weight")
EVERY, SHARE = 5, 0.3
# With half of the scalars training and this share, all that do not train are candidates.
KINDS = {"smallest": 0.05, "largest": 0.05, "gradient": 0.05, "dynamic": 0.5}


def float32s(values):
    return [float(str(numpy.float32(value))) for value in values]


def first(numbers, count):
    """The first by rising number, ties by position, as a mask."""
    mask = torch.zeros(numbers.numel(), dtype=torch.bool)
    mask[numbers.flatten().sort(stable=True).indices[:count]] = True
    return mask.view_as(numbers)


def chosen(kind, weights, gradients, count, generator):
    masks = {}
    for name, weight in weights.items():
        if kind == "dynamic":
            masks[name] = first(torch.rand(weight.shape, generator=generator), count[name])
        else:
            numbers = {"smallest": weight.abs(), "largest": -weight.abs(), "gradient": -gradients[name].abs()}[kind]
            masks[name] = first(numbers, count[name])
    return masks


def curve(folder, batches, kind):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.train()
    sites = {name: value for name, value in model.named_parameters() if name.endswith(SITES)}
    start = {name: value.detach().clone() for name, value in sites.items()}
    count = {name: round(KINDS[kind] * value.numel()) for name, value in sites.items()}

    def backward(batch):
        model.zero_grad()
        loss = model(**right_padded(batch, True), use_cache=False).loss
        loss.backward()
        return loss.item(), {name: value.grad.detach().clone() for name, value in sites.items()}

    masks = chosen(kind, start, backward(batches[0])[1], count, torch.Generator().manual_seed(7))
    tensors = {f"indices.{name}": mask.flatten().nonzero().flatten() for name, mask in masks.items()}
    zeros = lambda: {name: torch.zeros_like(value) for name, value in start.items()}
    delta, moment, square, age, window = zeros(), zeros(), zeros(), zeros(), zeros()
    losses, norms, replaced = [], [], []
    for step, batch in enumerate(batches, 1):
        loss, gradients = backward(batch)
        losses.append(loss)
        norms.append(math.sqrt(sum((gradients[name][masks[name]] ** 2).sum().item() for name in sites)))
        for name, value in sites.items():
            mask, gradient = masks[name], gradients[name]
            moment[name][mask] += (1 - BETAS[0]) * (gradient[mask] - moment[name][mask])
            square[name][mask] += (1 - BETAS[1]) * (gradient[mask] ** 2 - square[name][mask])
            age[name][mask] += 1
            corrected = moment[name] / (1 - BETAS[0] ** age[name])
            root = (square[name] / (1 - BETAS[1] ** age[name])).sqrt() + EPSILON
            moved = delta[name] * (1 - RATE * DECAY) - RATE * corrected / root
            delta[name] = torch.where(mask, moved, delta[name])
            window[name] += gradient
        if kind == "dynamic" and step % EVERY == 0:
            share = SHARE * 0.5 * (1 + math.cos(math.pi * step / len(batches)))
            replaced.append(0)
            for name in sites:
                wanted = math.floor(share * count[name] + 0.5)
                old = masks[name] & (age[name] >= EVERY)
                wanted = min(wanted, int(old.sum()), int((~masks[name]).sum()))
                leaving = first(torch.where(old, delta[name].abs(), math.inf), wanted)
                joining = first(torch.where(masks[name], math.inf, -window[name].abs()), wanted)
                masks[name] = (masks[name] & ~leaving) | joining
                for state in (delta, moment, square, age):
                    state[name][leaving | joining] = 0.0
                window[name].zero_()
                replaced[-1] += wanted
        with torch.no_grad():
            for name, value in sites.items():
                value.copy_(start[name] + delta[name])
    for name, mask in masks.items():
        tensors[f"last.{name}"] = mask.flatten().nonzero().flatten()
        tensors[f"deltas.{name}"] = delta[name].flatten()[mask.flatten()]
    fields = dict(model="llama", task="causal-lm", method="sparta", selection=kind, density=KINDS[kind],
                  regrow_every=EVERY, regrow_share=SHARE, replaced=replaced, betas=BETAS, epsilon=EPSILON,
                  weight_decay=DECAY, max_grad_norm=0.0, loss=float32s(losses), grad_norm=float32s(norms),
                  learning_rate=[RATE] * len(batches))
    return fields, tensors


def main():
    here = Path(__file__).parent / "curves"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=here / "selections", help="folder to write to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    batches = json.loads((here / "batches.json").read_text())["batches"]
    arguments.output.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        fields, tensors = curve(here / "models" / "llama", batches, kind)
        write_json(arguments.output / f"{kind}.json", fields)
        write_tensors(arguments.output / f"{kind}.safetensors", tensors)


if __name__ == "__main__":
    main()
