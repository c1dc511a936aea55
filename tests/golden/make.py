"""Makes the golden files of this folder with PyTorch and transformers, without a line of spartui. See README.md.

    python tests/golden/make.py --output tests/golden --minilm models/all-MiniLM-L6-v2

Everything is seeded and computed on one thread: a second run on the same machine writes the same bytes.
"""

import argparse
import json
import math
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy
import safetensors.torch
import torch
import torch.nn.functional as F
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, BertForSequenceClassification

# --- The three small models ------------------------------------------------------------------------------------------

LABELS_A = ["billing", "delivery", "other"]

# layout: "classifier" = BertForSequenceClassification with its head; "bare" = BertModel, no prefix;
# "old" = as the original BERT checkpoints on the hub: `bert.` prefix, LayerNorm.gamma/beta, position_ids, an MLM head.
SMALL_MODELS = {
    "bert-a": dict(seed=11, layout="classifier", labels=3, config=dict(
        architectures=["BertForSequenceClassification"], hidden_size=32, num_attention_heads=2, num_hidden_layers=3,
        intermediate_size=64, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12,
        id2label={str(i): name for i, name in enumerate(LABELS_A)},
        label2id={name: i for i, name in enumerate(LABELS_A)},
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)),
    "bert-b": dict(seed=22, layout="bare", labels=4, config=dict(
        architectures=["BertModel"], hidden_size=48, num_attention_heads=4, num_hidden_layers=2,
        intermediate_size=40, type_vocab_size=1, hidden_act="gelu_new", layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)),
    "bert-c": dict(seed=33, layout="old", labels=2, config=dict(
        architectures=["BertForMaskedLM"], hidden_size=24, num_attention_heads=3, num_hidden_layers=1,
        intermediate_size=100, type_vocab_size=2, hidden_act="relu", layer_norm_eps=1e-12,
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)),  # dropout must be off in evaluation
}
MAX_POSITIONS = 40

WORDS = """the a an i you we it is was not my your this that and or but to of for in on with from at can please help
order parcel package delivery late lost arrived invoice bill charge charged paid pay refund money card account password
login email change cancel thanks great bad broken new item today twice where when why how what hello yes no
time day still thank""".split()
PIECES = ["##s", "##ed", "##ing", "##ly", "##er", "##e", "##n", "##t", "##able"]
SIGNS = [".", ",", "?", "!", "'", "-"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS + PIECES + SIGNS
CLS, SEP = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")

TEXTS_A = [
    "Where is my parcel?",
    "I was charged twice, please refund the money!",
    "The package arrived late and the item is broken.",
    "how can i change my password or email",
    "",
    "zebra",
    "Invoices, bills & CHARGES",
    "Thánks — the delivery was great…",
    "not paid",
    "my account login is lost; why was the new card not charged today, and when can you help with the invoice?",
]


def random_weights(config, generator):
    """Weights far larger than a default initialisation, and no bias or LayerNorm at its neutral value.

    The embeddings are small, so that their LayerNorm sees a variance where a wrong layer_norm_eps shows.
    """
    hidden, inner = config["hidden_size"], config["intermediate_size"]

    def normal(*shape, mean=0.0, std=0.2):
        return mean + std * torch.randn(*shape, generator=generator)

    weights = {
        "embeddings.word_embeddings.weight": normal(config["vocab_size"], hidden, std=0.02),
        "embeddings.position_embeddings.weight": normal(config["max_position_embeddings"], hidden, std=0.02),
        "embeddings.token_type_embeddings.weight": normal(config["type_vocab_size"], hidden, std=0.02),
        "embeddings.LayerNorm.weight": normal(hidden, mean=1.0),
        "embeddings.LayerNorm.bias": normal(hidden),
    }
    for layer in range(config["num_hidden_layers"]):
        for name, rows, columns in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", inner, hidden),
            ("output.dense", hidden, inner),
        ]:
            weights[f"encoder.layer.{layer}.{name}.weight"] = normal(rows, columns)
            weights[f"encoder.layer.{layer}.{name}.bias"] = normal(rows)
        for name in ["attention.output.LayerNorm", "output.LayerNorm"]:
            weights[f"encoder.layer.{layer}.{name}.weight"] = normal(hidden, mean=1.0)
            weights[f"encoder.layer.{layer}.{name}.bias"] = normal(hidden)
    weights["pooler.dense.weight"] = normal(hidden, hidden)
    weights["pooler.dense.bias"] = normal(hidden)
    return weights


