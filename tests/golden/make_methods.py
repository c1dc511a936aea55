"""Makes the goldens of methods/ with the methods' own packages, their authors' code or their formulas in PyTorch,
without a line of spartui.

    python tests/golden/make_methods.py --authors FOLDER

FOLDER holds clones of three repositories, of which these files are read where they are; nothing of them is copied here:

    git clone https://github.com/jsvir/FineGates      # model.py, class SparseLayer                     5ab6421b
    git clone https://github.com/ihounie/lorta        # peft/src/peft/tuners/lorta/{model,layer}.py     fa13dcbd
    git clone https://github.com/microsoft/AdaMix     # src/transformers/models/expert_soup.py          d361e9d6

Made with Python 3.11.7 on x86-64 Linux:

    pip install torch==2.11.0 transformers==5.23.0 tokenizers==0.23.3 safetensors==0.8.0 numpy==2.4.6
    pip install einops==0.8.2 blake3==1.0.11 psutil accelerate==1.15.0
    pip install --no-deps peft==0.21.2 loretta==0.1.0 pytorch-optimizer==4.1.0 selective-optimizers==0.4 \\
        adam-atan2-pytorch==0.4.1

Uses the models and batches of curves/. Every case runs a second time in float64: the field `rounding` says how far that
is from float32, and the largest distance allowed is asserted. Everything is drawn by name and computed on one thread:
a second run on the same machine writes the same bytes.
"""

import argparse
import ast
import importlib.util
import json
import math
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

from make import write_json, write_tensors  # also forbids the hub

import numpy
import torch
import torch.nn.functional as F
import transformers
from adam_atan2_pytorch import AdamAtan2
from blake3 import blake3
from peft import HRAConfig, IA3Config, LoraConfig, VeraConfig, get_peft_model
from pytorch_optimizer import SaRA
from selective_optimizers.wrap import get_selective_optimizer
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from curves.batches import right_padded
from curves.small_models import LABELS

BETAS, EPSILON = (0.9, 0.99), 1e-8
TASKS = {"llama": "causal-lm", "bert": "sequence-classification"}
LAYERS, HEADS, WIDTH = 2, 4, 32
MODES = {16: [4, 4], 32: [4, 8], 48: [6, 8], 64: [8, 8]}
SITES = {
    "llama": dict(prefix="model.layers", q_proj="self_attn.q_proj", k_proj="self_attn.k_proj",
                  v_proj="self_attn.v_proj", o_proj="self_attn.o_proj", gate_proj="mlp.gate_proj",
                  up_proj="mlp.up_proj", down_proj="mlp.down_proj"),
    "bert": dict(prefix="bert.encoder.layer", q_proj="attention.self.query", k_proj="attention.self.key",
                 v_proj="attention.self.value", o_proj="attention.output.dense", up_proj="intermediate.dense",
                 down_proj="output.dense"),
}
FURTHEST = 2e-5  # float64 from float32, relative, of any loss
NARROWEST = 1e-4  # between the last scalar that is chosen and the first that is not, relative
AUTHORS = Path()


# --- What all cases share --------------------------------------------------------------------------------------------

@dataclass
class Case:
    name: str
    model: str
    rate: float
    settings: dict
    reference: str
    attach: Callable = None
    rule: Callable = None
    epsilon: float = EPSILON

    def __getitem__(self, setting):
        """A setting of the method, without the prefix."""
        return self.settings.get(setting, self.settings.get(f"{self.settings['method.kind']}.{setting}",
                                 self.settings.get(f"method.{self.settings['method.kind']}.{setting}")))

    def draw(self, leaf, shape, deviation, mean=0.0):
        """Always the same numbers for a leaf."""
        generator = torch.Generator().manual_seed(zlib.crc32(f"{self.name} {leaf}".encode()))
        return mean + deviation * torch.randn(*shape, generator=generator)

    def sites(self, model):
        """Name and layer of each target, layer by layer, and within one q, k, v, o, gate, up, down."""
        ends = SITES[self.model]
        names = [f"{ends['prefix']}.{layer}.{end}" for layer in range(LAYERS) for group, end in ends.items()
                 if group in self.settings["method.targets"]]
        return [(name, model.get_submodule(name)) for name in names]


@dataclass
class Attached:
    """A method in a model: what the optimizer trains, and how that reads under spartui's names."""
    parameters: list
    leaves: Callable
    frozen: dict = field(default_factory=dict)
    penalty: Callable = None
    passes: Callable = None
    extra: dict = field(default_factory=dict)


def of_leaves(leaves, **more):
    """Where the leaves are what trains."""
    return Attached(list(leaves.values()), lambda: leaves, **more)


def load(folder, name, dtype):
    if name == "llama":
        model = AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(folder / name, num_labels=len(LABELS),
                                                                   dtype=torch.float32)
    if dtype == torch.float64:
        model.double()
        for module in model.modules():
            if isinstance(module, LlamaRMSNorm):  # which computes in float32 whatever it is given
                module.forward = lambda x, own=module: own.weight * (x * torch.rsqrt(
                    x.pow(2).mean(-1, keepdim=True) + own.variance_epsilon))
    return model.requires_grad_(False).train()


def inputs_of(batch, name):
    """What the model takes, and the targets in the order of the logits that predict them."""
    inputs = right_padded(batch, name == "llama")
    labels = inputs.pop("labels")
    return (inputs | dict(use_cache=False), labels[:, 1:].flatten()) if name == "llama" else (inputs, labels)


def logits_of(model, name, batch):
    """Of all targets, and the targets."""
    inputs, labels = inputs_of(batch, name)
    logits = model(**inputs).logits
    if name == "bert":
        return logits, labels
    logits, wanted = logits[:, :-1].flatten(0, 1), labels != -100
    return logits[wanted], labels[wanted]


