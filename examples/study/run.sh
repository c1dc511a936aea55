#!/usr/bin/env bash
# SpaRTA at several counts of trainable parameters, other selections, LoRA at the same counts, full fine-tuning and the
# head alone, each at its best learning rate and with three seeds; the report is made by `spartui compare`.
#
#   examples/study/run.sh [--budget] [--report] [--task section|support|language|role|team|field|describe]... [--only METHOD]... [--work FOLDER]
#
# Runs that are complete are not run again, so that it can be broken off and called again. --budget: few steps, few
# methods, two seeds; it shows that all works, not who wins. --report: train nothing, write the report of what is complete.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$here/work
budget=
report_only=
tasks=()
only=()
while [ $# -gt 0 ]; do
    case $1 in
        --budget) budget=1 ;;
        --report) report_only=1 ;;
        --task) tasks+=("$2"); shift ;;
        --only) only+=("$2"); shift ;;
        --work) work=$2; shift ;;
        *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done
all=(section support language role team field describe)
[ ${#tasks[@]} -gt 0 ] || tasks=("${all[@]}")
spartui=${SPARTUI:-$root/target/release/spartui}
model=${STUDY_MODEL:-$root/models/all-MiniLM-L6-v2}
# Methods at a time. Two processes of one thread each do half as much again as one of two threads: the batches are small.
# Counted before OpenMP is told of its threads, since nproc goes by that.
cores=$(nproc)
jobs=${STUDY_JOBS:-$cores}
[ "$jobs" -eq 1 ] || export OMP_NUM_THREADS=1
[ -x "$spartui" ] || { echo "no $spartui: call \`make study\`, or set SPARTUI to the program" >&2; exit 2; }
[ -f "$model/config.json" ] || { echo "no model in $model: call \`make setup\`" >&2; exit 2; }
mkdir -p "$work"

if [ "$budget" ]; then
    work=$work/budget
    mkdir -p "$work"
    seeds=(1 2)
    [ ${#only[@]} -gt 0 ] || only=(sparta-mid lora-mid full head)
else
    seeds=(1 2 3)
fi

# Where a task's rows are, how long it is trained for, and what its chapter begins with.
describe() {
    model=${STUDY_MODEL:-$root/models/all-MiniLM-L6-v2}
    case $task in
        section | language | role | team)
            recipe=$here/packages.toml data=$work/data/$task
            if [ ! -f "$data/drawn.txt" ]; then
                apt-cache dumpavail | python3 "$here/draw.py" "$data" "$task" >/dev/null
            fi
            about=$(cat "$data/drawn.txt")
            ;;
        support | field)
            recipe=$here/support.toml data=$root/examples/support
            about="The demo's rows: which of twelve things does a customer want? The same words occur in all twelve."
            ;;
        describe)
            recipe=$here/describe.toml data=$work/data/$task model=${STUDY_LANGUAGE_MODEL:-$root/examples/tiny-llama/model}
            if [ ! -f "$data/drawn.txt" ]; then
                apt-cache dumpavail | python3 "$here/draw_text.py" "$data" "$task" >/dev/null
            fi
            about="A language model learns to write the one-line description of a Debian package, given its name, section and
dependencies. $(cat "$data/drawn.txt") The model is $(basename "$(dirname "$model")"), which knows children's stories."
            ;;
        *) echo "there is no task $task: one of ${all[*]}" >&2; exit 2 ;;
    esac
    case $task in
        describe) title="Every method on a language model: what does a package do?" tune_steps=80 steps=150 ;;
        section) title="Which section of Debian is a package in?" tune_steps=240 steps=480 ;;
        support) title="What does a customer want?" tune_steps=100 steps=200 ;;
        language) title="Which language is a package written in?" tune_steps=120 steps=200 ;;
        field) title="Every method of the field on the demo's rows" tune_steps=100 steps=200 ;;
        role) title="What is a package?" tune_steps=160 steps=320 ;;
        team) title="Which team looks after a package? The rule of \`auto\` has not seen this task" tune_steps=120 steps=240 ;;
    esac
    # As few as a race of the learning rates takes part in.
    race_steps=240
    if [ "$budget" ]; then tune_steps=20 steps=30; fi
    head=0
    is_language && return
    local labels
    labels=$(sed -n 's/.*"label": *"\([^"]*\)".*/\1/p' "$data/train.jsonl" | sort -u | wc -l)
    head=$((385 * labels))
}

