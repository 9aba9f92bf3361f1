#!/usr/bin/env python3
"""Joins network namespaces by a switch that takes its time: each packet comes out a delay after it went in. `network.sh` starts it.

    benches/ranks/relay.py DELAY_MICROSECONDS BITS_A_SECOND NAMESPACE…     # the k-th namespace has 10.77.0.k

The link of each namespace, `rord0`, must be there (`ip tuntap add dev rord0 mode tun`), and what it sends is held back there, by `tc`. What comes to a
namespace is held back here: to the same bandwidth, 0 for none. The last namespace is the launcher's, and nothing of it is delayed. A kernel
with `netem` could do it alone; many have none, and `tbf` alone cannot delay. Prints "ready", and ends when its input does.
"""

import ctypes
import fcntl
import heapq
import os
import select
import struct
import sys
import time

SET_INTERFACE, TUN, NO_HEADER, NAMESPACE_OF_NETWORK, TIMER_SLACK = 0x400454CA, 0x0001, 0x1000, 0x40000000, 29
PACKET = 65536
LIBC = ctypes.CDLL(None, use_errno=True)


def opened(namespace):
    """The link of a namespace, as a file that gives and takes packets."""
    with open(f"/run/netns/{namespace}") as space:
        if LIBC.setns(space.fileno(), NAMESPACE_OF_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
    link = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(link, SET_INTERFACE, struct.pack("16sH", b"rord0", TUN | NO_HEADER))
    return link


def main():
    delay, bits, namespaces = float(sys.argv[1]) * 1e-6, float(sys.argv[2]), sys.argv[3:]
    # Else the kernel adds 50 microseconds to every sleep.
    LIBC.prctl(TIMER_SLACK, 1000, 0, 0, 0)
    links = [opened(namespace) for namespace in namespaces]
    launcher = links[-1]
    free = dict.fromkeys(links, 0.0)  # when the way into each namespace is free
    held, count = [], 0
    print("ready", flush=True)
    while True:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else None
        for link in select.select([*links, 0], [], [], wait)[0]:
            if link == 0:
                return
            # A few at a time, so that what is due is not late.
            for _ in range(16):
                try:
                    packet = os.read(link, PACKET)
                except BlockingIOError:
                    break
                to = packet[19] - 1 if len(packet) > 19 and packet[0] >> 4 == 4 else -1
                if not 0 <= to < len(links) or packet[16:19] != b"\x0a\x4d\x00":
                    continue
                now, to = time.monotonic(), links[to]
                due = now
                if launcher not in (link, to):
                    # It begins to come out while it still goes in.
                    due = max(now + delay, free[to])
                    if bits:
                        free[to] = due + 8 * len(packet) / bits
                heapq.heappush(held, (due, count, to, packet))
                count += 1
        while held and held[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(held)
            try:
                os.write(to, packet)
            except OSError:
                pass  # as a switch loses packets whose port is gone


main()
