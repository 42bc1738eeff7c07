"""In place of the analysis, so that a thousand jobs take minutes and not hours: it reads the upload, takes a moment,
writes a picture, and answers with another recording's analysis under this one's hash. Loaded by path."""

import hashlib
import json
import os
import time
from pathlib import Path


def analyse(arguments, context):
    path = Path(arguments["path"])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for step in range(4):
        context.report("separate", step / 4)
        time.sleep(0.005)
    template = json.loads((path.parent.parent / "template.json").read_text())
    picture = Path(arguments["picture"])
    with picture.open("wb") as file:
        for _ in range(8):
            file.write(os.urandom(4096))
            time.sleep(0.001)
    analysis = arguments["analysis"] or {**template, "content_hash": digest}
    return {"analysis": analysis, "tags": {"title": path.name, "artist": None, "album": None, "genre": None}}
