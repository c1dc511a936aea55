"""Makes odd/: small models and adapters as people really save them, with what transformers and PEFT make of them.

    python tests/golden/make_odd.py

Needs what make_lora.py needs. Everything is random, seeded and computed on one thread: a second run on the same machine writes
the same bytes. odd/README.md says what each folder is.
"""

import json
import os
import shutil
import warnings
import zlib
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import torch.nn.functional as F
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer,
                          TextClassificationPipeline)

HERE = Path(__file__).parent / "odd"
WORDS = ["<pad>", "<unk>", "<s>", "</s>"] + [f"w{number}" for number in range(16)]
TEXTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9", "w10 w0 <pad> w11", "<pad> <pad>"]
SIZES = dict(vocab_size=len(WORDS), hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
             max_position_embeddings=32, bos_token_id=2, eos_token_id=3)
LLAMA = dict(SIZES, model_type="llama", num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=10000.0)
QWEN = dict(SIZES, model_type="qwen3", num_key_value_heads=2, head_dim=4, rms_norm_eps=1e-6, rope_theta=10000.0)
GEMMA = dict(SIZES, model_type="gemma", num_key_value_heads=2, head_dim=4, rms_norm_eps=1e-6, rope_theta=10000.0)
GPT2 = dict(model_type="gpt2", vocab_size=len(WORDS), n_embd=8, n_layer=2, n_head=2, n_positions=32, bos_token_id=2,
            eos_token_id=3)
BERT = dict(SIZES, model_type="bert", type_vocab_size=2, pad_token_id=0)
DISTILBERT = dict(model_type="distilbert", vocab_size=len(WORDS), dim=8, hidden_dim=12, n_layers=2, n_heads=2,
                  max_position_embeddings=32, pad_token_id=0)
ROBERTA = dict(SIZES, model_type="roberta", type_vocab_size=1, pad_token_id=0)


def seed(name):
    torch.manual_seed(zlib.crc32(name.encode()))


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def floats(tensor):
    return [round(float(value), 7) for value in tensor.flatten()]


def write_tokenizer(folder, appended=None):
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if appended:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {appended}", special_tokens=[(appended, WORDS.index(appended))])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = dict(tokenizer_class="PreTrainedTokenizerFast", pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    write_json(folder / "tokenizer_config.json", settings)


def stir(model):
    """Nothing at its neutral value, and no two tensors alike."""
    with torch.no_grad():
        for name, value in sorted(model.named_parameters()):
            norm = name.endswith("weight") and ("norm" in name.lower() or "ln_" in name)
            value.copy_(torch.randn(value.shape) * (0.2 if norm else 0.6) + (1.0 if norm and "gemma" not in model.config.model_type else 0.0))
    return model.eval()


def write(name, config, tensors, appended=None):
    """The folder of a model whose config.json is written as it is given."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(folder / "config.json", config)
    save_file({key: value.contiguous() for key, value in sorted(tensors.items())}, folder / "model.safetensors", {"format": "pt"})
    write_tokenizer(folder, appended)
    return folder


def skeleton(config, auto, **more):
    return stir(auto.from_config(AutoConfig.for_model(**{**config, **more})))


def weights(model):
    """As save_pretrained takes them: a tied head is not among them."""
    tied = set(model.all_tied_weights_keys)
    return {name: value for name, value in model.state_dict().items() if name not in tied}


def rows(model, folder, texts=TEXTS):
    """The logits of each text, alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        return [floats(model(**encode(model, tokenizer, text)).logits) for text in texts]


def encode(model, tokenizer, text):
    given = dict(input_ids=torch.tensor([tokenizer(text)["input_ids"]]))
    return given | ({} if model.config.model_type in ("bert", "roberta", "distilbert") else dict(use_cache=False))


