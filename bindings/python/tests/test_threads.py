"""Threads, signals and processes."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest


def run(program):
    """What a Python process prints; it fails if the process does not end by itself."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_threads_share_a_model(model, selftest):
    pairs = [(asked["question"], asked["context"]) for asked, _ in selftest] * 10
    expected = [model.answer(*pair) for pair in pairs]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda pair: model.answer(*pair), pairs)) == expected
        many = [threads.submit(model.answer_many, *zip(*pairs)) for _ in range(3)]
        assert [future.result() for future in many] == [expected] * 3


# The passage takes many minutes. Only if the call lets other threads run does the signal come at all, and only if it heeds
# signals does it end before its time.
INTERRUPTED = """
import _thread, signal, threading, blockspan
# A shell starts what runs in the background with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
model = blockspan.Model()
model.answer("Who?", "Marta.")
context = "Gulls nest on the rocks below, and seals sleep on the sand. " * 500_000
threading.Timer(0.5, _thread.interrupt_main).start()
try:
    CALL
    print("answered")
except KeyboardInterrupt:
    [answer] = model.answer("Who?", "Marta")
    print("interrupted, then", answer.text)
"""


@pytest.mark.parametrize(
    "call",
    [
        "model.answer('Who?', context)",
        "model.answer_many(['Who?'] * 3, context)",
        "model.answer_many(['Who?'] * 3, context, sessions=1)",
    ],
)
def test_control_c_ends_a_call_and_other_threads_run_meanwhile(call):
    assert run(INTERRUPTED.replace("CALL", call)) == "interrupted, then Marta\n"


FORKED = """
import os, signal, warnings, blockspan
warnings.simplefilter("ignore")
model = blockspan.Model()
before = model.answer("Who?", "Marta lives here.")
child = os.fork()
if child == 0:
    signal.alarm(60)
    same = model.answer("Who?", "Marta lives here.") == before
    del model
    os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), model.answer("Who?", "Marta lives here.") == before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_answers_with_threads_of_its_own():
    assert run(FORKED) == "0 True\n"
