"""Runs a program on a terminal of its own: on-terminal.py COLUMNS STEPS PROGRAM... with STEPS as JSON, [[awaited, keys], ...].

Each step waits until the text stands in what came since the step before, then types its keys. Ends with the program; prints what it
wrote, and its exit code, as JSON.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

columns, steps, program = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.execvp(program[0], program)
written = b""
since = 0
until = time.monotonic() + 90
while time.monotonic() < until:
    if steps and (at := written.find(steps[0][0].encode(), since)) >= 0:
        since = at + len(steps[0][0].encode())
        os.write(terminal, steps.pop(0)[1].encode())
        continue
    ready, _, _ = select.select([terminal], [], [], 1)
    if not ready:
        continue
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    written += part
else:
    os.kill(child, 9)
_, status = os.waitpid(child, 0)
left = [awaited for awaited, _ in steps]
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "text": written.decode("utf-8", "replace"), "left": left}))
