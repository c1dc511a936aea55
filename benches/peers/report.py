"""What both comparisons say about the machine, the versions and their figures."""

import datetime
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from statistics import median

PACKAGES = ("torch", "transformers", "peft", "peft-sparta")


def setting(binary, threads, device="cpu"):
    return {
        "device": device_name() if device == "cuda" else None,
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "threads": threads,
        "load_at_start": round(os.getloadavg()[0], 2),
        "spartui": our_version(binary),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def device_name():
    import torch

    return torch.cuda.get_device_name(0)


def our_version(binary):
    if not binary.exists():
        sys.exit(f"{binary} is not there; cargo build --release makes it, --binary names another")
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def setting_line(facts):
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", *PACKAGES))
    device = f"{facts['device']}; " if facts["device"] else ""
    return (
        f"{facts['date']}. {device}{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, "
        f"{facts['threads']} threads for everybody; load {facts['load_at_start']} at the start. "
        f"{facts['spartui']}; {versions}."
    )


def spread(values):
    """Median, least and greatest of what the rounds gave."""
    return {"median": median(values), "low": min(values), "high": max(values), "by_round": values}


def ratio(ours, theirs):
    """Round by round, since what slows the machine down for a minute slows both."""
    return spread([mine / other for mine, other in zip(ours, theirs)])


def shown(figure, digits):
    return f"{figure['median']:,.{digits}f} ({figure['low']:,.{digits}f} to {figure['high']:,.{digits}f})"


def table(head, rows):
    """Markdown; the first column is text, the others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(stem, document, result):
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".md").write_text(document)
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    print(document)
    print(f"written: {stem.with_suffix('.md')}, {stem.with_suffix('.json')}", file=sys.stderr)