def in_a_batch(model, folder, texts=TEXTS):
    """The logits of all texts together, padded on the right and masked."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    width = max(map(len, ids))
    padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    with torch.no_grad():
        return [floats(row) for row in model(input_ids=padded, attention_mask=mask).logits]


# --- A decoder's pooled token -----------------------------------------------------------------------------------------

def pooled():
    """The tokenizer appends the token that is the padding token too."""
    for name, config, pad in (("pooled-qwen3", QWEN, 0), ("pooled-gemma", GEMMA, "absent"), ("pooled-gpt2", GPT2, 0),
                              ("pooled-null", LLAMA, None), ("pooled-gemma-null", GEMMA, None)):
        seed(name)
        model = skeleton(config, AutoModelForSequenceClassification, num_labels=3)
        given = dict(config, architectures=[type(model).__name__], id2label={"0": "a", "1": "b", "2": "c"})
        if pad != "absent":
            given["pad_token_id"] = pad
        folder = write(name, given, weights(model), appended="<pad>")
        loaded = AutoModelForSequenceClassification.from_pretrained(folder)
        expected = dict(pad=loaded.config.pad_token_id, texts=TEXTS, logits=rows(loaded, folder))
        if loaded.config.pad_token_id is None:
            try:
                in_a_batch(loaded, folder)
                raise SystemExit("transformers took a batch")
            except ValueError as error:
                expected["batch"] = str(error)
        else:
            together = in_a_batch(loaded, folder)
            worst = max(abs(a - b) for one, two in zip(expected["logits"], together) for a, b in zip(one, two))
            # GPT-2 aside, whose positions a batch counts from the mask, one row is as it is in a batch.
            assert worst < 1e-5, (name, worst)
        write_json(folder / "expected.json", expected)


# --- The language-model head ------------------------------------------------------------------------------------------

def tied():
    for name, config in (("tied-own", LLAMA), ("tied-own-gpt2", GPT2), ("tied-equal", LLAMA), ("tied-head-only", LLAMA),
                         ("tied-head-only-gpt2", GPT2)):
        seed(name)
        model = skeleton(config, AutoModelForCausalLM, tie_word_embeddings=False)
        tensors = dict(model.state_dict())
        words = "transformer.wte.weight" if config is GPT2 else "model.embed_tokens.weight"
        if name.startswith("tied-equal"):
            tensors["lm_head.weight"] = tensors[words].clone()
        if name.startswith("tied-head-only"):
            del tensors[words]
        given = dict(config, tie_word_embeddings=True, architectures=[type(model).__name__])
        folder = write(name, given, tensors)
        loaded = AutoModelForCausalLM.from_pretrained(folder)
        embeddings, head = loaded.get_input_embeddings().weight, loaded.get_output_embeddings().weight
        tokenizer = AutoTokenizer.from_pretrained(folder)
        logprobs = []
        for text in TEXTS:
            given = encode(loaded, tokenizer, text)
            ids = given["input_ids"][0]
            with torch.no_grad():
                logits = loaded(**given).logits[0, :-1].log_softmax(-1)
            logprobs.append(floats(logits.gather(-1, ids[1:, None])))
        write_json(folder / "expected.json", dict(
            tied=embeddings.data_ptr() == head.data_ptr(), embeddings_sum=float(embeddings.double().sum()),
            head_sum=float(head.double().sum()), texts=TEXTS, logprobs=logprobs))


# --- Labels and problems of classifiers -------------------------------------------------------------------------------

def classifiers():
    cases = {
        # As transformers saved them while two labels were the default, and by hand.
        "labels-none": (BERT, 2, {}),
        "labels-number": (ROBERTA, 3, dict(num_labels=3)),
        "labels-numbers": (DISTILBERT, 3, dict(id2label={"0": 1, "1": 2, "2": 7})),
        "labels-both": (BERT, 3, dict(id2label={"0": "a", "1": "b"}, num_labels=3)),
        "labels-score": (LLAMA, 2, dict(pad_token_id=0)),
        "problem-multi": (BERT, 3, dict(id2label={"0": "a", "1": "b", "2": "c"}, problem_type="multi_label_classification")),
        "problem-multi-llama": (LLAMA, 3, dict(pad_token_id=0, id2label={"0": "a", "1": "b", "2": "c"},
                                               problem_type="multi_label_classification")),
        "problem-number": (ROBERTA, 1, dict(id2label={"0": "LABEL_0"}, problem_type="regression")),
        "problem-numbers": (DISTILBERT, 2, dict(id2label={"0": "x", "1": "y"}, problem_type="regression")),
        "problem-one": (BERT, 1, dict(id2label={"0": "score"})),
        "problem-single": (BERT, 2, dict(problem_type="single_label_classification")),
    }
    for name, (config, labels, given) in cases.items():
        seed(name)
        model = skeleton(config, AutoModelForSequenceClassification, num_labels=labels)
        folder = write(name, dict(config, architectures=[type(model).__name__], **given), weights(model))
        loaded = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        pipeline = TextClassificationPipeline(model=loaded, tokenizer=AutoTokenizer.from_pretrained(folder))
        outputs = [pipeline(text, top_k=None) for text in TEXTS]
        order = [loaded.config.id2label[at] for at in range(loaded.config.num_labels)]
        scores = [[next(one["score"] for one in row if one["label"] == label) for label in order] for row in outputs]
        expected = dict(texts=TEXTS, labels=[str(label) for label in order], logits=rows(loaded, folder), scores=scores,
                        best=[str(pipeline(text)[0]["label"]) for text in TEXTS])
        if name.startswith("problem") and name != "problem-single":
            expected |= measured(loaded, folder, order)
        write_json(folder / "expected.json", expected)


def measured(model, folder, labels):
    """The loss that transformers computes for all rows together, and scikit-learn's scores."""
    from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    width = max(map(len, ids))
    padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    logits = torch.tensor(rows(model, folder))
    if model.config.problem_type == "multi_label_classification":
        answers = torch.tensor([[(at + row) % 2 for at in range(len(labels))] for row in range(len(TEXTS))]).float()
        loss = model(input_ids=padded, attention_mask=mask, labels=answers).loss if model.config.model_type == "bert" else \
            F.binary_cross_entropy_with_logits(logits, answers)
        predicted = (logits.sigmoid() >= 0.5).int()
        return dict(answers=answers.int().tolist(), loss=float(loss), accuracy=accuracy_score(answers, predicted),
                    f1=f1_score(answers, predicted, average="micro"), f1_macro=f1_score(answers, predicted, average="macro"))
    answers = torch.tensor([[0.5 * row - at for at in range(len(labels))] for row in range(len(TEXTS))])
    loss = model(input_ids=padded, attention_mask=mask, labels=answers).loss if len(labels) > 1 else \
        F.mse_loss(logits.squeeze(), answers.squeeze())
    return dict(answers=answers.tolist(), loss=float(loss), mae=mean_absolute_error(answers, logits),
                r2=r2_score(answers, logits))


