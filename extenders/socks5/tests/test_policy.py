"""Where an exit lets peers go: rules, private ranges, and addresses in disguise."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from quantumgate_socks5.policy import LISTABLE, Policy, parse_rule
from twisted.trial.unittest import SynchronousTestCase

PRIVATE = (
    "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1",
    "172.31.9.9 192.0.0.1 192.0.2.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1",
    "255.255.255.255",
    ":: ::1 ::2 100::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 2001:db8::1 2001::1 2001:10::1 2002:808:808::1 3fff::1",
    "4000::1 5f00::1 8000::1 64:ff9b::8.8.8.8 64:ff9b:1::1 ::8.8.8.8 ::ffff:8.8.8.8 ::ffff:127.0.0.1 ::ffff:0:8.8.8.8",
)
PUBLIC = "1.1.1.1 8.8.8.8 11.0.0.1 100.128.0.1 172.32.0.1 192.169.0.1 223.255.255.255 2606:4700::1111 2a00::1"


def allows(policy: Policy, text: str, port: int = 80) -> bool:
    return policy.allows(ip_address(text), port)


class RangesTests(SynchronousTestCase):
    """What no rule for the world opens."""

    def test_private_is_closed(self) -> None:
        halves = "0.0.0.0/0 0.0.0.0/1 128.0.0.0/1 [::]/0 [::]/3 [::]/64 [4000::]/2 [8000::]/1"
        wide = Policy(["*:*", *(f"{half}:*" for half in halves.split())])
        self.assertEqual([text for text in " ".join(PRIVATE).split() if allows(wide, text)], [])
        self.assertEqual([text for text in PUBLIC.split() if not allows(wide, text)], [])

    def test_private_is_open_where_it_is_named(self) -> None:
        for rule, inside, outside in (
            ("127.0.0.0/8:80", "127.0.0.1", "10.0.0.1"),
            ("127.0.0.1/32:80", "127.0.0.1", "127.0.0.2"),
            ("10.1.0.0/16:80", "10.1.2.3", "10.2.0.1"),
            ("[::1]/128:80", "::1", "::2"),
            ("[fd00::]/8:80", "fd12::1", "fe80::1"),
        ):
            policy = Policy([rule])
            self.assertEqual((allows(policy, inside), allows(policy, outside)), (True, False), rule)
            self.assertFalse(allows(policy, inside, 81), rule)

    def test_disguises_never_pass(self) -> None:
        """IPv4-mapped, 6to4, Teredo, translated: not even where both the disguise and the address are named."""
        named = "127.0.0.0/8 10.0.0.0/8 [::ffff:0:0]/96 [2002::]/16 [2001::]/32 [::]/96 *"
        policy = Policy([f"{network}:*" for network in named.split()])
        for text in ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::1",
                     "2001:0:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "::ffff:0:127.0.0.1"):
            self.assertFalse(allows(policy, text), text)

    def test_nat64_is_judged_by_what_it_hides(self) -> None:
        named = Policy(["[64:ff9b::]/96:80", "*:80"])
        self.assertTrue(allows(named, "64:ff9b::8.8.8.8"))
        self.assertFalse(allows(named, "64:ff9b::127.0.0.1"))
        self.assertFalse(allows(named, "64:ff9b::10.0.0.1"))
        self.assertFalse(allows(Policy(["[64:ff9b::]/96:80"]), "64:ff9b::8.8.8.8"))

    def test_isatap_is_judged_by_what_it_hides(self) -> None:
        policy = Policy(["*:*"])
        self.assertFalse(allows(policy, "2606:4700::5efe:127.0.0.1"))
        self.assertFalse(allows(policy, "2606:4700::200:5efe:10.0.0.1"))
        self.assertTrue(allows(policy, "2606:4700::5efe:8.8.8.8"))

    def test_own_addresses(self) -> None:
        """This machine's public address leads inside, too: only a rule for that one address opens it."""

        def own(address: object) -> bool:
            return str(address) in ("1.1.1.1", "2606:4700::1111")

        self.assertFalse(Policy(["*:*", "1.1.1.0/24:*"], is_own=own).allows(IPv4Address("1.1.1.1"), 80))
        self.assertFalse(Policy(["*:*"], is_own=own).allows(IPv6Address("2606:4700::1111"), 80))
        self.assertTrue(Policy(["*:*"], is_own=own).allows(IPv4Address("1.1.1.2"), 80))
        self.assertTrue(Policy(["1.1.1.1/32:22"], is_own=own).allows(IPv4Address("1.1.1.1"), 22))
        self.assertTrue(Policy(["127.0.0.1/32:22"], is_own=lambda _: True).allows(IPv4Address("127.0.0.1"), 22))

    @settings(max_examples=120, deadline=None)
    @given(st.ip_addresses())
    def test_the_standard_library_agrees(self, address: IPv4Address | IPv6Address) -> None:
        """What ``*`` opens is what IANA's tables call global."""
        if Policy(["*:*"]).allows(address, 80):
            self.assertTrue(address.is_global and not address.is_multicast, address)

    @settings(max_examples=80, deadline=None)
    @given(st.ip_addresses(v=4))
    def test_no_disguise_for_any_address(self, address: IPv4Address) -> None:
        number = int(address)
        wide = Policy(["*:*"])
        for disguise in (number, 0xFFFF << 32 | number, 0xFFFF << 48 | number, 0x2002 << 112 | number << 80,
                         0x20010000 << 96 | number):
            self.assertFalse(wide.allows(IPv6Address(disguise), 80))
        nat64 = Policy(["*:*", "[64:ff9b::]/96:*"]).allows(IPv6Address(0x64FF9B << 96 | number), 80)
        self.assertEqual(nat64, wide.allows(address, 80))


