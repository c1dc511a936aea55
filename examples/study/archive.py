"""What the scripts that draw rows from `apt-cache dumpavail` share."""

import hashlib
import re


def packages(lines):
    fields, name = {}, None
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            yield fields
            fields, name = {}, None
        elif line[0].isspace():
            if name:
                fields[name] += "\n" + line
        elif ":" in line:
            name, value = line.split(":", 1)
            fields[name] = value.strip()
    yield fields


def share(key, what):
    """A number from 0 to 1 that belongs to a text."""
    digest = hashlib.blake2b(f"{key}\0{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def description(fields):
    """The one-line description; what follows it, where the archive's list has it, is left out."""
    text = (fields.get("Description-en") or fields.get("Description") or "").split("\n", 1)[0]
    return re.sub(r"\s+", " ", text).strip()


def source(fields):
    """The source package: packages of one source say nearly the same."""
    return fields.get("Source", fields["Package"]).split(" ", 1)[0]