is_language() { # whether the task's model is a language model, scored by its loss
    [ "$task" = describe ]
}

# A method: its name, the half decade of the learning rate where its search begins (k: 10^(k/2)), and its settings.
# The three counts are those of LoRA with ranks 1, 4 and 24 on the same layers, the head included.
methods() {
    local low=$((9216 + head)) mid=$((4 * 9216 + head)) high=$((24 * 9216 + head))
    case $task in
        field) field; return ;;
        describe) language_field; return ;;
    esac
    echo "sparta-low -3 method.trainable=$low"
    echo "sparta-mid -3 method.trainable=$mid"
    echo "sparta-high -5 method.trainable=$high"
    echo "sparta-dense -6 method.sparsity=0.95"
    echo "smallest-mid -3 method.trainable=$mid method.selection=smallest"
    echo "largest-mid -3 method.trainable=$mid method.selection=largest"
    echo "gradient-mid -6 method.trainable=$mid method.selection=gradient"
    echo "dynamic-mid -3 method.trainable=$mid method.selection=dynamic method.regrow_every=20"
    echo "lora-low -5 method.kind=lora method.rank=1 method.alpha=2"
    echo "lora-mid -5 method.kind=lora method.rank=4 method.alpha=8"
    echo "lora-high -6 method.kind=lora method.rank=24 method.alpha=48"
    # With an eighth of the usual alpha.
    echo "lora-soft -4 method.kind=lora method.rank=4 method.alpha=1"
    echo "full -8 method.kind=full"
    echo "head -2 method.kind=head"
}

# The methods beside SpaRTA and LoRA, each with as many parameters as LoRA of rank 4 where that can be chosen.
field() {
    local mid=$((4 * 9216 + head)) down='method.targets=["down_proj"]'
    echo "sparta-mid -3 method.trainable=$mid"
    echo "lora-mid -5 method.kind=lora method.rank=4 method.alpha=8"
    echo "melora-mid -5 method.kind=melora method.trainable=$mid method.melora.alpha=8"
    echo "loretta-mid -5 method.kind=loretta method.trainable=$mid"
    echo "adamix-mid -5 method.kind=adamix method.adamix.variant=lora method.trainable=$mid"
    echo "lorta-mid -4 method.kind=lorta method.trainable=$mid"
    echo "vera-mid -4 method.kind=vera method.trainable=$mid"
    echo "id3-mid -3 method.kind=id3 method.trainable=$mid"
    echo "dst-mid -6 method.kind=dst method.trainable=$mid"
    echo "sara-mid -3 method.kind=sara method.trainable=$mid"
    echo "adapter -5 method.kind=adamix method.adamix.bottleneck=8 $down"
    echo "ether -4 method.kind=ether"
    echo "ether-plus -4 method.kind=ether_plus"
    echo "finegates -4 method.kind=finegates method.finegates.target=0"
    echo "ia3 -4 method.kind=ia3 method.targets=[\"k_proj\",\"v_proj\",\"down_proj\"]"
    echo "bitfit -4 method.kind=bitfit"
    echo "norms -4 method.kind=ln_tuning"
    echo "full -8 method.kind=full"
    echo "head -2 method.kind=head"
}

