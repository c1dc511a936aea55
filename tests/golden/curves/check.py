"""Replays every curve of this folder from its files alone, by another loop, and says how sharp the curves are.

    python tests/golden/curves/check.py [FOLDER]

Neither peft-sparta nor torch.optim takes part: rows are padded on the right, attention is eager, the classification
head is applied by hand to the last real token, gradients are gathered at the stored indices, and AdamW is written out.
Then the same with the stored weights off by 1e-7 of themselves (does a rounding error grow over the steps?), and with
mistakes made on purpose (would a test notice?). All numbers are the largest relative difference of a loss over the
steps.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

MISTAKES = {
    "second beta 0.999": dict(second_beta=0.999),
    "epsilon 1e-6": dict(epsilon=1e-6),
    "learning rate 0.1 % off": dict(rate=1.001),
    "learning rates one step late": dict(late=1),
    "no bias correction": dict(correct=False),
    "no clipping": dict(clip=False),
    "no decay": dict(decay=0.0),
    "L2 instead of decoupled decay": dict(coupled=True),
    "decay of the merged weight": dict(merged_decay=True),
    "decay of everything": dict(decay_all=True),
    "indices one further": dict(shift=1),
    "head frozen": dict(frozen_head=True),
    "no padding mask": dict(mask=False),
    "mean of rows' means": dict(by_row=True),
}
DEFAULT = dict(second_beta=0.99, epsilon=1e-8, rate=1.0, late=0, correct=True, clip=True, decay=None, coupled=False,
               merged_decay=False, decay_all=False, shift=0, frozen_head=False, mask=True, by_row=False, noise=None)


class Replay:
    def __init__(self, folder, path, **options):
        self.path, self.curve = path, json.loads(path.read_text())
        stored = path.with_suffix(".safetensors")
        self.tensors = load_file(stored) if stored.exists() else {}
        self.options = DEFAULT | options
        self.causal = self.curve["task"] == "causal-lm"
        self.load(folder / "models" / self.curve["model"])
        self.trained = self.sparse_sites() if self.curve["method"] == "sparta" else self.all_parameters()
        self.moments = {name: (torch.zeros_like(value), torch.zeros_like(value))
                        for name, (value, *_) in self.trained.items()}

    def load(self, model):
        options = dict(dtype=torch.float32, attn_implementation="eager")
        self.head = None
        if self.curve["model"] == "bert":
            self.model = AutoModelForSequenceClassification.from_pretrained(model, **options)
        elif self.causal:
            self.model = AutoModelForCausalLM.from_pretrained(model, **options)
        else:
            self.model = AutoModel.from_pretrained(model, **options)
            head = self.tensors.get("head", self.tensors.get("initial.score.weight"))
            self.head = torch.nn.Parameter(head.clone())
        if self.options["noise"] is not None:
            self.disturb(self.options["noise"])

    def disturb(self, seed):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for value in self.model.parameters():
                value *= 1 + 1e-7 * torch.randn(value.shape, generator=generator)

    def named_parameters(self):
        prefix = "model." if not self.causal and self.curve["model"] != "bert" else ""
        named = {prefix + name: value for name, value in self.model.named_parameters()}
        return named if self.head is None else named | {"score.weight": self.head}

    def sparse_sites(self):
        """Name to deltas, weight, flat indices, original values."""
        sites = {}
        for name, weight in self.named_parameters().items():
            if name == "score.weight" and self.options["frozen_head"]:
                continue
            indices = torch.arange(weight.numel()) if name == "score.weight" else self.tensors.get(f"indices.{name}")
            if indices is not None:
                indices = (indices + (self.options["shift"] if name != "score.weight" else 0)) % weight.numel()
                values = weight.detach().flatten()[indices]
                sites[name] = (torch.zeros_like(values), weight, indices, values)
        return sites

    def all_parameters(self):
        return {name: (weight.detach(), weight) for name, weight in self.named_parameters().items()
                if not (self.options["frozen_head"] and name == "score.weight")}

    def loss(self, batch):
        tokens, lengths = torch.tensor(batch["input_ids"]), torch.tensor(batch["lengths"])
        mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()
        output = self.model(input_ids=tokens, attention_mask=mask if self.options["mask"] else None)
        if self.causal:
            return self.causal_loss(output.logits, tokens, torch.tensor(batch["targets"], dtype=torch.bool))
        logits = output.logits if self.head is None else \
            output.last_hidden_state[torch.arange(len(lengths)), lengths - 1] @ self.head.T
        return F.cross_entropy(logits, torch.tensor(batch["labels"]))

    def causal_loss(self, logits, tokens, wanted):
        each = F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none") * wanted[:, 1:]
        if self.options["by_row"]:
            return (each.sum(1) / wanted[:, 1:].sum(1)).mean()
        return each.sum() / wanted[:, 1:].sum()

    def gradients(self, loss):
        self.model.zero_grad()
        if self.head is not None:
            self.head.grad = None
        loss.backward()
        found = {}
        for name, (values, weight, *sparse) in self.trained.items():
            dense = torch.zeros_like(weight) if weight.grad is None else weight.grad
            found[name] = dense.flatten()[sparse[0]] if sparse else dense.clone()
        norm = torch.cat([each.flatten() for each in found.values()]).norm()
        limit = self.curve["max_grad_norm"]
        if limit and self.options["clip"]:
            found = {name: each * min(1.0, limit / (norm + 1e-6)) for name, each in found.items()}
        return found, norm.item()

    def decay_of(self, name):
        if name in self.curve["no_decay"] and not self.options["decay_all"]:
            return 0.0
        return self.curve["weight_decay"] if self.options["decay"] is None else self.options["decay"]

    def step(self, number, gradients):
        rates, options = self.curve["learning_rate"], self.options
        rate = rates[max(0, number - 1 - options["late"])] * options["rate"]
        first_beta, second_beta = self.curve["betas"][0], options["second_beta"]
        with torch.no_grad():
            for name, (values, weight, *sparse) in self.trained.items():
                gradient, decay = gradients[name], self.decay_of(name)
                decayed = values + sparse[1] if sparse and options["merged_decay"] else values
                if options["coupled"]:
                    gradient = gradient + decay * values
                else:
                    values -= rate * decay * decayed
                first, second = self.moments[name]
                first.mul_(first_beta).add_(gradient, alpha=1 - first_beta)
                second.mul_(second_beta).addcmul_(gradient, gradient, value=1 - second_beta)
                unbias = (lambda beta: 1 - beta**number) if options["correct"] else (lambda _: 1.0)
                values -= rate * (first / unbias(first_beta)) / ((second / unbias(second_beta)).sqrt()
                                                                 + options["epsilon"])
                if sparse:
                    weight.view(-1)[sparse[0]] = sparse[1] + values

    def run(self, batches):
        losses, norms = [], []
        for number, batch in enumerate(batches, 1):
            loss = self.loss(batch)
            gradients, norm = self.gradients(loss)
            losses.append(loss.item())
            norms.append(norm)
            self.step(number, gradients)
        return losses, norms


def furthest(found, expected):
    return max(abs(each - other) / abs(other) for each, other in zip(found, expected, strict=True))


def deltas_off(replay):
    """Largest difference of a final delta, and the largest final delta."""
    pairs = [(values, replay.tensors[f"deltas.{name}"].flatten()) for name, (values, *_) in replay.trained.items()]
    return max((found - stored).abs().max().item() for found, stored in pairs), \
        max(stored.abs().max().item() for _, stored in pairs)


def change_off(folder, replay):
    """Largest relative difference of how far a parameter went."""
    before = Replay(folder, replay.path).named_parameters()
    return max(abs((value.detach().double() - before[name].double()).norm().item() / replay.curve["change"][name] - 1)
               for name, value in replay.named_parameters().items() if name in replay.curve["change"])


def relevant(mistake, curve):
    if "decay" in mistake and curve["weight_decay"] == 0.0:
        return False
    if mistake == "decay of everything" and not curve["no_decay"]:
        return False
    if mistake == "no clipping" and curve["max_grad_norm"] == 0.0:
        return False
    if mistake in ("decay of the merged weight", "indices one further") and curve["method"] != "sparta":
        return False
    if mistake == "learning rates one step late" and len(set(curve["learning_rate"])) == 1:
        return False
    if mistake == "head frozen" and (curve["task"] == "causal-lm" or curve["model"] == "bert"):
        return False
    if mistake == "no padding mask" and curve["model"] != "bert":
        return False  # with padding on the right, no real token of a decoder sees it
    return mistake != "mean of rows' means" or curve["task"] == "causal-lm"


def check(folder, path, batches, noticed):
    replay = Replay(folder, path)
    losses, norms = replay.run(batches)
    expected = replay.curve["loss"]
    disturbed = max(furthest(Replay(folder, path, noise=seed).run(batches)[0], expected) for seed in (1, 2, 3))
    after = "deltas off {:.1e} of {:.2f}".format(*deltas_off(replay)) if replay.curve["method"] == "sparta" else \
        f"change off {change_off(folder, replay):.1e}"
    print(f"{path.parent.name}/{path.stem}: replayed {furthest(losses, expected):.1e}, "
          f"norms {furthest(norms, replay.curve['grad_norm']):.1e}, disturbed {disturbed:.1e}, {after}", flush=True)
    for mistake, options in MISTAKES.items():
        if relevant(mistake, replay.curve):
            found = furthest(Replay(folder, path, **options).run(batches)[0], expected)
            noticed.setdefault(mistake, {})[path.stem] = found


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    batches = json.loads((folder / "batches.json").read_text())["batches"]
    noticed = {}
    for path in sorted(folder.glob("sparta/*.json")) + sorted(folder.glob("full/*.json")):
        check(folder, path, batches, noticed)
    for mistake, found in noticed.items():
        least = min(found, key=found.get)
        print(f"{mistake}: from {found[least]:.1e} ({least}) to {max(found.values()):.1e} over {len(found)} curves")


if __name__ == "__main__":
    main()
