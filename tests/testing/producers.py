"""A push producer that writes down what it is told."""

from __future__ import annotations


class Producer:
    """``calls`` are "pause", "resume" and "stop", in their order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")