# The same on the small language model, at the counts of LoRA with ranks 1, 4 and 24 on its value and output projections.
language_field() {
    local low=1792 mid=7168 high=43008 square='method.targets=["q_proj","o_proj"]' down='method.targets=["down_proj"]'
    echo "sparta-low -2 method.trainable=$low"
    echo "sparta-mid -2 method.trainable=$mid"
    echo "sparta-high -3 method.trainable=$high"
    echo "lora-low -4 method.kind=lora method.rank=1 method.alpha=2"
    echo "lora-mid -4 method.kind=lora method.rank=4 method.alpha=8"
    echo "lora-high -4 method.kind=lora method.rank=24 method.alpha=48"
    echo "melora-mid -4 method.kind=melora method.trainable=$mid method.melora.alpha=8"
    echo "loretta-mid -4 method.kind=loretta method.trainable=$mid"
    echo "adamix-mid -4 method.kind=adamix method.adamix.variant=lora method.trainable=$mid"
    echo "lorta-mid -3 method.kind=lorta method.trainable=$mid $square"
    echo "vera-mid -3 method.kind=vera method.trainable=$mid"
    echo "id3-mid -2 method.kind=id3 method.trainable=$mid"
    echo "dst-mid -4 method.kind=dst method.trainable=$mid"
    echo "sara-mid -2 method.kind=sara method.trainable=$mid"
    echo "adapter -4 method.kind=adamix method.adamix.bottleneck=4 $down"
    echo "ether -3 method.kind=ether"
    echo "ether-plus -3 method.kind=ether_plus"
    echo "finegates -3 method.kind=finegates method.finegates.target=0"
    echo "ia3 -3 method.kind=ia3 method.targets=[\"k_proj\",\"v_proj\",\"down_proj\"]"
    echo "norms -3 method.kind=ln_tuning"
    echo "full -4 method.kind=full"
}

rate() { # a half decade
    local k=$1 e
    if [ $((k % 2)) -eq 0 ]; then echo "1e$((k / 2))"; else e=$(((k - 1) / 2)); echo "3e$e"; fi
}

field_of() { # a status.json, and the name of one of its fields
    sed -n "s/^ *\"$2\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1" 2>/dev/null
}

# `spartui train` or `spartui race` of what is not complete yet; what was broken off goes on.
complete() { # train or race, name, then arguments
    local how=$1 name=$2 state
    shift 2
    state=$(field_of "$work/$name/status.json" state)
    case $state in
        completed) return 0 ;;
        failed) return 1 ;;
        "")
            "$spartui" --runs-dir "$work" "$how" "$recipe" --headless --run "$name" --set "model.path=$model" \
                --set "data.train=$data/train.jsonl" --set "schedule.min_learning_rate=0" "$@" \
                >/dev/null 2>>"$work/$task-$method.log"
            ;;
        *)
            "$spartui" --runs-dir "$work" resume "$name" --headless >/dev/null 2>>"$work/$task-$method.log"
            ;;
    esac
}

set_all() { # settings, as arguments
    local setting
    for setting in "$@"; do printf '%s\n%s\n' --set "$setting"; done
}

# The rate of the head beside the weights, the same for all whose rate is searched; the head alone has the rate of the search.
beside_weights() { # settings
    if is_language; then return; fi
    case " $* " in *" method.kind=head "*) ;; *) echo optimizer.head_learning_rate=0.02 ;; esac
}

score() { # a run's best accuracy, for a language model its loss with the sign turned; one that failed has none
    local best
    if is_language; then
        best=$(field_of "$work/$1/status.json" eval_loss | head -1)
        echo "${best:+-}${best:--99}"
    else
        best=$(field_of "$work/$1/status.json" best_accuracy)
        echo "${best:-0}"
    fi
}