def write_model(folder, spec):
    """config.json and model.safetensors; returns the head, which only the "classifier" layout stores in the file."""
    config = dict(
        spec["config"], model_type="bert", vocab_size=len(VOCABULARY), max_position_embeddings=MAX_POSITIONS,
        pad_token_id=0, position_embedding_type="absolute", initializer_range=0.02)
    generator = torch.Generator().manual_seed(spec["seed"])
    weights = random_weights(config, generator)
    head = {
        "weight": 0.5 * torch.randn(spec["labels"], config["hidden_size"], generator=generator),
        "bias": 0.5 * torch.randn(spec["labels"], generator=generator),
    }
    if spec["layout"] != "bare":
        weights = {f"bert.{name}": value for name, value in weights.items()}
    if spec["layout"] == "classifier":
        weights |= {f"classifier.{name}": value for name, value in head.items()}
    if spec["layout"] == "old":
        weights = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
            for name, value in weights.items()}
        weights["bert.embeddings.position_ids"] = torch.arange(MAX_POSITIONS).unsqueeze(0)
        weights["cls.predictions.bias"] = torch.randn(len(VOCABULARY), generator=generator)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", weights, {"format": "pt"})
    return head


def write_tokenizer(folder):
    tokenizer = Tokenizer(models.WordPiece(
        {token: i for i, token in enumerate(VOCABULARY)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)])
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", dict(
        tokenizer_class="BertTokenizer", do_lower_case=True, model_max_length=MAX_POSITIONS, pad_token="[PAD]",
        unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"))