class RulesTests(SynchronousTestCase):
    """How rules are written and combined."""

    def test_ports(self) -> None:
        policy = Policy(["*:80,443,8000-8002"])
        for port in (80, 443, 8000, 8001, 8002):
            self.assertTrue(allows(policy, "1.1.1.1", port))
        for port in (0, 79, 81, 7999, 8003, 65535):
            self.assertFalse(allows(policy, "1.1.1.1", port))

    def test_port_zero_is_nowhere(self) -> None:
        self.assertFalse(allows(Policy(["*:*"]), "1.1.1.1", 0))

    def test_denial_wins(self) -> None:
        policy = Policy(["*:*", "10.0.0.0/8:*"], ["1.1.1.0/24:*", "*:25", "10.0.0.1/32:*"])
        self.assertEqual([allows(policy, a, p) for a, p in
                          (("1.1.1.1", 80), ("8.8.8.8", 25), ("8.8.8.8", 80), ("10.0.0.1", 80), ("10.0.0.2", 80))],
                         [False, False, True, False, True])

    def test_nothing_is_the_default(self) -> None:
        self.assertFalse(allows(Policy([]), "1.1.1.1"))

    def test_hosts(self) -> None:
        """A BIND asks for hosts, whatever their port."""
        policy = Policy(["*:80", "127.0.0.0/8:21"])
        for text, expected in (("1.1.1.1", True), ("127.0.0.1", True), ("10.0.0.1", False), ("::ffff:1.1.1.1", False)):
            self.assertEqual(policy.allows_host(ip_address(text)), expected, text)

    def test_malformed(self) -> None:
        for text in ("", ":", "*", "*:", ":80", "*:0", "*:65536", "*:80-79", "*:a", "*:80,", "*:-80", "*:80-", "*:８０",
                     "1.1.1.1/33:80", "1.1.1.1/24:80", "1.1.1.256:80", "example.org:80", "::1:80", "[::1:80",
                     "[::1]x:80", "[::1]/129:80", "[1.1.1.1]:80", "**:80"):
            with self.assertRaises(ValueError, msg=text):
                parse_rule(text)

    def test_special_ranges_are_disjoint_from_the_world(self) -> None:
        """Each range that may be named holds nothing that ``*`` opens."""
        wide = Policy(["*:*"])
        for network in LISTABLE:
            for address in (network[0], network[-1], network[network.num_addresses // 2]):
                self.assertFalse(wide.allows(address, 80), network)
