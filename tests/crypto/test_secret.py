"""Tests of quantumgate.crypto.secret."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import threading

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from quantumgate.crypto import secret as module
from quantumgate.crypto.secret import CHUNK_BYTES, Secret, arena_status
from quantumgate.errors import BugError, LocalError
from tests.crypto.scripts import run_script


def needs_linux() -> None:
    """Skip where the kernel does not tell about mappings."""
    if not sys.platform.startswith("linux"):
        raise SkipTest("reads /proc and VmLck: run on Linux")


class SecretTests(SynchronousTestCase):
    """What a Secret shows and hides."""

    def test_holds_its_bytes(self) -> None:
        """reveal gives back what went in, for every size around the slots' and the chunks' edges."""
        for size in (1, 15, 16, 17, 32, 33, 64, 65, 128, 4096, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000):
            data = bytes(n % 251 for n in range(size))
            for kind in (bytes, bytearray, memoryview):
                kept = Secret(kind(data))
                self.assertEqual(kept.reveal(), data)
                self.assertEqual(len(kept), size)

    def test_does_not_follow_its_source(self) -> None:
        """The data is copied."""
        source = bytearray(b"secret data")
        kept = Secret(source)
        source[:] = bytes(len(source))
        self.assertEqual(kept.reveal(), b"secret data")

    def test_neighbours_do_not_touch(self) -> None:
        """Many secrets side by side keep their own bytes while others come and go."""
        kept = {n: Secret(n.to_bytes(2, "big") * 32) for n in range(3000)}
        for n in range(0, 3000, 3):
            kept.pop(n).wipe()
        more = [Secret(b"\xff" * 64) for _ in range(1500)]
        self.assertEqual(len(more), 1500)
        for n, one in kept.items():
            self.assertEqual(one.reveal(), n.to_bytes(2, "big") * 32)

    def test_empty_is_refused(self) -> None:
        """There is no secret of nothing."""
        self.assertRaises(LocalError, Secret, b"")

    def test_is_never_shown(self) -> None:
        """repr, str and format show the size only."""
        kept = Secret(b"hunter2" * 9)
        for text in (repr(kept), str(kept), f"{kept}", f"{[kept]}", "%s" % kept):  # noqa: UP031
            self.assertNotIn("hunter", text)
            self.assertIn("<Secret 63 bytes>", text)

    def test_cannot_be_pickled_or_copied(self) -> None:
        """A pickle or a copy would leave the locked memory."""
        kept = Secret(b"x" * 32)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            self.assertRaises(TypeError, pickle.dumps, kept, protocol)
        self.assertRaises(TypeError, copy.copy, kept)
        self.assertRaises(TypeError, copy.deepcopy, kept)

    def test_equality(self) -> None:
        """Equal to the same bytes in another Secret, to nothing else; no hash."""
        self.assertEqual(Secret(b"abc"), Secret(b"abc"))
        self.assertNotEqual(Secret(b"abc"), Secret(b"abd"))
        self.assertNotEqual(Secret(b"abc"), Secret(b"abcd"))
        self.assertNotEqual(Secret(b"abc"), b"abc")
        self.assertRaises(TypeError, hash, Secret(b"abc"))

    def test_equality_takes_constant_time(self) -> None:
        """The comparison is hmac.compare_digest's, nothing else's."""
        calls = []

        def compare(a: memoryview, b: memoryview) -> bool:
            calls.append((bytes(a), bytes(b)))
            return True

        self.patch(module.hmac, "compare_digest", compare)
        self.assertTrue(Secret(b"abc") == Secret(b"abd"))
        self.assertEqual(calls, [(b"abc", b"abd")])

    def test_borrow_is_read_only(self) -> None:
        """The library gets to read, not to write."""
        kept = Secret(b"abc")
        with self.assertRaises(TypeError):
            kept.borrow()[0] = 1
        self.assertEqual(bytes(kept.borrow()), b"abc")

    def test_blank_is_zero_even_in_a_used_slot(self) -> None:
        """Nothing of a former owner shows."""
        for size in (17, 18, 31, 32):
            Secret(b"\xff" * 32).wipe()
            self.assertEqual(Secret.blank(size).reveal(), bytes(size))


class WipingTests(SynchronousTestCase):
    """What is left of a secret."""

    def slot_of(self, kept: Secret) -> memoryview:
        """The memory itself, which outlives the secret."""
        return kept.fill_view()

    def test_wipe_zeroes(self) -> None:
        """The memory holds zeros afterwards."""
        kept = Secret(b"\xaa" * 48)
        memory = self.slot_of(kept)
        kept.wipe()
        self.assertEqual(bytes(memory), bytes(48))

    def test_deletion_zeroes(self) -> None:
        """The same when the last reference goes."""
        kept = Secret(b"\xaa" * 48)
        memory = self.slot_of(kept)
        del kept
        gc.collect()
        self.assertEqual(bytes(memory), bytes(48))

    def test_use_after_wipe_is_a_bug(self) -> None:
        """Every door is closed, none gives zeros."""
        kept = Secret(b"abc")
        kept.wipe()
        for use in (kept.reveal, kept.borrow, kept.fill_view, lambda: kept == Secret(b"abc")):
            self.assertRaises(BugError, use)
        self.assertEqual(repr(kept), "<Secret 3 bytes, wiped>")

    def test_second_wipe_does_not_touch_the_new_owner(self) -> None:
        """A slot that was given back belongs to somebody else."""
        kept = Secret(b"a" * 40)
        kept.wipe()
        heirs = [Secret(b"b" * 40) for _ in range(3)]
        kept.wipe()
        del kept
        self.assertEqual([heir.reveal() for heir in heirs], [b"b" * 40] * 3)
        self.assertEqual(len({heir._at for heir in heirs}), 3)


class ArenaTests(SynchronousTestCase):
    """Memory: how much, how well kept."""

    def test_slots_are_used_again(self) -> None:
        """100 000 secrets one after the other need one chunk."""
        Secret(b"x" * 64)
        before = len(module._ARENA.chunks)
        for _ in range(100_000):
            Secret(b"x" * 64)
        self.assertLessEqual(len(module._ARENA.chunks), before + 1)

    def test_threads(self) -> None:
        """Four threads that make and drop secrets never see another's bytes."""
        wrong: list[bytes] = []

        def work(mark: bytes) -> None:
            kept = [Secret(mark * 64)]
            for n in range(4000):
                kept.append(Secret(mark * 64))
                if n % 3:
                    kept.pop(0)
            wrong.extend(one.reveal() for one in kept if one.reveal() != mark * 64)

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.addCleanup(sys.setswitchinterval, before)
        threads = [threading.Thread(target=work, args=(mark,)) for mark in (b"a", b"b", b"c", b"d")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_a_secret_costs_under_300_bytes(self) -> None:
        """64 bytes of secret, with object, slot and book-keeping, measured over 20 000 of them."""
        cost = run_script(
            "import tracemalloc\n"
            "from quantumgate.crypto.secret import Secret, _ARENA\n"
            "tracemalloc.start()\n"
            "kept = [Secret(bytes(64)) for _ in range(20_000)]\n"
            "mapped = sum(len(chunk) for chunk in _ARENA.chunks)\n"
            "print((tracemalloc.get_traced_memory()[0] + mapped) / 20_000)"
        )
        self.assertLess(float(cost), 240)

    def test_status_tells_what_is_locked(self) -> None:
        """Every mapped byte is either locked or not."""
        status = arena_status()
        self.assertGreaterEqual(status.locked_bytes + status.unlocked_bytes, CHUNK_BYTES)
        self.assertEqual(status.unlocked_bytes > 0, status.reason != "")

    def test_memory_is_locked_and_not_dumped(self) -> None:
        """The kernel's own word: flags lo (locked) and dd (do not dump) on the mapping that holds the secret."""
        needs_linux()
        said = run_script(
            "import ctypes\n"
            "from quantumgate.crypto.secret import Secret, arena_status\n"
            "kept = Secret(b'x' * 64)\n"
            "at = ctypes.addressof(ctypes.c_char.from_buffer(kept.fill_view()))\n"
            "inside, flags = False, ''\n"
            "for line in open('/proc/self/smaps'):\n"
            "    first = line.split()[0]\n"
            "    if '-' in first and not first.endswith(':'):\n"
            "        low, high = (int(part, 16) for part in first.split('-'))\n"
            "        inside = low <= at < high\n"
            "    elif inside and first == 'VmFlags:':\n"
            "        flags = line\n"
            "words = flags.split()\n"
            "print('dd' in words, ('lo' in words) == (arena_status().reason == ''))"
        )
        self.assertEqual(said, "True True")

    def test_too_small_a_limit_is_reported_and_survived(self) -> None:
        """With RLIMIT_MEMLOCK 0 and no privilege secrets work, and the status says what to raise."""
        needs_linux()
        said = run_script(
            "import os, resource\n"
            "from quantumgate.crypto.secret import Secret, arena_status\n"
            "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\n"
            "os.geteuid() == 0 and os.setuid(65534)\n"
            "kept = Secret(b'abc')\n"
            "print(kept.reveal(), arena_status().locked_bytes, arena_status().unlocked_bytes, arena_status().reason)"
        )
        self.assertTrue(said.startswith(f"b'abc' 0 {CHUNK_BYTES} mlock: "), said)
        self.assertIn("RLIMIT_MEMLOCK", said)

    def test_a_forked_child_locks_again(self) -> None:
        """twistd becomes a daemon by forking, and locks are not inherited: VmLck of the child tells."""
        needs_linux()
        said = run_script(
            "import os\n"
            "from quantumgate.crypto.secret import Secret, arena_status\n"
            "kept = Secret(b'abc')\n"
            "def locked():\n"
            "    lines = open('/proc/self/status').read().splitlines()\n"
            "    return next(int(line.split()[1]) for line in lines if line.startswith('VmLck'))\n"
            "parent = locked()\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    os._exit(0 if locked() == parent and kept.reveal() == b'abc' else 1)\n"
            "print(os.waitpid(child, 0)[1], parent > 0 or arena_status().reason != '')"
        )
        self.assertEqual(said, "0 True")

    def test_the_interpreter_ends_in_peace(self) -> None:
        """Secrets alive at exit, in modules and in cycles, make no noise."""
        script = (
            "from quantumgate.crypto.secret import Secret\n"
            "kept = Secret(b'abc')\n"
            "loop = [Secret(b'abc')]\n"
            "loop.append(loop)\n"
            "import sys; sys.kept = Secret(b'abc')"
        )
        self.assertEqual(run_script(script), "")
