"""List the machines of a Ray cluster for `moodstem doctor`.

`python -m jobs.engines.cluster.survey ADDRESS` prints them as JSON, in a process of its own: if the head is gone, Ray's
calls may hang, and its libraries end the process.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

from core.errors import UserError
from jobs.engines.cluster.actors import difference
from jobs.engines.cluster.membership import Membership, in_thread, last_line
from jobs.worker import versions

SURVEY_S = 90.0
ASK_S = 40.0


def survey(address: str) -> dict[str, Any]:
    """Return {"ray", "machines": [{"host", "cpus", "gpus", "problem"}]}, or {"problem"}; a problem is a sentence. Blocks."""
    command = [sys.executable, "-P", "-m", "jobs.engines.cluster.survey", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SURVEY_S)
        # Ray writes what it notices of the cluster to standard output as well; ours is the last line.
        found: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        return {"problem": f"The Ray cluster did not answer within {SURVEY_S:.0f} seconds: look at its head."}
    except json.JSONDecodeError:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return {"problem": f"The Ray cluster cannot be asked ({said[-1] if said else done.returncode})."}
    return found


async def look(address: str) -> dict[str, Any]:
    """Return what `survey` does, from within this process."""
    try:
        membership = await Membership.join(address)
    except UserError as error:
        return {"problem": str(error)}
    try:
        import ray

        nodes = [node for node in await in_thread(ray.nodes) if node["Alive"]]
        problems = await asyncio.gather(*(_problem(node["NodeID"]) for node in nodes))
        machines = [
            {
                "host": f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})",
                "cpus": node["Resources"].get("CPU", 0),
                "gpus": node["Resources"].get("GPU", 0),
                "problem": problem,
            }
            for node, problem in zip(nodes, problems, strict=True)
        ]
        return {"ray": ray.__version__, "machines": machines}
    finally:
        await membership.leave()


async def _problem(node: str) -> str:
    """Return why a machine's analyses would differ from ours or why it cannot be asked; empty if it can be used."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(_versions_there).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    try:
        theirs = await asyncio.wait_for(task.remote(), ASK_S)
    except TimeoutError:
        return f"it did not answer within {ASK_S:.0f} seconds"
    except ray.exceptions.RayError as error:
        return f"it cannot start a worker ({last_line(error)}); install the same Moodstem there"
    return difference(versions(), theirs)


def _versions_there() -> dict[str, Any]:
    """Return the versions as a worker there imports them; Ray's own processes would import from the home's folder first."""
    code = "import json; from jobs.worker import versions; print(json.dumps(versions()))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(look(sys.argv[1]))))
