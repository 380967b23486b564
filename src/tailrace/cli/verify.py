"""`tailrace verify`: proves the logs of a run."""

from __future__ import annotations

from typing import Any

from tailrace.cli.client import connect, show
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags


def verify(run: int, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Prove a run's logs, from what the agents declared to what the archive holds: every byte is read again.

    The exit status is 1 when anything differs. A log that retention has removed is said to be so.
    """
    client = connect(flags)
    proofs: list[dict[str, Any]] = []
    for job in client.get(f"/api/runs/{run}")["jobs"]:
        for attempt in job["attempts"]:
            if attempt["log_state"] == "removed":
                proof = {"log": attempt["log"], "state": "removed", "ok": True, "size": attempt["log_size"]}
                proof["detail"] = (
                    f"removed by retention on {str(attempt['log_removed_at'])[:10]}: {attempt['log_removed_why']}"
                )
            else:
                # A log of gigabytes takes its time.
                proof = client.call("POST", f"/api/logs/{attempt['log']}/verify", timeout_s=3600)
            proofs.append({"job": job["name"], "attempt": attempt["number"], **proof})
    columns = {
        "JOB": "job",
        "ATTEMPT": "attempt",
        "LOG": "log",
        "STATE": "state",
        "OK": "ok",
        "SEGMENTS": "segments",
        "WHAT": "detail",
    }
    rows = proofs if json else [_row(proof) for proof in proofs]
    show(rows, as_json=json, columns=columns)
    return 0 if all(proof["ok"] for proof in proofs) else 1


def _row(proof: dict[str, Any]) -> dict[str, Any]:
    return proof | {"ok": "yes" if proof["ok"] else "NO", "segments": len(proof.get("segments", ()))}
