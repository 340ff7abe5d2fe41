"""The one line by which twistd finds the node; it imports nothing of ours, so that listing plugins stays cheap."""

from twisted.application.service import ServiceMaker

qgnode = ServiceMaker(  # type: ignore[no-untyped-call]
    "QuantumGate node", "quantumgate.tap", "Run a QuantumGate node.", "qgnode"
)