def float32s(values):
    """Written with as few digits as tell them apart."""
    return [float(str(numpy.float32(value))) for value in values]


def norm_of(gradients):
    return math.sqrt(sum(gradient.double().square().sum().item() for gradient in gradients))


def head_of(model, name):
    return {f"classifier.{end}": getattr(model.classifier, end) for end in ("weight", "bias")} if name == "bert" else {}


def as_file(tensors, prefix):
    """Copies: a leaf may be the memory that goes on training."""
    return {f"{prefix}.{name}": value.detach().float().contiguous().clone() for name, value in tensors.items()}


# --- Methods of dense leaves -----------------------------------------------------------------------------------------

def dense_run(case, models, batches, dtype):
    model = load(models, case.model, dtype)
    head = head_of(model, case.model)
    attached = case.attach(case, model, dtype)
    trained = list(attached.parameters) + list(head.values())
    for value in trained:
        value.requires_grad_(True)
        value.grad = torch.zeros_like(value)
    leaves = attached.leaves()
    tensors = as_file(leaves | head, "initial") | as_file(attached.frozen, "frozen")
    optimizer = torch.optim.AdamW(trained, lr=case.rate, betas=BETAS, eps=case.epsilon, weight_decay=0.0)
    losses, norms, penalties = [], [], []
    for step, batch in enumerate(batches, 1):
        if attached.passes:
            loss = attached.passes(model, batch, step)
        else:
            loss = F.cross_entropy(*logits_of(model, case.model, batch))
        penalty = attached.penalty() if attached.penalty else None
        optimizer.zero_grad(set_to_none=False)  # what no loss reaches has a gradient of zero, and ages
        (loss if penalty is None else loss + penalty).backward()
        losses.append(loss.item())
        norms.append(norm_of(value.grad for value in trained))
        penalties.append(0.0 if penalty is None else penalty.item())
        optimizer.step()
    fields = dict(trainable=sum(leaf.numel() for leaf in leaves.values()), loss=losses, grad_norm=norms,
                  **attached.extra)
    if attached.penalty:
        fields["penalty"] = penalties
    return fields, tensors | as_file(attached.leaves() | head, "final")


def with_peft(model, config, dtype):
    wrapped = get_peft_model(model, config)
    return (wrapped.double() if dtype == torch.float64 else wrapped).base_model.model


@torch.no_grad()
def set_to(parameter, value):
    parameter.copy_(value)
    return parameter


