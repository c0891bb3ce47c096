"""
Makes the files that the doctor reads, of machines that are not here: three Jetsons, a workstation,
a virtual machine.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from voxgate.harness.machine.checks.check import SystemRoot

CPUS = "sys/devices/system/cpu"
STAT = "cpu  {user} 0 50 {idle} 0 0 0 {stolen} 0 0\n"
NVPMODEL = """
< PARAM TYPE=CLOCK NAME=CPU_A78_0 >
MAX_FREQ /sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq

< PARAM TYPE=FILE NAME=EMC >
MAX_FREQ /sys/kernel/nvpmodel_emc_cap/emc_iso_cap

< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_0 1
CPU_A78_0 MIN_FREQ 729600
CPU_A78_0 MAX_FREQ -1
GPU MIN_FREQ 0
GPU MAX_FREQ -1
EMC MAX_FREQ 0

< POWER_MODEL ID=2 NAME=MODE_30W >
CPU_A78_0 MAX_FREQ 1728000
CPU_A78_1 MAX_FREQ 1728000
GPU MAX_FREQ 624750000
EMC MAX_FREQ 0

< PM_CONFIG DEFAULT=2 >
"""
NANO_MODES = """
< POWER_MODEL ID=0 NAME=15W >
CPU_A78_0 MAX_FREQ 1497600
GPU MAX_FREQ 612000000
EMC MAX_FREQ 2133000000

< POWER_MODEL ID=1 NAME=25W >
CPU_A78_0 MAX_FREQ 1344000
GPU MAX_FREQ 918000000

< POWER_MODEL ID=2 NAME=MAXN_SUPER >
CPU_A78_0 MAX_FREQ -1

< POWER_MODEL ID=3 NAME=7W >
CPU_A78_0 MAX_FREQ 960000
"""
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"


SET: Mapping[str, Any] = {"now": lambda: "2026-11-20T02:00:00+00:00", "synchronized": lambda: True}
"""A clock that is right."""


def write(root: Path, files: Mapping[str, object]) -> SystemRoot:
    """Writes files below the root; None removes one."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(f"{content}\n")
    return SystemRoot(root=root, **SET)


def system(cores: int, mem_kb: int, *, load: float = 0.1) -> dict[str, object]:
    """What every Linux shows: little load, enough memory, no swapping, no group of its own."""
    per_cpu = "".join(f"cpu{n} 100 0 50 800 0 0 0 0 0 0\n" for n in range(cores))
    return {
        "proc/loadavg": f"{load} 0.1 0.1 1/467 12345",
        "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 "
        "avg60=0.00 avg300=0.00 total=0",
        "proc/stat": STAT.format(user=100, idle=800, stolen=0) + per_cpu,
        "proc/meminfo": f"MemTotal: {mem_kb} kB\nMemFree: 1 kB\nMemAvailable: {mem_kb // 2} kB",
        "proc/swaps": "Filename Type Size Used Priority",
        "proc/vmstat": "pswpin 0\npswpout 0",
        "proc/self/cgroup": "0::/",
        "proc/self/schedstat": "1000000000 0 5",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    }


def cpu_info(cores: int, name: str, flags: str = "fpu sse2") -> str:
    block = (
        "processor\t: {n}\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: {name}\nstepping\t: 8\n"
        "flags\t\t: {flags}\n"
    )
    return "\n".join(block.format(n=n, name=name, flags=flags) for n in range(cores))


def arm_info(cores: int) -> str:
    return "\n".join(
        f"processor\t: {n}\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n" for n in range(cores)
    )


def clocks(cpu: int, low: int, high: int, now: int, top: int, governor: str) -> dict[str, object]:
    """cpufreq of one CPU, in kHz."""
    names = (
        "scaling_min_freq",
        "scaling_max_freq",
        "scaling_cur_freq",
        "cpuinfo_max_freq",
        "scaling_governor",
    )
    folder = f"{CPUS}/cpu{cpu}/cpufreq"
    return {
        f"{folder}/{name}": value
        for name, value in zip(names, (low, high, now, top, governor), strict=True)
    }


def zone(number: int, kind: str, temp_c: float, trip_c: float | None = 99.0) -> dict[str, object]:
    folder = f"sys/class/thermal/thermal_zone{number}"
    files: dict[str, object] = {f"{folder}/type": kind, f"{folder}/temp": int(temp_c * 1000)}
    if trip_c is None:
        return files
    trips = {0: ("active", 35.0), 1: ("passive", trip_c), 2: ("critical", trip_c + 5)}
    for trip, (what, at_c) in trips.items():
        files |= {
            f"{folder}/trip_point_{trip}_type": what,
            f"{folder}/trip_point_{trip}_temp": int(at_c * 1000),
        }
    return files


