"""
Is this machine ready to measure under a profile? Before a run: refused, or told what disturbs.
"""

from voxgate.harness.machine import doctor
from voxgate.harness.machine.checks import check
from voxgate.harness.machine.doctor import Examination
from voxgate.harness.machine.identity import machine
from voxgate.harness.machine.profiles import DEFAULT, Profile, allowed_cpus, get_profile


def ready_profile(name: str) -> Profile:
    """
    Return a profile that this machine may measure under.

    Raises HarnessError for an unknown profile, or where the machine rules it out.
    """
    profile = get_profile(name)
    doctor.refuse_unfit(profile.name, profile.requires, check.here())
    return profile


def examine(name: str = DEFAULT) -> Examination:
    """
    Check whether this machine is fit for a profile. Raises HarnessError for an unknown profile.
    """
    chosen = get_profile(name)
    cpus = allowed_cpus()
    cpu = cpus[-1] if chosen.pin and cpus else None
    return doctor.examine(
        chosen.name, str(machine()["id"]), chosen.requires, check.here(), lambda: doctor.busy(cpu)
    )
