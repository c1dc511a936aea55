#!/usr/bin/env bash
# SpaRTA at several counts of trainable parameters, other selections, LoRA at the same counts, full fine-tuning and the
# head alone, each at its best learning rate and with three seeds, on two tasks; the report is made by `spartui compare`.
#
#   examples/study/run.sh [--budget] [--task debian|support]... [--only METHOD]... [--work FOLDER]
#
# Runs that are complete are not run again, so that it can be broken off and called again. --budget: few steps, few
# methods, two seeds; it shows that all works, not who wins. What a method needs and this program lacks is left out.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$here/work
budget=
tasks=()
only=()
while [ $# -gt 0 ]; do
    case $1 in
        --budget) budget=1 ;;
        --task) tasks+=("$2"); shift ;;
        --only) only+=("$2"); shift ;;
        --work) work=$2; shift ;;
        *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done
[ ${#tasks[@]} -gt 0 ] || tasks=(debian support)
spartui=${SPARTUI:-$root/target/release/spartui}
model=${STUDY_MODEL:-$root/models/all-MiniLM-L6-v2}
[ -x "$spartui" ] || { echo "no $spartui: call \`make study\`, or set SPARTUI to the program" >&2; exit 2; }
[ -f "$model/config.json" ] || { echo "no model in $model: call \`make setup\`" >&2; exit 2; }
mkdir -p "$work"

if [ "$budget" ]; then
    work=$work/budget
    mkdir -p "$work"
    seeds=(1 2)
    [ ${#only[@]} -gt 0 ] || only=(sparta-mid lora-mid head)
else
    seeds=(1 2 3)
fi

fields=$("$spartui" train --help)
knows() { grep -q "$1" <<<"$fields"; }

# A method: its name, the half decade of the learning rate where its search begins (k: 10^(k/2)), and its settings.
# The three counts are those of LoRA with ranks 1, 4 and 24 on the same layers, the head included.
matched() { # a count of trainable parameters
    if knows method.trainable; then
        echo "method.trainable=$1"
    else
        echo "method.sparsity=$(awk -v count="$1" -v all="$parameters" 'BEGIN { printf "%.8f", 1 - count / all }')"
    fi
}
methods() {
    local low=$((9216 + head)) mid=$((4 * 9216 + head)) high=$((24 * 9216 + head))
    echo "sparta-low -4 $(matched $low)"
    echo "sparta-mid -5 $(matched $mid)"
    echo "sparta-high -5 $(matched $high)"
    echo "sparta-dense -6 method.sparsity=0.95"
    if knows method.selection; then
        echo "smallest-mid -5 $(matched $mid) method.selection=smallest"
        echo "gradient-mid -5 $(matched $mid) method.selection=gradient"
        echo "dynamic-mid -5 $(matched $mid) method.selection=dynamic method.regrow_every=20"
    fi
    if knows method.rank; then
        echo "lora-low -5 method.kind=lora method.rank=1 method.alpha=2"
        echo "lora-mid -5 method.kind=lora method.rank=4 method.alpha=8"
        echo "lora-high -6 method.kind=lora method.rank=24 method.alpha=48"
    fi
    echo "full -8 method.kind=full"
    echo "head -4 method.kind=head"
}

rate() { # a half decade
    local k=$1 e
    if [ $((k % 2)) -eq 0 ]; then echo "1e$((k / 2))"; else e=$(((k - 1) / 2)); echo "3e$e"; fi
}

field_of() { # a status.json, and the name of one of its fields
    sed -n "s/^ *\"$2\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1" 2>/dev/null
}

train() { # name, then settings
    local name=$1 status
    shift
    status=$(field_of "$work/$name/status.json" state)
    case $status in
        completed) return 0 ;;
        "") ;;
        failed) return 1 ;;
        *)
            echo "  going on with $name" >&2
            "$spartui" --runs-dir "$work" resume "$name" --headless >/dev/null 2>>"$work/log.txt"
            return
            ;;
    esac
    local set=(--set "model.path=$model" --set "data.train=$data/train.jsonl")
    for setting in "$@"; do set+=(--set "$setting"); done
    echo "  $name" >&2
    "$spartui" --runs-dir "$work" train "$here/$task.toml" --headless --run "$name" "${set[@]}" >/dev/null 2>>"$work/log.txt"
}

score() { # a run's best accuracy; one that failed has none
    local best
    best=$(field_of "$work/$1/status.json" best_accuracy)
    echo "${best:-0}"
}