# The rates of a method on the validation rows: a race of three half decades, then one more at a time until the best lies
# between two that are worse. Sets best to the half decade, and run_at to the runs by their half decades.
tune() { # first half decade, settings
    local k=$1 low high at rates lane name common
    shift
    low=$((k - 1)) high=$((k + 1))
    # shellcheck disable=SC2046 # one setting or none
    mapfile -t common < <(set_all "$@" $(beside_weights "$@") "data.validation=$data/validation.jsonl" "train.max_steps=$tune_steps" \
        "train.evaluate_every=$tune_steps" method.seed=11 train.seed=11)
    declare -gA run_at=()
    if [[ " $* " != *" method.kind=full "* ]]; then
        rates=$(for ((at = low; at <= high; at++)); do rate $at; done | paste -sd,)
        complete race "$task-$method-rates" --vary "optimizer.learning_rate=$rates" "${common[@]}" || true
        lane=0
        for ((at = low; at <= high; at++)); do
            run_at[$at]=$task-$method-rates/lanes/lane-$((++lane))
        done
    fi
    while :; do
        best=$low best_score=-100
        for ((at = low; at <= high; at++)); do
            name=${run_at[$at]:-$task-$method-rate-$(rate $at)}
            if [ -z "${run_at[$at]:-}" ]; then
                # A rate at which the loss is no number is a result, and no reason to end the study.
                complete train "$name" "${common[@]}" --set "optimizer.learning_rate=$(rate $at)" || true
                run_at[$at]=$name
            fi
            if awk -v a="$(score "$name")" -v b="$best_score" 'BEGIN { exit !(a > b) }'; then
                best=$at best_score=$(score "$name")
            fi
        done
        if [ "$budget" ]; then return 0; fi
        if [ "$best" -eq "$low" ] && [ "$low" -gt -12 ]; then low=$((low - 1))
        elif [ "$best" -eq "$high" ] && [ "$high" -lt 0 ]; then high=$((high + 1))
        else return 0; fi
    done
}

# All of one method on one task; the names of its runs go into files.
study() { # first half decade, settings
    local k=$1 at
    shift
    # Where the best rate of the first task is known, the search of the others begins there.
    if [ "$task" != section ] && [ -f "$work/section-$method.best" ]; then k=$(cat "$work/section-$method.best"); fi
    tune "$k" "$@"
    echo "$best" >"$work/$task-$method.best"
    for at in "${!run_at[@]}"; do echo "${run_at[$at]}"; done | sort >"$work/$task-$method.tuned"
    echo "$task: $method is best at $(rate "$best")" >&2
    seeds_at "$(rate "$best")" final "" "$@"
    # One seed that learns nothing where another one does: the rate lies at the edge of what can be borne. So that the method
    # is not judged by that alone, it is trained at the next lower one too.
    if is_unstable "$work/$task-$method.final"; then seeds_at "$(rate $((best - 1)))" lower lower- "$@"; fi
    if tries_auto; then seeds_at auto auto auto- "$@"; fi
    if tries_race; then try_race "$(rate "$best")" "$@"; fi
}

tries_race() { # whether `race` is tried on the task
    case $task in field | describe) ;; *) return 1 ;; esac
}

# One seed at the best rate and one with `race`, for as many steps as a race needs. A race whose rates all fail ends the run.
try_race() { # rate, settings
    local at=$1 kind common of_head
    shift
    for kind in best race; do
        # shellcheck disable=SC2046,SC2086 # one setting or none
        if [ $kind = best ]; then of_head="$(beside_weights "$@") optimizer.learning_rate=$at"; else of_head=optimizer.learning_rate=race; fi
        # shellcheck disable=SC2086 # settings are words
        mapfile -t common < <(set_all "$@" $of_head "data.validation=$data/test.jsonl" "train.max_steps=$race_steps" \
            "train.evaluate_every=$race_steps" method.seed=1 train.seed=1)
        complete train "$task-$method-raced-$kind" "${common[@]}" || true
    done
}

tries_auto() { # whether the rule's rates are tried on the task beside the best ones
    case $task in language | role | team | field | describe) ;; *) return 1 ;; esac
}

seeds_at() { # rate, file, infix of the names, settings; the runs of all seeds, on the test rows
    local at=$1 file=$work/$task-$method.$2 infix=$3 seed name common runs=() of_head=
    shift 3
    [ "$at" = auto ] || of_head=$(beside_weights "$@")
    for seed in "${seeds[@]}"; do
        name=$task-$method-$infix$seed
        # shellcheck disable=SC2086 # one setting or none
        mapfile -t common < <(set_all "$@" "optimizer.learning_rate=$at" $of_head "data.validation=$data/test.jsonl" \
            "train.max_steps=$steps" "train.evaluate_every=$steps" "method.seed=$seed" "train.seed=$seed")
        if complete train "$name" "${common[@]}"; then runs+=("$name"); fi
    done
    printf '%s\n' "${runs[@]}" >"$file"
}

