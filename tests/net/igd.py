"""A router for tests: the part of an Internet Gateway Device that maps ports, over HTTP on loopback."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KIND = "urn:schemas-upnp-org:service:WANIPConnection:1"
_NAMES = "<friendlyName>x</friendlyName><manufacturer>x</manufacturer><modelName>x</modelName><UDN>uuid:{n}</UDN>"
_SERVICE = (
    f"<serviceList><service><serviceType>{KIND}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>"
    "<controlURL>/control</controlURL><eventSubURL>/events</eventSubURL><SCPDURL>/scpd.xml</SCPDURL></service>"
    "</serviceList>"
)


def _device(number: int, name: str, inside: str) -> str:
    kind = f"<deviceType>urn:schemas-upnp-org:device:{name}:1</deviceType>"
    return f"<device>{kind}{_NAMES.format(n=number)}{inside}</device>"


DESCRIPTION = (
    '<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor>'
    "</specVersion>" + _device(1, "InternetGatewayDevice", "<deviceList>" + _device(2, "WANDevice", "<deviceList>"
    + _device(3, "WANConnectionDevice", _SERVICE) + "</deviceList>") + "</deviceList>") + "</root>"
)


class Igd:
    """``ports``: external to (inside, lease). ``taken`` are somebody else's; ``leases`` off = it knows none."""

    def __init__(self) -> None:
        self.ports: dict[int, tuple[int, int]] = {}
        self.taken: set[int] = set()
        self.leases, self.willing = True, True
        self.asked: list[str] = []
        igd = self

        class Answers(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Not on the terminal."""

            def do_GET(self) -> None:
                self._say(200, DESCRIPTION)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                action = self.headers["SOAPAction"].strip('"').rpartition("#")[2]
                code, inside = igd.act(action, dict(re.findall(r"<(New\w+)>([^<]*)<", body)))
                self._say(200 if not code else 500, _envelope(action, code, inside))

            def _say(self, status: int, text: str) -> None:
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/description.xml"

    def act(self, action: str, values: dict[str, str]) -> tuple[int, str]:
        """The error code, or 0, and what stands in the answer."""
        self.asked.append(action)
        if action == "GetStatusInfo":
            return 0, ("<NewConnectionStatus>Connected</NewConnectionStatus><NewUptime>1</NewUptime>"
                       "<NewLastConnectionError>ERROR_NONE</NewLastConnectionError>")
        if action == "GetExternalIPAddress":
            return 0, "<NewExternalIPAddress>84.20.7.153</NewExternalIPAddress>"
        external = int(values.get("NewExternalPort", "0"))
        if action == "DeletePortMapping":
            return (0, "") if self.ports.pop(external, None) else (714, "")
        return self._map(external, int(values["NewInternalPort"]), int(values["NewLeaseDuration"])), ""

    def _map(self, external: int, inside: int, lease: int) -> int:
        if not self.willing:
            return 606
        if external in self.taken:
            return 718
        if lease and not self.leases:
            return 725
        self.ports[external] = (inside, lease)
        return 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _envelope(action: str, code: int, inside: str) -> str:
    if code:
        inside = (f"<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError "
                  f'xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{code}</errorCode></UPnPError></detail></s:Fault>')
    else:
        inside = f'<u:{action}Response xmlns:u="{KIND}">{inside}</u:{action}Response>'
    return ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            f"{inside}</s:Body></s:Envelope>")
