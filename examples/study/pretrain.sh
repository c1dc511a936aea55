#!/usr/bin/env bash
# Pretrains a language model for the study, on text that this machine has: see draw_text.py.
#
#   examples/study/pretrain.sh FOLDER [HIDDEN LAYERS STEPS]
#
# Default: hidden size 256, 6 layers, 1700 steps of 16 rows (5.8 million parameters; half an hour on one core). The model is then in
# FOLDER/runs/pretrained/model. Needs the Python package tokenizers; PYTHON names the interpreter that has it.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1 hidden=${2:-256} layers=${3:-6} steps=${4:-1700}
spartui=${SPARTUI:-$root/target/release/spartui}
python=${PYTHON:-python3}
mkdir -p "$folder/base"
if [ ! -f "$folder/text/drawn.txt" ]; then
    apt-cache dumpavail | "$python" "$here/draw_text.py" "$folder/text" pretrain
fi
tiny=$root/examples/tiny-llama
cp "$tiny/model/tokenizer_config.json" "$tiny/model/generation_config.json" "$folder/base/"
[ -f "$folder/base/tokenizer.json" ] || "$python" "$tiny/make_tokenizer.py" --text "$folder/text/train.jsonl" --vocabulary 4096 \
    --output "$folder/base/tokenizer.json"
"$python" - "$tiny/model/config.json" "$folder/base/config.json" "$hidden" "$layers" <<'PYTHON'
import json, sys

source, target, hidden, layers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
config = json.load(open(source))
heads = max(1, hidden // 64)
config |= dict(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=heads,
               head_dim=hidden // heads, intermediate_size=(hidden * 8 // 3 + 15) // 16 * 16, vocab_size=4096)
json.dump(config, open(target, "w"), indent=2)
PYTHON
cat >"$folder/pretrain.toml" <<TOML
[model]
path = "base"
init = "random"
dtype = "float32"
[task]
kind = "causal-lm"
[data]
train = "text/train.jsonl"
validation = "text/validation.jsonl"
format = "text"
append_end = true
max_length = 128
too_long = "truncate"
[method]
kind = "full"
[optimizer]
learning_rate = 3e-3
betas = [0.9, 0.95]
weight_decay = 0.01
max_grad_norm = 1.0
[schedule]
kind = "cosine"
warmup_steps = $((steps < 1000 ? steps / 10 : 100))
min_learning_rate = 1e-4
[train]
max_steps = $steps
batch_size = 16
evaluate_every = $((steps / 4 > 0 ? steps / 4 : 1))
checkpoint_every = $((steps / 4 > 0 ? steps / 4 : 1))
keep_checkpoints = 1
[history]
budget_mb = 0
TOML
"$spartui" --runs-dir "$folder/runs" train "$folder/pretrain.toml" --headless --run pretrained