is_unstable() { # a file of runs: whether the worst has less than half the accuracy of the best
    if is_language; then return 1; fi
    local name
    while read -r name; do score "$name"; done <"$1" | sort -g | awk 'NR == 1 { least = $1 } { most = $1 } END { exit !(2 * least < most) }'
}

wanted() {
    [ ${#only[@]} -eq 0 ] && return 0
    local method
    for method in "${only[@]}"; do [ "$method" = "$1" ] && return 0; done
    return 1
}

names_of() { # kinds, such as tuned: the runs of the task in the order of the methods
    local method kind _
    while read -r method _; do
        wanted "$method" || continue
        for kind in "$@"; do
            if [ -f "$work/$task-$method.$kind" ]; then cat "$work/$task-$method.$kind"; fi
        done
    done < <(methods)
}

compare() {
    (cd "$work" && "$spartui" --runs-dir . compare "$@")
}

chapter() {
    local tuned final method _ curve=$task-rates.svg what=Accuracy
    if is_language; then what=Loss; fi
    mapfile -t tuned < <(names_of tuned)
    mapfile -t final < <(names_of final lower)
    compare "${tuned[@]}" --along optimizer.learning_rate --format svg --output "$curve"
    printf '## %s\n\n%s\n\n### At the best rate of each method\n\n' "$title" "$about"
    printf '%s on the test rows after %s steps of 16 rows, seeds %s; no rate was chosen by these rows. Where a seed\n' \
        "$what" "$steps" "$(printf '%s\n' "${seeds[@]}" | paste -sd, - | sed 's/,/, /g')"
    printf 'learned nothing at the best rate, the next lower one is there too.\n\n'
    compare "${final[@]}" --format markdown
    printf '\n### At the same count of trainable parameters\n\n'
    against "As many as LoRA of rank 1:" sparta-low lora-low
    against "As many as LoRA of rank 4:" sparta-mid smallest-mid largest-mid gradient-mid dynamic-mid lora-mid lora-soft
    against "As many as LoRA of rank 24:" sparta-high lora-high
    if [ "$task" = field ] || is_language; then
        against "As many as LoRA of rank 4, the other methods:" sparta-mid melora-mid loretta-mid adamix-mid lorta-mid vera-mid id3-mid \
            dst-mid sara-mid
        against "With a number of parameters of their own:" sparta-mid adapter ether ether-plus finegates ia3 bitfit norms
    fi
    if tries_auto; then
        printf '\n### The rates of the rule beside the best ones\n\nMean %s on the test rows.\n\n' "${what,,}"
        printf '| method | best rate | at the best rate | `auto` | at `auto` | difference %s |\n|---|--:|--:|--:|--:|--:|\n' \
            "$(if is_language; then echo "in %"; else echo "in points"; fi)"
        while read -r method _; do
            if wanted "$method" && [ -s "$work/$task-$method.auto" ]; then beside "$method"; fi
        done < <(methods)
    fi
    if tries_race; then
        printf '\n### The race of learning rates beside the best ones\n\n%s on the test rows after %s steps, seed 1. A race has a tenth of the steps beside these.\n\n' \
            "$what" "$race_steps"
        printf '| method | best rate | at the best rate | `race` chose | with `race` | difference %s |\n|---|--:|--:|--:|--:|--:|\n' \
            "$(if is_language; then echo "in %"; else echo "in points"; fi)"
        while read -r method _; do
            if wanted "$method" && [ -d "$work/$task-$method-raced-race" ]; then beside_race "$method"; fi
        done < <(methods)
    fi
    printf '\n### Learning rates\n\n'
    printf '%s on the validation rows after %s steps, one seed. Rates were tried in half decades until the best\n' \
        "$what" "$tune_steps"
    printf 'lay between two that are worse.\n\n'
    compare "${tuned[@]}" --along optimizer.learning_rate --format markdown
    printf '\n![%s over the learning rate](%s)\n\n' "$what" "$curve"
}

against() { # a heading, a method, then others: their paired tests, each at the rate at which it is stable
    local heading=$1 method runs=()
    shift
    for method in "$@"; do
        wanted "$method" || continue
        local of=$work/$task-$method.final
        [ ! -f "${of%final}lower" ] || of=${of%final}lower
        [ ! -s "$of" ] || mapfile -t -O "${#runs[@]}" runs <"$of"
    done
    [ "${#runs[@]}" -gt "${#seeds[@]}" ] || return 0
    printf '%s\n\n' "$heading"
    compare "${runs[@]}" --format markdown | awk '/^Against/ { shown = 1 } /^±/ { shown = 0 } shown'
}

rated() { # kind, run: both, with its learning rate and its score
    echo "$1 $(sed -n 's/^learning_rate = //p' "$work/$2/recipe.toml" | head -1) $(score "$2")"
}

beside_race() { # a method
    { rated final "$task-$1-raced-best"; rated auto "$task-$1-raced-race"; } | side_by_side "$1"
}

beside() { # a method
    local kind name tuned=final
    # What is stable at the lower rate only is judged by that.
    [ ! -f "$work/$task-$1.lower" ] || tuned=lower
    for kind in $tuned auto; do
        while read -r name; do rated "${kind/lower/final}" "$name"; done <"$work/$task-$1.$kind"
    done | side_by_side "$1"
}

side_by_side() { # a method; from lines of `rated`, a row of a table: the best rates' runs and the others
    awk -v method="$1" -v language="$(is_language && echo 1)" '
        { rate[$1] = $2; sum[$1] += $3; n[$1]++ }
        END {
            if (language) {
                best = -sum["final"] / n["final"]; auto = -sum["auto"] / n["auto"]
                printf "| %s | %.2g | %.4f | %.2g | %.4f | %+.2f |\n", method, rate["final"], best, rate["auto"], auto, 100 * (auto / best - 1)
                exit
            }
            best = 100 * sum["final"] / n["final"]; auto = 100 * sum["auto"] / n["auto"]
            printf "| %s | %.2g | %.2f %% | %.2g | %.2f %% | %+.2f |\n", method, rate["final"], best, rate["auto"], auto, auto - best
        }'
}

for task in "${tasks[@]}"; do
    [ ! "$report_only" ] || break
    describe
    while read -r method k settings; do
        wanted "$method" || continue
        while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do wait -n || true; done
        # shellcheck disable=SC2086 # settings are words
        study "$k" $settings </dev/null &
    done < <(methods)
done
wait

# A chapter for each task whose runs are here; of the others, the report keeps the chapter that it has.
shelf=$here
[ ! "$budget" ] || shelf=$work
mkdir -p "$shelf/chapters"
for task in "${tasks[@]}"; do
    describe
    [ -n "$(names_of final)" ] || continue
    {
        chapter
        printf 'Made on %s with %s, %s methods at a time on %s cores (%s); times of a step are of that.\n' "$(date +%F)" \
            "$("$spartui" --version)" "$jobs" "$cores" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
    } >"$work/chapter.new"
    mv "$work/chapter.new" "$shelf/chapters/$task.md"
    [ "$budget" ] || cp "$work/$task-rates.svg" "$shelf/"
done
report=$shelf/REPORT.md
{
    [ "$budget" ] || cat "$here/findings.md"
    for task in "${all[@]}"; do
        if [ -f "$shelf/chapters/$task.md" ]; then cat "$shelf/chapters/$task.md" && echo; fi
    done
    printf 'All of it is made by `make study`, from [run.sh](run.sh).\n'
} >"$report"
echo "$report"
