# Functions of the set-up scripts. They are sourced, with the checkout as the working folder.

python=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*" >&2; }

refuse() {
    say "$*"
    exit 1
}

# at_least FOUND WANTED: whether a version is new enough, by its first two numbers.
at_least() {
    printf '%s %s\n' "$1" "$2" | awk '{ split($1, a, "."); split($2, b, ".")
        exit !(a[1] + 0 > b[1] + 0 || a[1] + 0 == b[1] + 0 && a[2] + 0 >= b[2] + 0) }'
}

need_pip() {
    command -v "$python" >/dev/null 2>&1 || refuse "$python is missing and fetches libtorch and the demo's model:" \
        "install Python 3.8 or newer with pip (Debian and Ubuntu: apt-get install python3 python3-pip)."
    pip_version=$("$python" -m pip --version 2>/dev/null | awk '{ print $2; exit }')
    [ -n "$pip_version" ] || refuse "$python has no pip: install it (Debian and Ubuntu: apt-get install python3-pip;" \
        "Fedora: dnf install python3-pip; elsewhere: $python -m ensurepip --upgrade)."
    at_least "$pip_version" 20.3 || refuse "pip $pip_version is too old: bring it to 20.3 or newer" \
        "with $python -m pip install --user --upgrade pip."
}

# need_space MEBIBYTES WHAT
need_space() {
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$1" ] || refuse "$2 needs $1 MiB of free disk space while it is installed," \
        "and $PWD has $free MiB: make room and run make setup again."
}

# begin TARGET: makes $work, a folder beside TARGET on the same file system, which is removed however the script ends.
# Only `finish` makes TARGET itself, so that an interrupted set-up never looks finished.
begin() {
    target=$1
    work=$target.part.$$
    for left in "$target".part.*; do
        [ -d "$left" ] && ! kill -0 "${left##*.}" 2>/dev/null && rm -rf "$left"
    done
    trap 'rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$work/tmp" || refuse "cannot write into $PWD: make setup needs a checkout that is yours."
}

# finish SOURCE: moves SOURCE to the target that `begin` named.
finish() {
    [ ! -e "$target" ] || mv "$target" "$work/replaced"
    mv "$1" "$target"
    rm -rf "$work"
}

# fetch WHAT COMMAND LIST [OPTION…]: runs pip on one of the pinned lists. pip shows a progress bar on a terminal and plain
# lines elsewhere; its settings of index, proxy and certificates apply.
fetch() {
    what=$1
    command=$2
    list=$3
    shift 3
    TMPDIR=$PWD/$work/tmp PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore \
        "$python" -m pip --disable-pip-version-check "$command" --no-cache-dir --no-deps --require-hashes \
        --only-binary=:all: "$@" --requirement "$list" >&2 ||
        refuse "pip could not fetch $what (its own message is above): check the network, the proxy and the package" \
            "index, and run make setup again."
}
