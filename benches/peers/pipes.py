"""Workers behind a pipe: one line of JSON asks, one line answers, and in between they sleep.

A worker that waits for its next line holds its memory and uses no processor, so only one contestant computes at a time.
"""

import json
import os
import subprocess
import sys


class Worker:
    """A contestant's process, seen from the driver."""

    def __init__(self, name, command, log, threads):
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as errors:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
            self.process = subprocess.Popen(command, **pipes, text=True, env=environment(threads))
        self.ready = self._answer()

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            ended = f"{self.name} ended with status {self.process.returncode}; the end of {self.log}:"
            sys.exit(f"{ended}\n{tail(self.log)}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(start):
    """The worker's side. `start` returns what the driver is told first, and what answers its requests."""
    # Libraries that print must not write into the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for answer in _answers(start):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answers(start):
    ready, handle = start()
    yield ready
    for line in sys.stdin:
        yield handle(json.loads(line))


def environment(threads):
    """The same for every contestant."""
    return os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def tail(log, lines=12):
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