tune() { # method, first half decade, settings; sets best to the half decade
    local method=$1 k=$2 low high at name
    shift 2
    low=$((k - 1)) high=$((k + 1))
    if [ "$budget" ]; then low=$k high=$((k + 1)); fi
    best=$k
    while :; do
        best_score=-1
        for ((at = low; at <= high; at++)); do
            name=$task-$method-rate-$(rate $at)
            # A rate at which the loss is no number is a result, and no reason to end the study.
            train "$name" "$@" "optimizer.learning_rate=$(rate $at)" "schedule.min_learning_rate=0" \
                "data.validation=$data/validation.jsonl" "train.max_steps=$tune_steps" \
                "train.evaluate_every=$((tune_steps / 2))" "method.seed=11" "train.seed=11" ||
                echo "  $name failed: $(field_of "$work/$name/status.json" message)" >&2
            tuned+=("$name")
            if awk -v a="$(score "$name")" -v b="$best_score" 'BEGIN { exit !(a > b) }'; then
                best=$at best_score=$(score "$name")
            fi
        done
        # The best lies inside of what was tried, or at a bound.
        [ "$budget" ] && return
        if [ "$best" -eq "$low" ] && [ "$low" -gt -12 ]; then low=$((low - 1))
        elif [ "$best" -eq "$high" ] && [ "$high" -lt 0 ]; then high=$((high + 1))
        else return; fi
    done
}

wanted() {
    [ ${#only[@]} -eq 0 ] && return 0
    local method
    for method in "${only[@]}"; do [ "$method" = "$1" ] && return 0; done
    return 1
}

report=$work/REPORT.md
if [ -f "$here/findings.md" ] && [ ! "$budget" ]; then cat "$here/findings.md" >"$report.new"; else : >"$report.new"; fi
version=$("$spartui" --version)
for task in "${tasks[@]}"; do
    case $task in
        debian)
            data=$work/data
            if [ ! -f "$data/drawn.txt" ]; then apt-cache dumpavail | python3 "$here/draw.py" "$data" >/dev/null; fi
            about=$(cat "$data/drawn.txt")
            title="Which section of Debian is a package in?"
            tune_steps=400 steps=800
            ;;
        support)
            data=$root/examples/support
            about="The demo's rows: which of twelve things does a customer want? The same words occur in all twelve."
            title="What does a customer want?"
            tune_steps=150 steps=300
            ;;
        *) echo "there is no task $task: debian or support" >&2; exit 2 ;;
    esac
    if [ "$budget" ]; then tune_steps=20 steps=30; fi
    labels=$(sed -n 's/.*"label": *"\([^"]*\)".*/\1/p' "$data/train.jsonl" | sort -u | wc -l)
    head=$((385 * labels))
    parameters=$((22713216 + head))
    tuned=() final=()
    while read -r method k settings; do
        wanted "$method" || continue
        echo "$task: $method" >&2
        # shellcheck disable=SC2086 # settings are words
        tune "$method" "$k" $settings
        for seed in "${seeds[@]}"; do
            name=$task-$method-$seed
            # shellcheck disable=SC2086
            train "$name" $settings "optimizer.learning_rate=$(rate "$best")" "schedule.min_learning_rate=0" \
                "data.validation=$data/test.jsonl" "train.max_steps=$steps" "train.evaluate_every=$steps" \
                "method.seed=$seed" "train.seed=$seed" && final+=("$name")
        done
    done < <(methods)
    curve=$task-rates.svg
    mapfile -t tuned < <(printf "%s\n" "${tuned[@]}" | awk "!seen[\$0]++")
    (cd "$work" && "$spartui" --runs-dir . compare "${tuned[@]}" --along optimizer.learning_rate --format svg --output "$curve")
    {
        printf '## %s\n\n%s\n\n' "$title" "$about"
        printf '### At the best rate of each method\n\n'
        printf 'Accuracy on the test rows after %s steps of 32 rows, seeds %s; nothing was chosen by these rows.\n\n' \
            "$steps" "$(printf '%s\n' "${seeds[@]}" | paste -sd, - | sed 's/,/, /g')"
        "$spartui" --runs-dir "$work" compare "${final[@]}" --format markdown
        printf '\n### Learning rates\n\n'
        printf 'Best accuracy on the validation rows within %s steps, one seed. Rates were tried in half decades until the best\n' \
            "$tune_steps"
        printf 'lay between two that are worse.\n\n'
        "$spartui" --runs-dir "$work" compare "${tuned[@]}" --along optimizer.learning_rate --format markdown
        printf '\n![Accuracy over the learning rate](%s)\n\n' "$curve"
    } >>"$report.new"
done
{
    printf '## How it was made\n\n'
    printf 'By `make study` with %s on %s cores (%s), from [run.sh](run.sh).\n' "$version" "$(nproc)" \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
} >>"$report.new"
mv "$report.new" "$report"
if [ ! "$budget" ]; then cp "$report" "$work"/*-rates.svg "$here/"; report=$here/REPORT.md; fi
echo "$report"