def load(folder, labels, head=None, dtype=torch.float32):
    """transformers' own classifier in evaluation mode, with the head replaced where one is given."""
    model, info = BertForSequenceClassification.from_pretrained(
        str(folder), num_labels=labels, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = {name for name in info["missing_keys"] if not name.startswith("classifier.")}
    assert not missing and not info.get("mismatched_keys"), info
    if head is not None:
        with torch.no_grad():
            model.classifier.weight.copy_(head["weight"])
            model.classifier.bias.copy_(head["bias"])
    assert not model.classifier.weight.isnan().any()
    return model.to(dtype).eval()


# --- Batches and logits ----------------------------------------------------------------------------------------------

def random_batch(lengths, generator, type_vocab_size=1):
    """Right-padded with id 0, [CLS] first and [SEP] last; with two token types, the second from the middle on."""
    width = max(lengths)
    ids = torch.zeros(len(lengths), width, dtype=torch.int64)
    types = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(5, len(VOCABULARY), (length,), generator=generator)
        ids[row, 0], ids[row, length - 1] = CLS, SEP
        if type_vocab_size > 1:
            types[row, length // 2:length] = 1
    return dict(lengths=list(lengths), input_ids=ids, token_type_ids=types)


def rows(batch, start, end):
    """Some rows of a batch, padded to their own longest row only."""
    lengths = batch["lengths"][start:end]
    return dict(
        lengths=lengths,
        input_ids=batch["input_ids"][start:end, :max(lengths)],
        token_type_ids=batch["token_type_ids"][start:end, :max(lengths)])


def inputs(batch):
    positions = torch.arange(batch["input_ids"].shape[1])
    mask = (positions < torch.tensor(batch["lengths"]).unsqueeze(1)).long()  # by length, never by token id
    return dict(input_ids=batch["input_ids"], token_type_ids=batch["token_type_ids"], attention_mask=mask)


@torch.no_grad()
def golden_batch(name, batch, folder, labels, head):
    result = dict(name=name, **batch)
    for dtype in [torch.float32, torch.float64, torch.bfloat16]:
        model = load(folder, labels, head, dtype)
        result[f"logits_{str(dtype)[6:]}"] = model(**inputs(batch)).logits
        if dtype == torch.float64:
            result["pooled_float64"] = model.bert(**inputs(batch)).pooler_output
        if dtype == torch.bfloat16:  # the head in float32, as spartui keeps it
            pooled = model.bert(**inputs(batch)).pooler_output.float()
            result["logits_bfloat16_head_float32"] = F.linear(pooled, head["weight"], head["bias"])
    return result


def golden_small(folder, name, spec, head):
    generator = torch.Generator().manual_seed(1000 + spec["seed"])
    types = spec["config"]["type_vocab_size"]
    batches = {
        "unequal": random_batch([7, 19, 3, 12, 2], generator),
        "longest": random_batch([MAX_POSITIONS, 5, 23], generator),
        "no padding": random_batch([9, 9, 9, 9], generator),
        "single": random_batch([6], generator),
        "pad id inside": random_batch([8, 11, 5], generator),  # id 0 as a real token: it must be attended to
    }
    batches["pad id inside"]["input_ids"][0, 3] = 0
    batches["pad id inside"]["input_ids"][2, 1:4] = 0
    if types > 1:
        batches["two token types"] = random_batch([14, 6, 10], generator, types)

    golden = dict(
        model=name, labels=spec["labels"], hidden_size=spec["config"]["hidden_size"], head=head,
        batches=[golden_batch(title, batch, folder, spec["labels"], head) for title, batch in batches.items()])

    with torch.no_grad():  # position 0 after the embeddings and after each layer: to find where an error begins
        model = load(folder, spec["labels"], head, torch.float64)
        states = model(**inputs(batches["unequal"]), output_hidden_states=True).hidden_states
        golden["first_position_by_layer_float64"] = torch.stack([state[:, 0] for state in states])
    if name == "bert-a":
        golden["texts"] = golden_texts(folder, TEXTS_A, spec["labels"], head)
        golden["gradients"] = golden_gradients(folder, spec, head)
    write_json(folder / "golden.json", golden)


@torch.no_grad()
def golden_texts(folder, texts, labels, head):
    """Each text alone: no padding and no truncation."""
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    raw.no_truncation()
    raw.no_padding()
    model, model64 = load(folder, labels, head), load(folder, labels, head, torch.float64)
    result = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        assert ids == raw.encode(text).ids, f"transformers and tokenizers disagree on {text!r}"
        batch = torch.tensor([ids])
        result.append(dict(
            text=text, input_ids=ids, logits_float32=model(input_ids=batch).logits[0],
            logits_float64=model64(input_ids=batch).logits[0]))
    return result


# --- Gradients -------------------------------------------------------------------------------------------------------

def golden_gradients(folder, spec, head):
    """Dense float64 gradients of the mean cross-entropy for every encoder linear and the head of bert-a."""
    generator = torch.Generator().manual_seed(77)
    batch = random_batch([13, 4, 21, 8, 2, 16], generator, spec["config"]["type_vocab_size"])
    labels = torch.tensor([0, 2, 1, 1, 0, 2])
    model = load(folder, spec["labels"], head, torch.float64)
    logits = model(**inputs(batch)).logits
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    gradients = {
        name.removeprefix("bert."): parameter.grad
        for name, parameter in model.named_parameters()
        if name.startswith("classifier.")
        or (name.startswith("bert.encoder.layer.") and name.endswith(".weight") and parameter.dim() == 2)}
    assert len(gradients) == 6 * spec["config"]["num_hidden_layers"] + 2
    write_tensors(folder / "gradients.safetensors", gradients)
    return dict(**batch, targets=labels, loss=loss.item(), logits_float64=logits.detach())


# --- Training --------------------------------------------------------------------------------------------------------

SETTINGS = dict(
    steps=20, warmup_steps=5, learning_rate=1e-2, min_learning_rate=1e-3, betas=[0.9, 0.99], epsilon=1e-8,
    weight_decay=0.01, max_grad_norm=1.0)


def learning_rate(step, settings):
    """`step` counts from 1."""
    base, least, warmup = settings["learning_rate"], settings["min_learning_rate"], settings["warmup_steps"]
    if step <= warmup:
        return base * step / warmup
    progress = (step - warmup) / (settings["steps"] - warmup)
    return least + (base - least) * 0.5 * (1 + math.cos(math.pi * progress))


def train(folder, head, indices, batches, settings, dtype=torch.float32, split=False):
    """The plain loop: dense gradients, gathered; AdamW on the deltas; weights rewritten as w0 + delta after each step.

    With `split`, each batch goes through in two micro batches, each padded to its own longest row, the mean loss of
    each weighted by its share of the examples.
    """
    model = load(folder, head["weight"].shape[0], head, dtype)
    sites = {}
    for name, parameter in model.named_parameters():
        name = name.removeprefix("bert.")
        parameter.requires_grad_(name in indices or name.startswith("classifier."))
        if name in indices:
            sites[name] = (parameter, indices[name])
        elif name.startswith("classifier."):
            sites[name.replace("classifier.", "head.")] = (parameter, torch.arange(parameter.numel()))
    original = {name: parameter.detach().flatten()[index].clone() for name, (parameter, index) in sites.items()}
    deltas = {name: torch.zeros_like(original[name], requires_grad=True) for name in sites}
    optimizer = torch.optim.AdamW(
        [dict(params=[deltas[name] for name in sites if not name.startswith("head.")],
              weight_decay=settings["weight_decay"]),
         dict(params=[deltas[name] for name in sites if name.startswith("head.")], weight_decay=0.0)],
        lr=0.0, betas=tuple(settings["betas"]), eps=settings["epsilon"], foreach=False)

    history, first_gradients = [], {}
    for step, batch in enumerate(batches, 1):
        model.zero_grad()
        total = len(batch["lengths"])
        cut = batch["split"] if split else total
        loss = 0.0
        for start, end in [(0, cut), (cut, total)]:
            if start == end:
                continue
            logits = model(**inputs(rows(batch, start, end))).logits
            part = F.cross_entropy(logits, batch["targets"][start:end]) * (end - start) / total
            part.backward()
            loss += part.item()
        for name, (parameter, index) in sites.items():
            deltas[name].grad = parameter.grad.flatten()[index]
            if step == 1:
                first_gradients[name] = deltas[name].grad.clone()
        norm = torch.nn.utils.clip_grad_norm_(deltas.values(), settings["max_grad_norm"], foreach=False).item()
        rate = learning_rate(step, settings)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        with torch.no_grad():
            for name, (parameter, index) in sites.items():
                parameter.view(-1)[index] = original[name] + deltas[name]
        history.append(dict(step=step, loss=loss, grad_norm=norm, learning_rate=rate))
    return history, {name: delta.detach() for name, delta in deltas.items()}, first_gradients


def golden_training(folder, head):
    generator = torch.Generator().manual_seed(404)
    head = {name: 0.2 * value for name, value in head.items()}  # so that most of the loss is not in the head
    sites = [
        f"encoder.layer.{layer}.attention.{module}.weight"
        for layer in range(2) for module in ["self.value", "output.dense"]]
    count = round(0.05 * 48 * 48)
    indices = {name: torch.randperm(48 * 48, generator=generator)[:count].sort().values for name in sites}
    batches = []
    for _ in range(SETTINGS["steps"]):
        size = int(torch.randint(5, 8, (), generator=generator))
        batch = random_batch(torch.randint(3, 21, (size,), generator=generator).tolist(), generator)
        batch["targets"] = batch["input_ids"][:, 1] % 4  # the second token decides, so that there is something to learn
        batch["split"] = int(torch.randint(1, size, (), generator=generator))  # rows of the first micro batch
        batches.append(batch)

    # A decay so large that a mistake in it cannot hide, and a clip that some steps reach and others do not.
    heavy = dict(SETTINGS, weight_decay=2.0, max_grad_norm=2.0)
    variants = {
        "plain": dict(settings=SETTINGS),
        "accumulated": dict(settings=SETTINGS, split=True),
        "heavy": dict(settings=heavy),
        "plain_float64": dict(settings=SETTINGS, dtype=torch.float64),
    }
    result = dict(
        model="bert-b", settings=SETTINGS, heavy_settings=heavy,
        learning_rate_formula="step counts from 1; step <= warmup: base * step / warmup; after: min + (base - min) "
                              "* 0.5 * (1 + cos(pi * (step - warmup) / (steps - warmup)))",
        clipping="one 2-norm over all trained scalars; gradients times min(1, max_grad_norm / (norm + 1e-6))",
        order="gradients, clip, delta *= 1 - lr * weight_decay (not the head), Adam on delta, w = w0 + delta",
        density=0.05, sites=sites, head=head, batches=batches)
    tensors = {f"indices.{name}": index for name, index in indices.items()}
    for variant, arguments in variants.items():
        history, deltas, first = train(folder, head, indices, batches, **arguments)
        result[variant] = history
        tensors |= {f"{variant}.deltas.{name}": delta for name, delta in deltas.items()}
        if variant == "plain":
            tensors |= {f"{variant}.first_gradients.{name}": gradient for name, gradient in first.items()}

    def distance(one, other):
        names = list(indices) + ["head.weight", "head.bias"]
        return max((tensors[f"{one}.deltas.{name}"].double() - tensors[f"{other}.deltas.{name}"].double()).abs().max()
                   for name in names).item()

    result["largest_difference_of_deltas"] = {  # what tolerance is reasonable, and what each variant would show
        "plain to plain_float64": distance("plain", "plain_float64"),
        "plain to accumulated": distance("plain", "accumulated"),
        "plain to heavy": distance("plain", "heavy"),
        "largest delta": max(tensors[f"plain.deltas.{name}"].abs().max().item() for name in indices)}
    write_json(folder / "training.json", result)
    write_tensors(folder / "training.safetensors", tensors)


# --- all-MiniLM-L6-v2 ------------------------------------------------------------------------------------------------

TEXTS_MINILM = [
    "Where is my parcel?",
    "I was charged twice for the same order last month and nobody has answered my emails.",
    "",
    "   \t ",
    "a",
    "Ünïcödé: naïve café, Straße, Ærøskøbing — “quotes” … and a soft\u00adhyphen",
    "東京タワーへ行きたいです。 서울 Привет, мир! שלום",
    "🚚 late again 😡😡 👩‍👩‍👧‍👦 #fail @support https://example.com/a?b=c&d=%20e",
    "line one\nline two\r\nline three\u0000\u0007\u200b end",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis " + "x" * 120,
    "[CLS] is it [MASK] or [SEP] ? [UNK]",
    "I'd've thought $1,234.56 (incl. 19% VAT) isn't O.K., don't you?",
    " ".join(f"Item {n} of the order arrived on day {n * 7 % 31}, two days late." for n in range(1, 26)),
]


def golden_minilm(output, folder):
    generator = torch.Generator().manual_seed(555)
    head = {  # 0.2 is ten times a usual head, so that differences show
        "weight": 0.2 * torch.randn(4, 384, generator=generator),
        "bias": 0.5 * torch.randn(4, generator=generator)}
    texts = golden_texts(folder, TEXTS_MINILM, 4, head)
    assert 128 < max(len(text["input_ids"]) for text in texts) <= 512  # tokenizer.json itself would cut at 128

    chosen = [text["input_ids"] for text in texts[:12]]
    batch = random_batch([len(ids) for ids in chosen], generator)
    for row, ids in enumerate(chosen):
        batch["input_ids"][row, :len(ids)] = torch.tensor(ids)
    with torch.no_grad():
        padded = load(folder, 4, head)(**inputs(batch)).logits
        half = load(folder, 4, head, torch.bfloat16).bert(**inputs(batch)).pooler_output.float()
    alone = torch.stack([text["logits_float32"] for text in texts[:12]])
    exact = torch.stack([text["logits_float64"] for text in texts[:12]])
    low = F.linear(half, head["weight"], head["bias"])
    for text, logits in zip(texts, low):
        text["logits_bfloat16_head_float32"] = logits
    write_json(output / "minilm.json", dict(
        model="all-MiniLM-L6-v2", labels=4, head=head, texts=texts,
        largest_difference={
            "float32 alone to float64": (alone - exact).abs().max().item(),
            "float32 alone to padded": (alone - padded).abs().max().item(),
            "bfloat16 padded to float64": (low - exact).abs().max().item(),
            "largest logit": exact.abs().max().item()}))


# --- Files -----------------------------------------------------------------------------------------------------------

def plain(value):
    """Tensors as lists; a float32 as the shortest decimal that reads back as the same float32."""
    if isinstance(value, torch.Tensor):
        if value.dtype == torch.bfloat16:
            value = value.float()
        return plain(value.detach().numpy())
    if isinstance(value, numpy.ndarray):
        if value.dtype == numpy.float32:
            short = numpy.array([float(str(number)) for number in value.ravel()], dtype=numpy.float64)
            assert (short.astype(numpy.float32) == value.ravel()).all()
            return short.reshape(value.shape).tolist()
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def write_json(path, value):
    """One line per key of the outermost object, and per entry of a list of objects in it."""
    def entry(item):
        if isinstance(item, list) and item and isinstance(item[0], dict):
            return "[\n  " + ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in item) + "]"
        return json.dumps(item, ensure_ascii=False)
    lines = [f"{json.dumps(key)}: {entry(item)}" for key, item in plain(value).items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write_tensors(path, tensors, metadata=None):
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(path), metadata)
    path.chmod(0o644)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2; without it minilm.json is left alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    for name, spec in SMALL_MODELS.items():
        folder = arguments.output / name
        head = write_model(folder, spec)
        if name == "bert-a":
            write_tokenizer(folder)
        golden_small(folder, name, spec, head)
        if name == "bert-b":
            golden_training(folder, head)
    if arguments.minilm:
        golden_minilm(arguments.output, arguments.minilm)


if __name__ == "__main__":
    main()