# --- Adapters of PEFT ---------------------------------------------------------------------------------------------------

def save_adapter(model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    (folder / "README.md").unlink()
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = Path(settings["base_model_name_or_path"]).name
    for name in ("target_modules", "modules_to_save"):
        if isinstance(settings[name], list):
            settings[name] = sorted(settings[name])
    write_json(folder / "adapter_config.json", settings)
    for file in folder.iterdir():
        file.chmod(0o644)


def adapter(name, base, auto, change=None, **settings):
    """Its outputs are those of PEFT after saving and loading it."""
    seed(name)
    classifies = auto is AutoModelForSequenceClassification
    model = get_peft_model(auto.from_pretrained(HERE / base), LoraConfig(
        r=2, lora_alpha=4, task_type="SEQ_CLS" if classifies else "CAUSAL_LM", **settings))
    with torch.no_grad():
        for value in (value for value in model.parameters() if value.requires_grad):
            value.copy_(torch.randn(value.shape) * 0.5)
    folder = HERE / name
    save_adapter(model, folder)
    if change:
        tensors = load_file(folder / "adapter_model.safetensors")
        change(tensors)
        save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
        (folder / "adapter_model.safetensors").chmod(0o644)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = PeftModel.from_pretrained(auto.from_pretrained(HERE / base), folder).eval()
    said = [str(one.message) for one in caught if "missing adapter keys" in str(one.message)]
    expected = dict(base=base, texts=TEXTS, said=said)
    if classifies:
        expected["logits"] = rows(loaded, HERE / base)
    else:
        tokenizer, expected["logprobs"] = AutoTokenizer.from_pretrained(HERE / base), []
        for text in TEXTS:
            given = encode(loaded, tokenizer, text)
            with torch.no_grad():
                logits = loaded(**given).logits[0, :-1].log_softmax(-1)
            expected["logprobs"].append(floats(logits.gather(-1, given["input_ids"][0][1:, None])))
    write_json(folder / "expected.json", expected)


def adapters():
    for name, config, tie in (("base-llama", LLAMA, False), ("base-llama-tied", LLAMA, True)):
        seed(name)
        model = skeleton(config, AutoModelForCausalLM, tie_word_embeddings=tie)
        write(name, dict(config, tie_word_embeddings=tie, architectures=[type(model).__name__]), weights(model))
    seed("base-bert")
    model = skeleton(BERT, AutoModelForSequenceClassification, num_labels=3)
    write("base-bert", dict(BERT, architectures=["BertForSequenceClassification"], id2label={"0": "a", "1": "b", "2": "c"}),
          weights(model))
    # The same without a pooler: an adapter that brings one makes the same model of it.
    body = {name: value for name, value in weights(model).items() if "pooler" not in name and "classifier" not in name}
    write("base-bert-bare", dict(BERT, architectures=["BertModel"]), body)

    def without_a_layer(tensors):
        for key in [key for key in tensors if ".layers.1." in key and "q_proj" in key]:
            del tensors[key]

    def with_more(tensors):
        for at in range(7):
            tensors[f"base_model.model.model.layers.{at + 2}.self_attn.q_proj.lora_A.weight"] = torch.ones(2, 8)
            tensors[f"base_model.model.model.layers.{at + 2}.self_attn.q_proj.lora_B.weight"] = torch.ones(8, 2)

    causal, classifier = AutoModelForCausalLM, AutoModelForSequenceClassification
    adapter("lora-missing", "base-llama", causal, without_a_layer, target_modules=["q_proj", "v_proj"])
    adapter("lora-more", "base-llama", causal, with_more, target_modules=["q_proj", "v_proj"])
    adapter("lora-some-layers", "base-llama", causal, target_modules=["q_proj", "v_proj"], layers_to_transform=[1])
    adapter("lora-regex", "base-llama", causal, target_modules=r".*layers\.0\.self_attn\.(q|v)_proj")
    adapter("lora-embeddings", "base-llama", causal, target_modules=["q_proj"], modules_to_save=["embed_tokens"])
    adapter("lora-head", "base-llama", causal, target_modules=["q_proj"], modules_to_save=["lm_head"])
    adapter("lora-both", "base-llama", causal, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"])
    adapter("lora-tied-embeddings", "base-llama-tied", causal, target_modules=["q_proj"], modules_to_save=["embed_tokens"])
    adapter("lora-tied-head", "base-llama-tied", causal, target_modules=["q_proj"], modules_to_save=["lm_head"])
    adapter("lora-norm", "base-llama", causal, target_modules=["q_proj"], modules_to_save=["input_layernorm"])
    adapter("lora-pooler", "base-bert", classifier, target_modules=["query", "dense"])
    adapter("lora-pooler-dora", "base-bert", classifier, target_modules=["query", "pooler.dense"], use_dora=True)
    adapter("lora-pooler-saved", "base-bert", classifier, target_modules=["query"], modules_to_save=["pooler", "classifier"])
    adapter("lora-bert-words", "base-bert", classifier, target_modules=["query"],
            modules_to_save=["word_embeddings", "classifier"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    HERE.mkdir(exist_ok=True)
    pooled()
    tied()
    classifiers()
    adapters()
    print("odd/ is made with transformers", transformers.__version__)