def gpu_clock(name: str, node: str, low: int, high: int, now: int, steps: str) -> dict[str, object]:
    folder = f"sys/class/devfreq/{name}"
    return {
        f"{folder}/device/of_node/name": f"{node}\0",
        f"{folder}/min_freq": low,
        f"{folder}/max_freq": high,
        f"{folder}/cur_freq": now,
        f"{folder}/available_frequencies": steps,
    }


def rails(number: int, channels: Mapping[str, tuple[int, int]]) -> dict[str, object]:
    folder = f"sys/class/hwmon/hwmon{number}"
    files: dict[str, object] = {f"{folder}/name": "ina3221", f"{folder}/curr1_crit_alarm": 0}
    for channel, (label, (milli_v, milli_a)) in enumerate(channels.items(), start=1):
        files |= {f"{folder}/in{channel}_label": label, f"{folder}/in{channel}_input": milli_v}
        files |= {f"{folder}/curr{channel}_input": milli_a}
    return files


def agx_orin(root: Path, *, locked: bool = True, mode: int = 0) -> SystemRoot:
    """Jetson AGX Orin 64 GB on JetPack 6, read as root."""
    cpu_top, gpu_top, emc = 2_201_600, 1_300_500_000, 3_199_000_000
    cap, gpu_cap = (cpu_top, gpu_top) if mode == 0 else (1_728_000, 624_750_000)
    # the present clock is counted, and a little off
    cpu = (cap, cap, cap - 5_000) if locked else (729_600, cap, 1_190_400)
    gpu = (gpu_cap, gpu_cap, gpu_cap) if locked else (306_000_000, gpu_cap, 306_000_000)
    over_current = "sys/class/hwmon/hwmon3"
    files = {
        **system(12, 62_872_000),
        "proc/cpuinfo": arm_info(12),
        "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
        "proc/device-tree/nvidia,dtsfilename": "tegra234-p3737-0000+p3701-0005-nv.dts\0",
        "proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234\0",  # noqa: E501
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, "
        "EABI: aarch64",
        "etc/nvpmodel.conf": NVPMODEL,
        "var/lib/nvpmodel/status": f"pmode:{mode:04} fmode:quiet",
        f"{EMC}/rate": emc if locked else 2_133_000_000,
        f"{EMC}/max_rate": emc,
        f"{EMC}/min_rate": 204_000_000,
        f"{EMC}/mrq_rate_locked": int(locked),
        **zone(0, "cpu-thermal", 48.5),
        **zone(1, "gpu-thermal", 45.0),
        **zone(2, "cv0-thermal", -256.0),
        **rails(
            1,
            {
                "VDD_GPU_SOC": (19_840, 304),
                "VDD_CPU_CV": (19_840, 101),
                "VIN_SYS_5V0": (5_040, 703),
            },
        ),
        **rails(
            2, {"VDDQ_VDD2_1V8AO": (5_040, 201), "NC": (0, 0), "sum of shunt voltages": (0, 0)}
        ),
        f"{over_current}/name": "soctherm_oc",
        **{f"{over_current}/oc{n}_event_cnt": 7 for n in (1, 2, 3)},
        "sys/class/hwmon/hwmon4/name": "pwmfan",
        "sys/class/hwmon/hwmon4/pwm1": 255 if locked else 77,
        **gpu_clock("17000000.ga10b", "ga10b", *gpu, steps="306000000 624750000 1300500000"),
        "sys/class/devfreq/13e40000.host1x/cur_freq": 1,
    }
    for n in range(12):
        files |= clocks(n, *cpu, cpu_top, "schedutil")
    return write(root, files)


def orin_nano(root: Path, *, mode: int = 1) -> SystemRoot:
    """Jetson Orin Nano 8 GB on JetPack 6.2, locked, read without root: no memory clock."""
    cap, gpu = {
        0: (1_497_600, 612_000_000),
        1: (1_344_000, 918_000_000),
        3: (960_000, 408_000_000),
    }[mode]
    files = {
        **system(6, 7_800_000),
        "proc/cpuinfo": arm_info(6),
        "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit "
        "Super\0",
        "proc/device-tree/nvidia,dtsfilename": "tegra234-p3768-0000+p3767-0005-nv-super.dts\0",
        "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005-super\0nvidia,tegra234\0",
        "etc/nvpmodel.conf": NANO_MODES,
        "var/lib/nvpmodel/status": f"pmode:{mode:04}",
        **zone(0, "tj-thermal", 52.0),
        **rails(
            1, {"VDD_IN": (5_056, 1_000), "VDD_CPU_GPU_CV": (5_056, 300), "VDD_SOC": (5_056, 250)}
        ),
        "sys/class/hwmon/hwmon0/name": "soctherm_oc",
        "sys/class/hwmon/hwmon0/oc3_event_cnt": 0,
        **gpu_clock("17000000.gpu", "gpu", gpu, gpu, gpu, f"306000000 {gpu} 1020000000"),
    }
    for n in range(6):
        files |= clocks(n, cap, cap, cap, 1_728_000, "schedutil")
    return write(root, files)


