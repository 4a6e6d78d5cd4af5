# SPDX-License-Identifier: Apache-2.0
"""The emulated gateway as a test sees it: a machine that boots, obeys, has serial ports, and can lose its power.

Boot it from the main thread: the kernel ends QEMU when the thread that started it ends, so that nothing outlives a test.
"""
import base64
import contextlib
import ctypes
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from pathlib import Path

HOST = "10.0.2.2"  # the host's loopback, as the guest reaches it
UARTS = {"meter": "/dev/ttyS1", "bus": "/dev/ttyS2", "report": "/dev/ttyS3"}  # ttyS0 is the console
# The clock is the HPET: how fast a TSC goes is measured at boot, and comes out far too slow where the host is busy then.
KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr audit=0 random.trust_cpu=1 no_timer_check "
    "tsc=unstable clocksource=hpet"
)
PR_SET_PDEATHSIG = 1
BOOT_LIMIT_S = 240


class GuestError(Exception):
    """A command in the guest failed, or the guest did not answer."""


def wait_until(what, condition, limit_s=120, pause_s=0.05):
    """The first true value of `condition()`. What it waits for comes by itself: the pause only spares the processor."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s} s in vain: {what}")
        time.sleep(pause_s)


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_orphans():
    """The disks of tests that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("gateway-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


class Uart:
    """The far end of a serial port of the guest. It is read all the time, by a thread of its own: what QEMU cannot write
    holds up the port, and whoever writes to it in the guest."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lock = threading.Lock()
        self._received = b""  # guarded by _lock
        self._reader = threading.Thread(target=self._read_on, daemon=True)
        self._reader.start()

    def write(self, data):
        self._socket.sendall(data)

    def read(self):
        """What has come and was not read yet; never waits."""
        with self._lock:
            data, self._received = self._received, b""
        return data

    def lines(self):
        """The whole lines that have come and were not read yet; never waits."""
        with self._lock:
            *whole, self._received = self._received.split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in whole]

    def _read_on(self):
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65536):
                with self._lock:
                    self._received += data

    def close(self):
        """Once the guest is off: reads the rest."""
        self._reader.join(10)
        self._socket.close()


class Guest:
    """A guest with a disk of its own, made from `image` (build_image.sh's folder). `payload`: files that it finds, by
    name, under /payload. Use it in a `with`; it may boot many times."""

    def __init__(self, image, payload):
        self.image = Path(image)
        _remove_orphans()
        self.folder = Path(tempfile.mkdtemp(prefix=f"gateway-{os.getpid()}-"))
        self.disk = self.folder / "disk"
        subprocess.run(["cp", "--sparse=always", self.image / "root.img", self.disk], check=True)
        with tarfile.open(self.folder / "payload", "w") as tar:
            for file in payload:
                tar.add(file, arcname=Path(file).name)
        self._process = None
        self._sockets = {}
        self._boots = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        shutil.rmtree(self.folder)

    # ---- power ----

    def boot(self, rtc=None):
        """Starts the machine and waits until it obeys. `rtc`: what its clock says, instead of the time."""
        assert self._process is None, "it runs already"
        self._boots += 1
        for old in self.folder.glob("*.socket"):
            old.unlink()
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max", "-smp", "2", "-m", "512",
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd", "-append", KERNEL_ARGUMENTS,
            "-drive", f"file={self.disk},format=raw,if=virtio,cache=writeback",
            "-drive", f"file={self.folder}/payload,format=raw,if=virtio,readonly=on",
            "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile=",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-serial", f"file:{self._console()}",
        ]
        for name in UARTS:
            command += ["-serial", f"unix:{self._path(name)},server=on,wait=off"]
        command += ["-chardev", f"socket,id=control,path={self._path('control')},server=on,wait=off"]
        command += ["-device", "virtserialport,chardev=control,name=control"]
        command += ["-monitor", f"unix:{self._path('monitor')},server=on,wait=off"]
        if rtc:
            command += ["-rtc", f"base={rtc}"]
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                preexec_fn=end_with_parent, start_new_session=True,
            )
        try:
            wait_until("QEMU opens its sockets", lambda: self._path("monitor").exists() or not self.is_on())
            for name in (*UARTS, "control", "monitor"):
                self._sockets[name] = self._connect(name)
            wait_until("the guest obeys", lambda: "ready" in self._sockets["control"].lines() or not self.is_on(),
                       BOOT_LIMIT_S)
        except (OSError, AssertionError) as error:
            raise GuestError(f"{error}\n{self.last_words()}") from error
        if not self.is_on():
            raise GuestError("QEMU ended\n" + self.last_words())
        self.run("systemctl is-system-running --wait", BOOT_LIMIT_S, check=False)

    def is_on(self):
        return self._process is not None and self._process.poll() is None

    def cut(self):
        """Takes the power away. What the guest had not written to its disk is gone. Answers what came over the UART
        named `report` until then."""
        if self._process is None:
            return []
        self._process.kill()
        return self._ended()

    def shut_down(self):
        """As its administrator would."""
        self._sockets["control"].write(self._encoded("systemctl --no-block poweroff"))
        self._process.wait(180)
        return self._ended()

    def _ended(self):
        self._process.wait(60)
        self._process = None
        closed, self._sockets = self._sockets, {}
        for one in closed.values():
            one.close()
        return closed["report"].lines() if "report" in closed else []

    # ---- what it obeys ----

    def run(self, command, limit_s=120, check=True):
        """The output of a shell command, as root. Fails where the command does, unless `check` is false."""
        control = self._sockets["control"]
        control.write(self._encoded(command))
        try:
            answers = wait_until(f"the guest answers: {command}", lambda: control.lines() or not self.is_on(), limit_s, 0.01)
        except AssertionError as error:
            raise GuestError(f"{error}\n{self.last_words()}") from error
        if not isinstance(answers, list):
            raise GuestError("QEMU ended\n" + self.last_words())
        status, _, output = answers[-1].partition(" ")
        output = base64.b64decode(output).decode(errors="replace")
        if check and status != "0":
            raise GuestError(f"exit code {status}: {command}\n{output}")
        return output.strip()

    def succeeds(self, command, limit_s=120):
        return self.run(f"({command}) >/dev/null 2>&1 && echo yes || true", limit_s) == "yes"

    def write(self, path, text):
        self.run(f"mkdir -p {shlex.quote(os.path.dirname(path))} && printf %s {shlex.quote(text)} > {shlex.quote(path)}")

    def clock_ns(self):
        return int(self.run("date +%s%N"))

    # ---- the world around it ----

    def uart(self, name):
        return self._sockets[name]

    def monitor(self, command):
        """Tells QEMU, such as `set_link n0 off`."""
        monitor = self._sockets["monitor"]
        monitor.read()
        monitor.write(command.encode() + b"\n")
        received = bytearray()

        def prompted():
            received.extend(monitor.read())
            return received.count(b"\n") >= 1 and received.rstrip().endswith(b"(qemu)")

        wait_until(f"QEMU's monitor answers: {command}", prompted)
        return received.decode(errors="replace")

    def last_words(self):
        """The console and QEMU's own complaints, for the report of a failure."""
        console = self._console().read_text(errors="replace")[-4000:] if self._console().exists() else ""
        return f"--- console\n{console}\n--- qemu\n{(self.folder / 'qemu.log').read_text(errors='replace')[-2000:]}"

    def _console(self):
        return self.folder / f"console-{self._boots}.log"

    def _path(self, name):
        return self.folder / f"{name}.socket"

    def _connect(self, name):
        return wait_until(f"QEMU's socket {name}", lambda: self._try_connect(name))

    def _try_connect(self, name):
        try:
            return Uart(self._path(name))
        except (FileNotFoundError, ConnectionRefusedError):
            if not self.is_on():
                raise
            return None

    @staticmethod
    def _encoded(command):
        return base64.b64encode(command.encode()) + b"\n"
