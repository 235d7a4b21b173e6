# SPDX-License-Identifier: BSD-3-Clause
"""A worker that somebody has taken over: it is stopped, and makes the system calls that the test wants, with all that
its sandbox leaves it."""

import ctypes
import os
import platform
import signal
import struct

import pytest

ATTACH, DETACH, GETREGS, SETREGS, SINGLESTEP = 16, 17, 12, 13, 9
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
             "ds es fs gs").split()
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
INSTRUCTION = b"\x0f\x05"
BELOW_STACK = 4096  # nobody's, while the process is stopped

only_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the registers are those of x86-64")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


class Killed(Exception):
    """The call ended the process, by this signal."""


class TakenOver:
    def __init__(self, pid):
        self.pid = pid
        self.trace(ATTACH)
        os.waitpid(pid, 0)
        self.before = self.registers()
        self.memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        # It waits in a system call, so the instruction before is the one that makes them.
        self.gate = self.before["rip"] - len(INSTRUCTION)
        assert os.pread(self.memory, 2, self.gate) == INSTRUCTION

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        os.close(self.memory)
        if kind is not Killed:
            self.set_registers(self.before)
            self.trace(DETACH)

    def trace(self, request, data=None):
        assert _libc.ptrace(request, self.pid, None, data) == 0, os.strerror(ctypes.get_errno())

    def registers(self):
        room = ctypes.create_string_buffer(8 * len(REGISTERS))
        self.trace(GETREGS, ctypes.addressof(room))
        return dict(zip(REGISTERS, struct.unpack(f"{len(REGISTERS)}Q", room.raw)))

    def set_registers(self, values):
        room = ctypes.create_string_buffer(struct.pack(f"{len(REGISTERS)}Q", *values.values()))
        self.trace(SETREGS, ctypes.addressof(room))

    def call(self, number, *args):
        """Makes a system call; bytes among the arguments are put into its memory. The result, or minus errno."""
        at, values = self.before["rsp"] - BELOW_STACK, []
        for arg in args:
            if isinstance(arg, bytes):
                at -= (len(arg) + 16) & ~15
                os.pwrite(self.memory, arg + b"\0", at)
                arg = at
            values.append(arg & (1 << 64) - 1)
        regs = dict(self.before, rax=number, orig_rax=(1 << 64) - 1, rip=self.gate, rsp=at & ~15)
        regs.update(zip(ARGUMENTS, values))
        self.set_registers(regs)
        self.trace(SINGLESTEP)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            raise Killed(os.WTERMSIG(status))
        assert os.WSTOPSIG(status) == signal.SIGTRAP, status
        return struct.unpack("q", struct.pack("Q", self.registers()["rax"]))[0]