def thor(root: Path) -> SystemRoot:
    """Jetson Thor on JetPack 7: other names for GPU and memory, another power monitor."""
    files = {
        **system(14, 125_000_000),
        "proc/cpuinfo": arm_info(14),
        "proc/device-tree/model": "NVIDIA Jetson AGX Thor Developer Kit\0",
        "proc/device-tree/compatible": "nvidia,p3971-0089+p3834-0008\0nvidia,p3834-0008\0nvidia,tegra264\0",  # noqa: E501
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\nCPU_C0 MAX_FREQ -1\n\n< POWER_MODEL "
        "ID=1 NAME=120W >\n",
        "var/lib/nvpmodel/status": "pmode:0000",
        **gpu_clock(
            "gpu-gpc-0", "none", 1_575_000_000, 1_575_000_000, 1_575_000_000, "315000000 1575000000"
        ),
        **gpu_clock("gpu-nvd-0", "none", 1_692_000_000, 1_692_000_000, 1_692_000_000, "1692000000"),
        "sys/class/devfreq/bwmgr/min_freq": 4_266_000_000,
        "sys/class/devfreq/bwmgr/max_freq": 4_266_000_000,
        "sys/class/devfreq/bwmgr/cur_freq": 4_266_000_000,
        "sys/class/hwmon/hwmon1/name": "ina238",
        "sys/class/hwmon/hwmon1/power1_input": 28_500_000,
        "sys/class/hwmon/hwmon2/name": "ucsi_source_psy",
        "sys/class/hwmon/hwmon2/in0_label": "USB",
    }
    for n in range(14):
        files |= clocks(n, 2_601_000, 2_601_000, 2_601_000, 2_601_000, "performance")
    return write(root, files)


def workstation(root: Path) -> SystemRoot:
    """x86 on bare metal with two threads per core, as it comes: powersave, turbo on."""
    files = {
        **system(8, 65_000_000),
        "proc/cpuinfo": cpu_info(8, "Intel(R) Xeon(R) W-2223 CPU @ 3.60GHz"),
        f"{CPUS}/intel_pstate/no_turbo": 0,
        "sys/class/dmi/id/sys_vendor": "Dell Inc.",
        "sys/class/dmi/id/product_name": "Precision 5820 Tower",
        f"{CPUS}/cpu0/cache/index2/size": "1024K",
        f"{CPUS}/cpu0/cache/index3/size": "8448K",
        **zone(0, "x86_pkg_temp", 41.0, 100.0),
    }
    for n in range(8):
        files |= clocks(
            n, 1_200_000, 3_900_000, 1_200_000 if n else 3_820_000, 3_900_000, "powersave"
        )
        files[f"{CPUS}/cpu{n}/topology/thread_siblings_list"] = f"{n % 4},{n % 4 + 4}"
    return write(root, files)


def virtual(root: Path) -> SystemRoot:
    """x86 in a virtual machine: two CPUs, no clocks, no zones."""
    files = {
        **system(2, 24_641_536),
        "proc/cpuinfo": cpu_info(2, "Intel(R) Xeon(R) Processor", "fpu sse2 hypervisor"),
    }
    for n in range(2):
        files[f"{CPUS}/cpu{n}/topology/thread_siblings_list"] = n
    return write(root, files)


def with_gpu(root: Path, **answers: Any) -> SystemRoot:
    """
    Adds an NVIDIA GPU to a machine, whose library gives these answers; those that are not given it
    refuses.
    """
    write(
        root,
        {"proc/driver/nvidia/gpus/0000:00:05.0/information": "Model: \t\t NVIDIA H200\nIRQ: 24"},
    )
    return SystemRoot(root=root, nvml=lambda: FakeNvml(answers), **SET)


class FakeNvml:
    """
    NVIDIA's management library with the answers of a test: the call's name without `nvmlDevice`.
    """

    NVML_CLOCK_SM, NVML_PERF_POLICY_POWER, NVML_PERF_POLICY_THERMAL, NVML_TEMPERATURE_GPU = (
        1,
        0,
        1,
        0,
    )

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers
        self.nvmlInit = self.nvmlShutdown = lambda: None

    def __getattr__(self, name: str) -> Any:
        def call(*_: object) -> Any:
            key = name.removeprefix("nvmlDevice")
            if key.startswith("GetHandle"):
                return "handle"
            if key not in self._answers:
                raise RuntimeError("Not Supported")
            return self._answers[key]

        return call


H200: Mapping[str, Any] = {
    "GetClockInfo": 1980,
    "GetMaxClockInfo": 1980,
    "GetEnforcedPowerLimit": 700_000,
    "GetPowerManagementDefaultLimit": 700_000,
    "GetCurrentClocksThrottleReasons": 0,
    "GetViolationStatus": SimpleNamespace(violationTime=0),
    "GetComputeRunningProcesses": [],
    "GetPersistenceMode": 1,
    "GetTemperature": 38,
}