def attach_melora(case, model, dtype):
    n, r = case["blocks"], case["rank"]
    sizes = {name: (layer.out_features, layer.in_features) for name, layer in case.sites(model)}
    model = with_peft(model, LoraConfig(r=n * r, lora_alpha=n * case["alpha"], lora_dropout=0.0,
                                        target_modules=case.settings["method.targets"]), dtype)
    parameters, views = [], {}
    for name, (o, i) in sizes.items():
        site = model.get_submodule(name)
        a, b = site.lora_A["default"].weight, site.lora_B["default"].weight
        # Block j has rows j r.. and columns j i/n.. of A, rows j o/n.. and columns j r.. of B.
        views[f"{name}.A"] = (a, [(slice(j * r, (j + 1) * r), slice(j * i // n, (j + 1) * i // n)) for j in range(n)])
        views[f"{name}.B"] = (b, [(slice(j * o // n, (j + 1) * o // n), slice(j * r, (j + 1) * r)) for j in range(n)])
        for leaf, shape, size in ((f"{name}.A", [n, r, i // n], 0.4), (f"{name}.B", [n, o // n, r], 0.3)):
            parameter, blocks = views[leaf]
            value, inside = torch.zeros_like(parameter), torch.zeros_like(parameter)
            for block, drawn in zip(blocks, case.draw(leaf, shape, size)):
                value[block], inside[block] = drawn.to(dtype), 1.0
            set_to(parameter, value).register_hook(lambda gradient, inside=inside: gradient * inside)
            parameters.append(parameter)
    read = lambda: {leaf: torch.stack([parameter[block] for block in blocks])
                    for leaf, (parameter, blocks) in views.items()}
    return Attached(parameters, read)


def function_of(file, owner, name, **known):
    """One method of a class of a file, by itself: what the file imports need not be there."""
    tree = ast.parse(file.read_text())
    [kind] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner]
    [wanted] = [node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name == name]
    scope = dict(torch=torch, **known)
    header = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module(header + [wanted], []), str(file), "exec"), scope)
    return scope[name]


def lorta_leaves(case, matrices, dtype):
    r = case["rank"]
    shapes = dict(A=[WIDTH, r], B=[r, WIDTH // HEADS], C_h=[HEADS, r], C_m=[matrices, r], C_l=[LAYERS, r])
    sizes = dict(A=0.4, B=0.3, C_h=0.6, C_m=0.6, C_l=0.6)
    return {leaf: case.draw(leaf, shape, sizes[leaf]).to(dtype).requires_grad_(True) for leaf, shape in shapes.items()}


def attach_lorta(case, model, dtype):
    """The authors' dense form: their matrices and their layer's forward."""
    leaves, groups = lorta_leaves(case, 4, dtype), dict(zip("qkvo", ("q_proj", "k_proj", "v_proj", "o_proj")))
    ends, folder = SITES[case.model], AUTHORS / "lorta/peft/src/peft/tuners/lorta"
    own = SimpleNamespace(
        target_names_prefix=ends["prefix"], qkvo_mapping={letter: ends[group] for letter, group in groups.items()},
        model=SimpleNamespace(config=model.config, **{f"lora_{leaf}": value for leaf, value in leaves.items()}))
    name_of = function_of(folder / "model.py", "LorTaModel", "_map_layer_to_adapter")
    own._map_layer_to_adapter = lambda layer, matrix: name_of(own, layer, matrix)
    matrices = function_of(folder / "model.py", "LorTaModel", "_compute_weights_from_tensor")
    forward = function_of(folder / "layer.py", "Linear", "forward")
    now = {}
    model.register_forward_pre_hook(lambda *_: now.update(matrices(own)))
    for name, layer in case.sites(model):
        site = SimpleNamespace(
            _check_forward_args=lambda *_, **__: None, disable_adapters=False, merged=False, base_layer=layer.forward,
            active_adapters=["default"], lora_dropout=dict(default=nn.Identity()),
            scaling=dict(default=case["alpha"] / case["rank"]))
        layer.forward = lambda x, name=name, site=site: forward(site, x, adapter_weight=now[name])
    return of_leaves(leaves)


def attach_lorta_output(case, model, dtype):
    leaves, scale = lorta_leaves(case, len(case.settings["method.targets"]), dtype), case["alpha"] / case["rank"]
    for at, (name, layer) in enumerate(case.sites(model)):
        depth, matrix = divmod(at, len(case.settings["method.targets"]))

        def forward(x, inner=layer.forward, depth=depth, matrix=matrix):
            c = leaves["C_h"] * leaves["C_m"][matrix] * leaves["C_l"][depth]
            heads = ((x @ leaves["A"]).unsqueeze(-2) * c) @ leaves["B"]
            return inner(x) + scale * heads.flatten(-2)
        layer.forward = forward
    return of_leaves(leaves)


def reflect(x, u, v=None):
    """One reflection a block, or the relaxed one."""
    blocks, u = x.unflatten(-1, u.shape), F.normalize(u, dim=-1, eps=0.0)
    along = lambda u: (blocks * u).sum(-1, keepdim=True) * u
    if v is None:
        return (blocks - 2 * along(u)).flatten(-2)
    return (blocks + (along(F.normalize(v, dim=-1, eps=0.0)) - along(u))).flatten(-2)


def attach_ether(case, model, dtype):
    leaves, n, relaxed = {}, case["blocks"], case.settings["method.kind"] == "ether_plus"
    sides = ["in", "out"] if case["side"] == "both" else [case["side"]]
    for name, layer in case.sites(model):
        own = {}
        for side in sides:
            width = dict([("in", layer.in_features), ("out", layer.out_features)])[side] // n
            drawn = [case.draw(f"{name}.{side}.u", [n, width], 1 / math.sqrt(width))]
            if relaxed:
                drawn.append(case.draw(f"{name}.{side}.v", [n, width], 0.3 / math.sqrt(width)) - drawn[0])
            own[side] = [value.to(dtype).requires_grad_(True) for value in drawn]
            leaves |= {f"{name}.{side}.{letter}": value for letter, value in zip("uv", own[side])}

        def forward(x, own=own, layer=layer):
            y = F.linear(reflect(x, *own["in"]) if "in" in own else x, layer.weight)
            y = reflect(y, *own["out"]) if "out" in own else y
            return y if layer.bias is None else y + layer.bias
        layer.forward = forward
    return of_leaves(leaves)


def attach_ether_one(case, model, dtype):
    names = [name for name, _ in case.sites(model)]
    model = with_peft(model, HRAConfig(r=1, apply_GS=False, init_weights=False,
                                       target_modules=case.settings["method.targets"]), dtype)
    parameters = {f"{name}.in.u": model.get_submodule(name).hra_u["default"] for name in names}
    for leaf, value in parameters.items():  # [in, 1]
        set_to(value, case.draw(leaf, [1, len(value)], 1 / math.sqrt(len(value))).T)
    return Attached(list(parameters.values()), lambda: {leaf: value.T for leaf, value in parameters.items()})


def tensor_layers():
    """loretta's package of this name, without what the outer one imports."""
    [folder] = importlib.util.find_spec("loretta").submodule_search_locations
    if str(Path(folder)) not in sys.path:
        sys.path.append(str(Path(folder)))
    return importlib.import_module("tensor_layers.layers")


def train_of_cores(case, leaf, modes, bias, dtype):
    """A linear layer of loretta 0.1.0 from as many inputs as the modes make, its cores drawn here."""
    kind = tensor_layers().wrapped_linear_layers
    config = SimpleNamespace(shape=sum(modes, []), ranks=case["tensor_rank"])
    layer = kind(math.prod(modes[0]), math.prod(modes[1]), bias=bias, tensorized=True, config=config).layer.to(dtype)
    leaves = {f"{leaf}.{k}": core for k, core in enumerate(layer.tensor.factors)}
    for name, core in leaves.items():
        set_to(core, case.draw(name, core.shape, 0.55 / math.sqrt(core.shape[0])))
    if bias:
        leaves[f"{leaf}.bias"] = set_to(layer.bias, case.draw(f"{leaf}.bias", layer.bias.shape, 0.1))
    return layer, leaves


def attach_loretta(case, model, dtype):
    leaves, modes = {}, {}
    for name, layer in case.sites(model):
        o, i = layer.weight.shape
        if case["variant"] == "rep":
            r, scale = case["rank"], case["alpha"] / case["rank"]
            ends, shapes = ("A", "B"), ([MODES[i], [r]], [[r], MODES[o]])
        else:
            ends, shapes = ("down", "up"), ([MODES[o], [case["bottleneck"]]], [[case["bottleneck"]], MODES[o]])
        first, second = [train_of_cores(case, f"{name}.{end}", shape, case["variant"] == "adp", dtype)
                         for end, shape in zip(ends, shapes)]
        modes |= {f"{name}.{end}": sum(shape, []) for end, shape in zip(ends, shapes)}
        leaves |= first[1] | second[1]
        a, b = first[0], second[0]
        if case["variant"] == "rep":
            layer.forward = lambda x, inner=layer.forward, a=a, b=b: inner(x) + scale * b(a(x))
        else:
            layer.forward = lambda x, inner=layer.forward, a=a, b=b: (lambda h: h + b(torch.relu(a(h))))(inner(x))
    return of_leaves(leaves, extra=dict(modes=modes))


def module_at(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def attach_finegates(case, model, dtype):
    code = module_at(AUTHORS / "FineGates/model.py")
    gates, before = {}, {}
    for name, layer in case.sites(model):
        gate = code.SparseLayer(layer.in_features, layer.out_features, original_layer=layer,
                                target_sparsity=case["target"], dtype=str(dtype).removeprefix("torch."))
        parent, _, end = name.rpartition(".")
        setattr(model.get_submodule(parent), end, gate)
        gates[name], before[name] = gate, layer.bias.detach().clone()
        for leaf, own in (("gate_in", gate.gates_columns), ("gate_out", gate.gates_rows)):
            own.noise_std = case["noise"]
            logits = own._gates_logits
            set_to(logits, case.draw(f"{name}.{leaf}", logits.shape, 0.3, 0.2))
        set_to(gate.bias, before[name] + case.draw(f"{name}.bias", gate.bias.shape, 0.05).to(dtype))
    del nn.Linear.requires_grad  # which SparseLayer sets for the class of all linear layers
    parameters = [value for gate in gates.values() for value in gate.parameters()]
    read = lambda: {key: value for name, gate in gates.items() for key, value in (
        (f"{name}.gate_in", gate.gates_columns._gates_logits.flatten()),
        (f"{name}.gate_out", gate.gates_rows._gates_logits.flatten()), (f"{name}.bias", gate.bias - before[name]))}
    penalty = lambda: case["strength"] * torch.stack([gate.sparsity_loss() for gate in gates.values()]).mean()
    return Attached(parameters, read, penalty=penalty)


MASK = 2**64 - 1


def mix(bits):
    """SplitMix64's finalizer."""
    bits = ((bits ^ bits >> 30) * 0xbf58476d1ce4e5b9) & MASK
    bits = ((bits ^ bits >> 27) * 0x94d049bb133111eb) & MASK
    return bits ^ bits >> 31


def derive_key(seed, purpose, detail):
    hasher = blake3(seed.to_bytes(8, "little"))
    for part in (purpose.encode(), detail.encode()):
        hasher.update(len(part).to_bytes(8, "little") + part)
    return int.from_bytes(hasher.digest(8), "little")


def expert(case, name, step, second):
    """The one for a layer in a pass of a step's only micro-batch."""
    noise = mix(mix(derive_key(case.settings["method.seed"], "overlay noise", "") ^ step) ^ 0)
    noise = mix(noise ^ 1) if second else noise
    return mix(derive_key(case.settings["method.seed"], "adamix", name) ^ noise) % case["experts"]


class Routed:
    """Two passes with the experts that spartui's keys give."""

    def __init__(self, case, names):
        self.case, self.names, self.step, self.second, self.taken = case, names, 0, False, []

    def at(self, name):
        return expert(self.case, name, self.step, self.second)

    def passes(self, model, batch, step):
        self.step, outcomes = step, []
        self.taken.append([])
        for self.second in (False, True):
            self.taken[-1].append([self.at(name) for name in self.names])
            logits, targets = logits_of(model, self.case.model, batch)
            outcomes.append(logits)
        p, q = (logits.log_softmax(-1) for logits in outcomes)
        kl = lambda prediction, target: F.kl_div(prediction, target.detach().exp(), reduction="batchmean")
        return F.cross_entropy(outcomes[0], targets) + self.case["consistency"] * 0.5 * (kl(p, q) + kl(q, p))


def attach_adamix(case, model, dtype):
    kind = module_at(AUTHORS / "AdaMix/src/transformers/models/expert_soup.py").ExpertSoup
    sites, soups = case.sites(model), {}
    routed = Routed(case, [name for name, _ in sites])
    for name, layer in sites:
        soup = kind(layer.out_features, case["bottleneck"], act="gelu", num_expert=case["experts"], inference_level=3,
                    sharing_up=1).to(dtype)
        soups[name] = soup
        for leaf, value in soup.named_parameters():
            if value.requires_grad:
                set_to(value, case.draw(f"{name} {leaf}", value.shape, 0.1 if value.dim() == 1 else 0.3))

        def forward(x, inner=layer.forward, soup=soup, name=name):
            h, randint = inner(x), torch.randint
            torch.randint = lambda low, high, size: torch.tensor([routed.at(name) if high > 1 else 0])
            try:
                return soup(h, h)
            finally:
                torch.randint = randint
        layer.forward = forward
    stack = lambda experts, end: torch.stack([getattr(one, end) for one in experts])
    read = lambda: {f"{name}.{leaf}.{end}": value for name, soup in soups.items() for leaf, end, value in (
        ("down", "weight", stack(soup.MoA_A.deepspeed_experts, "weight")),
        ("down", "bias", stack(soup.MoA_A.deepspeed_experts, "bias")),
        ("up", "weight", soup.MoA_B.deepspeed_experts[0].weight),
        ("up", "bias", soup.MoA_B.deepspeed_experts[0].bias))}
    parameters = [value for soup in soups.values() for value in soup.parameters() if value.requires_grad]
    return Attached(parameters, read, passes=routed.passes, extra=dict(experts=routed.taken))


def attach_adamix_lora(case, model, dtype):
    sites, leaves, scale = case.sites(model), {}, case["alpha"] / case["rank"]
    routed = Routed(case, [name for name, _ in sites])
    for name, layer in sites:
        o, i = layer.weight.shape
        a = leaves[f"{name}.A"] = case.draw(f"{name}.A", [case["experts"], case["rank"], i], 0.2).to(dtype)
        b = leaves[f"{name}.B"] = case.draw(f"{name}.B", [o, case["rank"]], 0.3).to(dtype)
        layer.forward = lambda x, inner=layer.forward, a=a, b=b, name=name: \
            inner(x) + scale * F.linear(F.linear(x, a[routed.at(name)]), b)
    return of_leaves(leaves, passes=routed.passes, extra=dict(experts=routed.taken))


def attach_ia3(case, model, dtype):
    names = [name for name, _ in case.sites(model)]
    model = with_peft(model, IA3Config(target_modules=case.settings["method.targets"],
                                       feedforward_modules=case["inputs"]), dtype)
    parameters = {f"{name}.scale": model.get_submodule(name).ia3_l["default"] for name in names}
    for leaf, value in parameters.items():
        set_to(value, case.draw(leaf, value.shape, 0.2, 1.0))
    return Attached(list(parameters.values()), lambda: {leaf: value.flatten() for leaf, value in parameters.items()})


def attach_vera(case, model, dtype):
    names = [name for name, _ in case.sites(model)]
    model = with_peft(model, VeraConfig(r=case["rank"], target_modules=case.settings["method.targets"],
                                        vera_dropout=0.0, projection_prng_key=1), dtype)
    site = model.get_submodule(names[0])
    frozen = dict(A=site.vera_A["default"], B=site.vera_B["default"])
    for leaf, value in frozen.items():
        set_to(value, case.draw(leaf, value.shape, 0.4))
    leaves = {f"{name}.{end}": getattr(model.get_submodule(name), f"vera_lambda_{end}")["default"]
              for name in names for end in "db"}
    for leaf, value in leaves.items():
        set_to(value, case.draw(leaf, value.shape, 0.5))
    return of_leaves(leaves, frozen=frozen)


# --- Parameters of the model itself ----------------------------------------------------------------------------------

def trains_itself(case, name):
    if name.startswith("classifier."):
        return False
    if case.settings["method.kind"] == "bitfit":
        return name.endswith(".bias")
    return "norm" in name.lower().split(".")[-2]


def attach_parameters(case, model, dtype):
    named = {name: value for name, value in model.named_parameters() if trains_itself(case, name)}
    before = {name: value.detach().clone() for name, value in named.items()}
    return Attached(list(named.values()), lambda: {name: value - before[name] for name, value in named.items()})


def parameters_run(case, models, batches, dtype):
    """`final.NAME` is how far it went; not of biases that only rounding moves, since a softmax cancels them."""
    fields, tensors = dense_run(case, models, batches, dtype)
    return fields, {name: value for name, value in tensors.items() if "classifier." in name
                    or name.startswith("final.") and not name.endswith("key.bias")}


# --- Scalars of the weights ------------------------------------------------------------------------------------------

class Sites:
    """Weights of the targets: what they were, how far they went and their gradients, by name."""

    def __init__(self, case, model):
        self.weights = {f"{name}.weight": layer.weight for name, layer in case.sites(model)}
        self.start = {name: value.detach().clone() for name, value in self.weights.items()}
        self.delta = {name: torch.zeros_like(value) for name, value in self.weights.items()}

    def gradients(self):
        return {name: value.grad for name, value in self.weights.items()}

    def write(self):
        for name, value in self.weights.items():
            value.copy_(self.start[name] + self.delta[name])

    def read(self):
        for name, value in self.weights.items():
            self.delta[name] = value.detach() - self.start[name]


class Dense:
    """Adam's moments of every scalar, of one age."""

    def __init__(self, case, sites):
        self.first = {name: torch.zeros_like(value) for name, value in sites.start.items()}
        self.second = {name: torch.zeros_like(value) for name, value in sites.start.items()}
        self.rate, self.epsilon = case.rate, case.epsilon

    def move(self, name, gradient, step):
        self.first[name] += (1 - BETAS[0]) * (gradient - self.first[name])
        self.second[name] += (1 - BETAS[1]) * (gradient * gradient - self.second[name])
        root = (self.second[name] / (1 - BETAS[1] ** step)).sqrt()
        return self.rate * (self.first[name] / (1 - BETAS[0] ** step)) / (root + self.epsilon)


def gap(ranked, count):
    """Relative, between the last that is chosen and the first that is not; the largest number comes first."""
    return ((ranked[count - 1] - ranked[count]) / ranked[count - 1]).item() if count < len(ranked) else math.inf


class Id3:
    """By the formula; with `package`, by selective-optimizers."""

    def __init__(self, case, sites):
        self.case, self.sites, self.narrowest, self.initial = case, sites, math.inf, None
        self.budget, self.steps = case.settings["budget"], case.settings["steps"]
        self.sets = {name: torch.zeros_like(value, dtype=torch.bool) for name, value in sites.start.items()}
        self.adam, self.optimizer = Dense(case, sites), None
        if self.budget % self.steps == 0:  # its count of steps stays 0
            self.optimizer = get_selective_optimizer(torch.optim.AdamW, "id3")(
                list(sites.weights.values()), lr=case.rate, betas=BETAS, budget=self.budget, max_steps=self.steps,
                eps=case["epsilon"], exp=case["exponent"], verify=False)  # `eps` is the score's; AdamW has its default

    def trainable(self):
        return self.budget

    def step(self, step):
        gradients = self.sites.gradients()
        score = torch.cat([torch.where(self.sets[name], -1.0, gradient.abs() / (
            self.sites.weights[name].detach().abs() + self.case["epsilon"]) ** self.case["exponent"]).flatten()
            for name, gradient in gradients.items()])
        count = self.budget // self.steps + (step - 1 < self.budget % self.steps)
        ranked = score.sort(descending=True, stable=True)
        self.narrowest = min(self.narrowest, gap(ranked.values, count))
        flat = torch.cat([chosen.flatten() for chosen in self.sets.values()])
        flat[ranked.indices[:count]] = True
        sizes = [chosen.numel() for chosen in self.sets.values()]
        self.sets = {name: part.view_as(self.sets[name]) for name, part in zip(self.sets, flat.split(sizes))}
        if self.optimizer:
            self.optimizer.step()
            masks = self.optimizer.param_groups[0]["chosen_masks"]
            assert all(torch.equal(mask, own) for mask, own in zip(masks, self.sets.values())), step
            self.sites.read()
        norm = norm_of(gradient[self.sets[name]] for name, gradient in gradients.items())
        if not self.optimizer:
            for name, gradient in gradients.items():
                self.sites.delta[name] -= self.adam.move(name, gradient * self.sets[name], step)
            self.sites.write()
        return norm, None

    def fields(self):
        return {}


class Dst:
    def __init__(self, case, sites):
        self.case, self.sites, self.narrowest, self.initial = case, sites, math.inf, None
        self.counts = {name: round(case.settings["share"] * value.numel()) for name, value in sites.start.items()}
        self.sets = {name: torch.zeros_like(value, dtype=torch.bool) for name, value in sites.start.items()}
        self.adam, self.replaced = Dense(case, sites), []

    def trainable(self):
        return sum(self.counts.values())

    def step(self, step):
        gradients = self.sites.gradients()
        before = self.sets
        self.sets = {}
        for name, gradient in gradients.items():
            moved = self.sites.delta[name] - self.adam.move(name, gradient, step)
            distance = moved.abs()
            if self.case["distance"] == "relative":
                distance = distance / (self.sites.start[name].abs() + self.case["floor"])
            # Larger distance first, then larger gradient, then lower position.
            order = gradient.abs().flatten().sort(descending=True, stable=True).indices
            order = order[distance.flatten()[order].sort(descending=True, stable=True).indices]
            keep = torch.zeros(distance.numel(), dtype=torch.bool)
            keep[order[:self.counts[name]]] = True
            self.narrowest = min(self.narrowest, gap(distance.flatten()[order], self.counts[name]))
            self.sets[name] = keep.view_as(distance)
            self.sites.delta[name] = torch.where(self.sets[name], moved, 0.0)
        self.replaced.append(sum((before[name] & ~kept).sum().item() for name, kept in self.sets.items()))
        norm = norm_of(gradients.values())
        self.sites.write()
        return norm, None

    def fields(self):
        return dict(counts=self.counts, replaced=self.replaced)


class Sara:
    """By pytorch-optimizer; with the nuclear norm, which that has for larger matrices only, by the formula."""

    def __init__(self, case, sites):
        self.case, self.sites, self.narrowest = case, sites, math.inf
        self.nuclear, self.threshold = case["nuclear"], case["threshold"]
        self.sets = {name: value.abs() < self.threshold for name, value in sites.start.items()}
        self.initial = dict(self.sets)
        self.adam, self.optimizer = Dense(case, sites), None
        if not self.nuclear:
            self.optimizer = SaRA(list(sites.weights.values()), lr=case.rate, betas=BETAS, eps=case.epsilon,
                                  threshold=self.threshold, progressive_iter=25 if case["progressive"] else -1,
                                  weight_decay=0.0, foreach=False)

    def trainable(self):
        return sum(mask.sum().item() for mask in self.initial.values())

    def step(self, step):
        gradients = self.sites.gradients()
        if self.optimizer:
            if step == 26:
                self.narrowest = min((value[self.sets[name]].abs() / self.threshold - 1).abs().min().item()
                                     for name, value in self.sites.weights.items())
            self.optimizer.step()
            self.sets = {name: self.optimizer.state[value]["mask"] for name, value in self.sites.weights.items()}
            self.sites.read()
            return norm_of(gradient[self.sets[name]] for name, gradient in gradients.items()), None
        name = list(self.sites.start)[(step - 1) % len(self.sites.start)]
        mask = self.sets[name]
        u, singular, v = torch.linalg.svd(self.sites.weights[name].detach() * mask, full_matrices=False)
        gradients[name] += self.nuclear * (u @ v) * mask
        for other, gradient in gradients.items():
            gradient *= self.sets[other]
            self.sites.delta[other] -= self.adam.move(other, gradient, step)
        self.sites.write()
        self.narrowest = min(self.narrowest, (singular[-1] / singular[0]).item())
        return norm_of(gradients.values()), self.nuclear * singular.sum().item()

    def fields(self):
        return {}


def sparse_run(case, models, batches, dtype):
    model = load(models, case.model, dtype)
    sites = Sites(case, model)
    for value in sites.weights.values():
        value.requires_grad_(True)
    rule = case.rule(case, sites)
    losses, norms, penalties, history = [], [], [], []
    for step, batch in enumerate(batches, 1):
        model.zero_grad()
        loss = F.cross_entropy(*logits_of(model, case.model, batch))
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            norm, penalty = rule.step(step)
        norms.append(norm)
        penalties.append(penalty)
        history.append([mask.clone() for mask in rule.sets.values()])
    indices = lambda sets, word: {f"{word}.{name}": mask.flatten().nonzero().flatten() for name, mask in sets.items()}
    tensors = indices(rule.initial or rule.sets, "indices")
    if rule.initial:
        tensors |= indices(rule.sets, "last")
    tensors |= {f"deltas.{name}": delta.flatten()[tensors[f"indices.{name}"]].float()
                for name, delta in sites.delta.items()}
    fields = dict(trainable=rule.trainable(), loss=losses, grad_norm=norms, **rule.fields())
    if penalties[0] is not None:
        fields["penalty"] = penalties
    return fields | dict(narrowest=rule.narrowest, history=history), tensors


# --- Adam-atan2 ------------------------------------------------------------------------------------------------------

def atan2_steps(folder):
    """Single vectors: gradients of 1e-3 to 1e1, some of them 0, one element's always."""
    generator = torch.Generator().manual_seed(5)
    sizes = 10 ** (4 * torch.rand(6, 64, generator=generator) - 3)
    gradients = sizes * torch.randn(6, 64, generator=generator).sign()
    gradients[torch.rand(6, 64, generator=generator) < 0.15] = 0.0
    gradients[:, 7] = 0.0
    start, tensors = torch.randn(64, generator=generator), dict(gradients=gradients)
    tensors["values0"] = start
    for name, decay in (("values", 0.0), ("values_decay", 0.1)):
        parameter = start.clone().requires_grad_(True)
        optimizer = AdamAtan2([parameter], lr=1e-2, betas=BETAS, weight_decay=decay)
        after = []
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
            after.append(parameter.detach().clone())
        tensors[name] = torch.stack(after)
    write_json(folder / "atan2.json", dict(
        reference="adam-atan2-pytorch 0.4.1, AdamAtan2", betas=BETAS, a=1.27, b=1.0, learning_rate=1e-2,
        weight_decay=dict(values=0.0, values_decay=0.1),
        decay="values *= 1 - learning_rate * weight_decay, before the move"))
    write_tensors(folder / "atan2.safetensors", tensors)


def atan2_run(case, models, batches, dtype):
    """Full fine-tuning as in curves/full."""
    model = load(models, case.model, dtype).requires_grad_(True)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = AdamAtan2(list(model.parameters()), lr=case.rate, betas=BETAS, weight_decay=0.01)
    losses, norms = [], []
    for batch in batches:
        loss = F.cross_entropy(*logits_of(model, case.model, batch))
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        norms.append(norm_of(value.grad for value in model.parameters()))
        optimizer.step()
    change = {name: float32s([(value.detach().double() - before[name].double()).norm().item()])[0]
              for name, value in model.named_parameters()}
    trainable = sum(value.numel() for value in before.values())
    return dict(trainable=trainable, loss=losses, grad_norm=norms, change=change), {}


# --- The cases -------------------------------------------------------------------------------------------------------

QV = ["q_proj", "v_proj"]
QVD = QV + ["down_proj"]
VO = ["v_proj", "o_proj"]
FORMULA = "the formula of the card, in PyTorch"


def settings(kind, targets=None, **own):
    return {"method.kind": kind} | ({"method.targets": targets} if targets else {}) | {
        f"method.{kind}.{name}": value for name, value in own.items()}


CASES = [
    Case("melora", "llama", 1e-2, settings("melora", QV, rank=2, blocks=4, alpha=4.0),
         "peft 0.21.2, LoRA of rank blocks * rank, its gradients masked to the blocks", attach_melora),
    Case("lorta", "bert", 2e-2, settings("lorta", ["q_proj", "k_proj", "v_proj", "o_proj"], rank=4, alpha=4.0,
                                         orientation="input"),
         "ihounie/lorta, peft/src/peft/tuners/lorta: LorTaModel._compute_weights_from_tensor and Linear.forward",
         attach_lorta),
    Case("lorta_output", "llama", 1e-2, settings("lorta", ["q_proj", "o_proj"], rank=4, alpha=4.0,
                                                 orientation="output"), FORMULA, attach_lorta_output),
    Case("ether", "llama", 1e-2, settings("ether", QVD, blocks=4, side="in"), FORMULA, attach_ether),
    Case("ether_out", "llama", 1e-2, settings("ether", QVD, blocks=4, side="out"), FORMULA, attach_ether),
    Case("ether_one", "llama", 1e-2, settings("ether", QVD, blocks=1, side="in"),
         "peft 0.21.2, HRA with one reflection", attach_ether_one),
    Case("ether_plus", "bert", 2e-2, settings("ether_plus", QV, blocks=4, side="both"), FORMULA, attach_ether),
    Case("loretta_rep", "llama", 1e-2, settings("loretta", QV, variant="rep", rank=4, tensor_rank=3, alpha=8.0,
                                                start="paper"),
         "loretta 0.1.0, tensor_layers.wrapped_linear_layers for both trains", attach_loretta),
    Case("loretta_adp", "bert", 2e-2, settings("loretta", ["o_proj", "down_proj"], variant="adp", bottleneck=8,
                                               tensor_rank=3),
         "loretta 0.1.0, tensor_layers.wrapped_linear_layers for both trains", attach_loretta),
    Case("finegates", "bert", 1e-2, settings("finegates", QVD, target=0.4, strength=2.0, noise=0.0),
         "jsvir/FineGates, model.py, SparseLayer", attach_finegates),
    Case("adamix", "bert", 1e-2, settings("adamix", ["down_proj"], variant="adapter", experts=4, bottleneck=8,
                                          consistency=1.0) | {"method.seed": 7},
         "microsoft/AdaMix, src/transformers/models/expert_soup.py, ExpertSoup, its draws replaced; " + FORMULA
         + " for the loss", attach_adamix),
    Case("adamix_lora", "llama", 1e-2, settings("adamix", QV, variant="lora", experts=3, rank=2, alpha=4.0,
                                                consistency=0.5) | {"method.seed": 7}, FORMULA, attach_adamix_lora),
    Case("ia3", "llama", 2e-2, settings("ia3", ["k_proj", "v_proj", "down_proj"], inputs=["down_proj"]),
         "peft 0.21.2, IA3", attach_ia3),
    Case("vera", "llama", 2e-2, settings("vera", QV, rank=6), "peft 0.21.2, VeRA, its random factors replaced",
         attach_vera),
    Case("bitfit", "bert", 1e-2, settings("bitfit"), "PyTorch", attach_parameters),
    Case("ln_tuning", "bert", 1e-2, settings("ln_tuning"), "PyTorch", attach_parameters),
    Case("ln_tuning_llama", "llama", 1e-2, settings("ln_tuning"), "PyTorch", attach_parameters),
    Case("id3", "llama", 8e-3, settings("id3", VO, epsilon=1e-3, exponent=1.0) | dict(budget=200, steps=50),
         "selective-optimizers 0.4, id3 over AdamW; the formula chooses the same scalars", rule=Id3),
    Case("id3_remainder", "llama", 8e-3, settings("id3", VO, epsilon=1e-3, exponent=1.0) | dict(budget=220, steps=50),
         FORMULA, rule=Id3),
    Case("dst", "llama", 3.5e-3, settings("dst", VO, distance="absolute") | dict(share=0.05), FORMULA, rule=Dst,
         epsilon=1e-3),
    Case("dst_relative", "llama", 4e-3, settings("dst", VO, distance="relative", floor=0.01) | dict(share=0.05),
         FORMULA, rule=Dst, epsilon=1e-3),
    Case("sara", "llama", 1.5e-3, settings("sara", VO, threshold=0.022, nuclear=0.0, progressive=True),
         "pytorch-optimizer 4.1.0, SaRA(foreach=False)", rule=Sara),
    Case("sara_nuclear", "llama", 1e-3, settings("sara", VO, threshold=0.05, nuclear=0.01, progressive=False), FORMULA,
         rule=Sara),
    Case("atan2_full", "llama", 1e-3, settings("full"), "adam-atan2-pytorch 0.4.1, AdamAtan2"),
]


def run_of(case):
    if case.name == "atan2_full":
        return atan2_run
    if case.rule:
        return sparse_run
    return parameters_run if case.attach is attach_parameters else dense_run


def furthest(values, exact):
    return max(abs(value - right) / abs(right) for value, right in zip(values, exact))


def rounding(case, single, double):
    """How far float32 is from float64: the losses and norms relatively, the tensors at the end absolutely."""
    (fields, tensors), (exact, exact_tensors) = single, double
    found = {word: furthest(fields[word], exact[word]) for word in ("loss", "grad_norm", "penalty") if word in fields}
    ends = [name for name in tensors if name.startswith(("final.", "deltas."))]
    if case.rule:
        history = [fields.pop("history"), exact.pop("history")]
        for step, (own, right) in enumerate(zip(*history), 1):
            assert all(map(torch.equal, own, right)), f"{case.name}: other scalars in float64 in step {step}"
        found["narrowest"] = fields.pop("narrowest")
        assert found["narrowest"] > NARROWEST, (case.name, found)
    if ends:
        found["final"] = max((tensors[name] - exact_tensors[name]).abs().max().item() for name in ends)
    assert found["loss"] < FURTHEST, (case.name, found)
    return {word: float(f"{value:.1e}") for word, value in found.items() if value < math.inf}


def write(case, folder, models, batches):
    run = run_of(case)
    single, double = run(case, models, batches, torch.float32), run(case, models, batches, torch.float64)
    far = rounding(case, single, double)
    fields, tensors = single
    given = dict(model=case.model, task=TASKS[case.model], reference=case.reference, settings=case.settings)
    if case.name == "atan2_full":
        given = dict(model=case.model, task=TASKS[case.model], method="full", optimizer="adam_atan2",
                     reference=case.reference, a=1.27, b=1.0, no_decay=[], max_grad_norm=0.0)
    given |= dict(betas=BETAS, epsilon=case.epsilon, weight_decay=0.01 if case.name == "atan2_full" else 0.0)
    numbers = {word: float32s(fields.pop(word)) for word in ("loss", "grad_norm", "penalty") if word in fields}
    write_json(folder / f"{case.name}.json", given | fields | dict(rounding=far) | numbers | dict(
        learning_rate=[case.rate] * len(batches)))
    if tensors:
        write_tensors(folder / f"{case.name}.safetensors", tensors)
    loss = numbers["loss"]
    print(f"{case.name:16} {sum(loss[:5]) / 5:.3f} -> {sum(loss[-5:]) / 5:.3f}  {far}", flush=True)


def cross_check(models, batches):
    """With one block, the formula of ETHER is what PEFT's HRA computes."""
    [case] = [case for case in CASES if case.name == "ether_one"]
    theirs = dense_run(case, models, batches[:10], torch.float32)[0]["loss"]
    own = Case(case.name, case.model, case.rate, case.settings, FORMULA, attach_ether)
    far = furthest(dense_run(own, models, batches[:10], torch.float32)[0]["loss"], theirs)
    print(f"ETHER with one block, formula to PEFT: {far:.1e}")
    assert far < 1e-5


def main():
    global AUTHORS
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--authors", type=Path, required=True,
                        help="folder with the clones of the authors' repositories")
    parser.add_argument("--curves", type=Path, default=here / "curves", help="folder of models and batches")
    parser.add_argument("--output", type=Path, default=here / "methods", help="folder to write to")
    parser.add_argument("--only", nargs="*", help="names of cases")
    arguments = parser.parse_args()
    AUTHORS = arguments.authors
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    models = arguments.curves / "models"
    batches = json.loads((arguments.curves / "batches.json").read_text())["batches"]
    arguments.output.mkdir(exist_ok=True)
    for case in CASES:
        if not arguments.only or case.name in arguments.only:
            write(case, arguments.output, models, batches)
    if not arguments.only:
        cross_check(models, batches)
        atan2_steps(arguments.output)


if __name__ == "__main__":
    main()
