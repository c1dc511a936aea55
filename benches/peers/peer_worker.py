"""One Python contestant: loads the model, adapts it, and runs steps when asked."""

import argparse
import time

import torch
from transformers import AutoConfig, AutoModelForCausalLM

import memory
from model import SEED
from pipes import serve

# What each setting adapts: the linears by name, and what peft-sparta has to be told to leave frozen.
LINEARS = {
    "all-linear": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "v_proj,o_proj": ["v_proj", "o_proj"],
}
FROZEN = {
    "all-linear": ["embed_tokens", "norm", "lm_head"],
    "v_proj,o_proj": ["embed_tokens", "norm", "lm_head", "self_attn.q", "self_attn.k", "mlp"],
}
BETAS = (0.9, 0.99)
RATE = 1e-4


def peft_sparta(model, options):
    """As its trainer does: its wrapper, and AdamW over the deltas, which is fused on CUDA only."""
    from peft_sparta import SpaRTA

    wrapped = SpaRTA(model, sparsity=options.sparsity, frozen_modules=FROZEN[options.targets])
    wrapped.train()
    fused = options.device == "cuda"
    return wrapped, torch.optim.AdamW(wrapped.parameters(), lr=RATE, betas=BETAS, weight_decay=0.0, fused=fused), {}


def peft_lora(model, options):
    """PEFT's LoRA with its defaults and the rank whose trainable count is nearest to SpaRTA's."""
    from peft import LoraConfig, get_peft_model

    budget = (1 - options.sparsity) * model.num_parameters()
    rank = max(1, round(budget / scalars_per_rank(model, LINEARS[options.targets])))
    config = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, target_modules=LINEARS[options.targets])
    wrapped = get_peft_model(model, config)
    return wrapped.train(), fused_adamw(wrapped), {"rank": rank}


def full(model, _options):
    return model.train(), fused_adamw(model), {}


def scalars_per_rank(model, targets):
    linears = (m for name, m in model.named_modules() if name.rpartition(".")[2] in targets)
    return sum(linear.in_features + linear.out_features for linear in linears)


def fused_adamw(model):
    """The fastest AdamW that PyTorch has."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, lr=RATE, betas=BETAS, weight_decay=0.0, fused=True)


PEERS = {"peft-sparta": peft_sparta, "lora": peft_lora, "full": full}


class Contestant:
    def __init__(self, options):
        import_everything()
        torch.manual_seed(SEED)
        self.options = options
        model = load(options)
        self.loaded = memory.on_device() if options.device == "cuda" else resident_with_weights(model)
        self.model, self.optimizer, self.facts = PEERS[options.peer](model, options)
        self.vocabulary = model.config.vocab_size
        self.trainable = sum(p.numel() for group in self.optimizer.param_groups for p in group["params"])

    def warm_up(self):
        for _ in range(self.options.warmup):
            self.timed_step()
        return {"trainable": self.trainable, "threads": torch.get_num_threads(), **self.facts}

    def handle(self, request):
        times = [self.timed_step() for _ in range(request["steps"])]
        peak = memory.on_device() if self.options.device == "cuda" else memory.peak()
        return {"step_ms": times, "peak_rss_mib": peak, "loaded_rss_mib": self.loaded}

    def timed_step(self):
        batch = self.random_batch()
        self.wait()
        started = time.perf_counter()
        self.step(batch)
        self.wait()
        return (time.perf_counter() - started) * 1e3

    def random_batch(self):
        ids = torch.randint(self.vocabulary, (self.options.batch, self.options.length), device=self.options.device)
        return {"input_ids": ids, "labels": ids, "attention_mask": torch.ones_like(ids)}

    def wait(self):
        if self.options.device == "cuda":
            torch.cuda.synchronize()

    def step(self, batch):
        """The order of peft-sparta's trainer; it reads the loss each step."""
        with torch.autocast(self.options.device, torch.bfloat16, enabled=self.options.autocast):
            loss = self.model(**batch, use_cache=False).loss
        loss.item()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def load(options):
    """The model of the folder, or on a device, one with weights drawn there."""
    dtype = getattr(torch, options.dtype)
    if options.device == "cpu":
        return AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype)
    with torch.device(options.device):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(options.model), dtype=dtype)


def import_everything():
    """So that no library's code counts as a peer's memory."""
    import peft
    import peft_sparta

    return peft, peft_sparta


def resident_with_weights(model):
    """Weights may be mapped and not yet read, so each is read before it counts."""
    for parameter in model.parameters():
        parameter.detach().float().sum()
    memory.forget_peak()
    return memory.resident()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--targets", choices=LINEARS, default="all-linear")
    parser.add_argument("--sparsity", type=float, default=0.99)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--autocast", action="store_true")
    options = parser.parse_args()

    def start():
        contestant = Contestant(options)
        return contestant.warm_up(), contestant.handle

    serve(start)


if __name__ == "__main__":
    main()
