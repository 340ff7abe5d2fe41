"""New session keys every second for five minutes, under load: nothing lost, epochs rise at both ends.

``rekey_floor_seconds`` is lowered at both ends, by name; at the default floor the second request is a violation, which
is a test in tests/attacks. QG_SOAK_SECONDS shortens the run for a look at it. Spec: docs/spec/rekey.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from tests.acceptance.echo import parties
from tests.acceptance.report import Figure, at_least, exactly, noted

SECONDS = float(os.environ.get("QG_SOAK_SECONDS", "300"))
EVERY_SECOND = """
[limits]
rekey_floor_seconds = 0.2
[security]
level = "one"
rekey_seconds = [1.0, 1.0]
"""


def figures() -> Iterator[Figure]:
    with parties("rekey", str(SECONDS), more=EVERY_SECOND) as (answering, driving):
        said = driving.get("epochs", SECONDS + 120)
        epochs = [line["epoch"] for line in driving.all_said() if "epoch" in line]
        theirs = answering.all_said()
    yield at_least("re-keys in the time", int(SECONDS * 0.8), said["epochs"])
    yield exactly("epochs only rise", True, epochs == sorted(epochs))
    yield exactly("sessions", 1, said["arrivals"])
    yield exactly("messages changed, lost or out of order", 0, said["wrong"])
    yield exactly("16 MiB streams that arrived whole", said["poured"], said["checked"])
    yield noted("messages echoed", f"{said['messages']:,}")
    yield noted("seconds", SECONDS)
    peers = [line["epochs_here"] for line in theirs if "epochs_here" in line]
    yield at_least("re-keys as the answering side counts them", int(SECONDS * 0.8), max(peers, default=0))
