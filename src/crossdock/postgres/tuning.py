"""Settings for the machine at hand. Durability is never among them: it is fixed in `launcher`."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

_MIB = 1024 * 1024
_GIB = 1024 * _MIB


def tuned_settings(cluster: Path) -> dict[str, str]:
    """What PostgreSQL is told about memory, checkpoints and vacuum on this machine."""
    memory = machine_memory_bytes()
    settings = {
        "shared_buffers": _mib(min(max(memory // 8, 128 * _MIB), 2 * _GIB)),
        "effective_cache_size": _mib(max(memory // 2, 256 * _MIB)),
        "work_mem": "16MB",
        "maintenance_work_mem": _mib(min(max(memory // 32, 64 * _MIB), 512 * _MIB)),
        # Checkpoints seldom and spread out: after one, a page's next change is a full-page write.
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "max_wal_size": _mib(_wal_bytes(cluster)),
        "min_wal_size": "512MB",
        # Inbox, outbox and timers lose their rows within seconds: vacuum must keep pace with that.
        "autovacuum_naptime": "10s",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.05",
        "autovacuum_vacuum_cost_limit": "2000",
        "random_page_cost": "1.1",
        # Our statements run for milliseconds; compiling one would take longer than running it.
        "jit": "off",
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # DETAIL lines and statements carry people's names and addresses: the log has neither.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] ",
    }
    if _shared_memory_is_small():
        settings["dynamic_shared_memory_type"] = "mmap"
    return settings


def machine_memory_bytes() -> int:
    """Physical memory, or the container's limit where that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [physical]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path("/sys/fs/cgroup", limit).read_text(encoding="ascii")))
    return min(limits)


def shared_memory_is_ample() -> bool:
    """Whether a throw-away server may live in /dev/shm: programs run there, and much is free."""
    try:
        folder = os.statvfs("/dev/shm")
    except OSError:
        return False
    free = folder.f_bavail * folder.f_frsize
    return (
        not folder.f_flag & os.ST_NOEXEC and free >= 4 * _GIB and machine_memory_bytes() >= 8 * _GIB
    )


def _wal_bytes(cluster: Path) -> int:
    """4 GiB where the disk has room for that five times over, else a fifth of what is free."""
    if cluster.is_relative_to("/dev/shm"):
        return 512 * _MIB
    free = shutil.disk_usage(cluster).free
    return max(min(4 * _GIB, free // 5), 512 * _MIB)


def _shared_memory_is_small() -> bool:
    """Containers often get 64 MiB of /dev/shm, too little for one parallel query."""
    try:
        return shutil.disk_usage("/dev/shm").total < 256 * _MIB
    except OSError:
        return False


def _mib(count: int) -> str:
    return f"{count // _MIB}MB"
