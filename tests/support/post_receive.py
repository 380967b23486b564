#!/usr/bin/env python3
"""A `post-receive` hook that makes a bare repository speak GitHub's webhooks.

Copy it to hooks/post-receive of a bare repository (executable), and tell it where and how to sign:

    git config tailrace.hook-url http://127.0.0.1:8000/hooks/github/PROJECT
    git config tailrace.hook-secret SECRET

For each ref that a push moved it posts one `push` payload made from the repository's real data, and tells the answer
to who pushed. It needs nothing but Python and git.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

MOST_COMMITS = 2048  # GitHub lists no more in one payload


def git(*arguments: str) -> str:
    """What git answers in this repository; raises CalledProcessError."""
    done = subprocess.run(["git", *arguments], check=True, capture_output=True)
    return done.stdout.decode(errors="replace").rstrip("\n")


def is_null(revision: str) -> bool:
    """Whether this hash stands for a ref that is not there."""
    return not revision.strip("0")


def commit(revision: str, page: str) -> dict[str, Any]:
    """A commit as GitHub describes it."""
    form = "%H%x00%T%x00%cI%x00%an%x00%ae%x00%cn%x00%ce%x00%B"
    hash_, tree, time, author, author_mail, committer, committer_mail, message = git(
        "log", "-1", "--no-show-signature", f"--format={form}", revision
    ).split("\0", 7)
    files: dict[str, list[str]] = {"A": [], "D": [], "M": []}
    listed = git(
        "diff-tree", "--root", "-r", "-z", "--no-commit-id", "--name-status", "--no-renames", revision
    )
    parts = listed.split("\0")
    for kind, path in zip(parts[0::2], parts[1::2], strict=False):
        files["M" if kind == "T" else kind].append(path)
    return {
        "id": hash_,
        "tree_id": tree,
        "distinct": True,
        "message": message.rstrip("\n"),
        "timestamp": time,
        "url": f"{page}/commit/{hash_}",
        "author": {"name": author, "email": author_mail},
        "committer": {"name": committer, "email": committer_mail},
        "added": files["A"],
        "removed": files["D"],
        "modified": files["M"],
    }


def commits_between(before: str, after: str, page: str) -> list[dict[str, Any]]:
    """The commits that the push brought to this ref, oldest first; of a new ref only its head."""
    if is_null(after):
        return []
    if is_null(before):
        return [commit(after, page)]
    hashes = git("rev-list", "--reverse", f"--max-count={MOST_COMMITS}", f"{before}..{after}", "--").split()
    return [commit(hash_, page) for hash_ in hashes]


def payload(before: str, after: str, ref: str) -> dict[str, Any]:
    """GitHub's `push` payload for one ref that moved; the addresses in it lead nowhere."""
    place = Path(git("rev-parse", "--absolute-git-dir"))
    name = place.name.removesuffix(".git")
    page = f"https://git.test/tailrace/{name}"
    head = None if is_null(after) else git("rev-parse", f"{after}^{{commit}}")
    forced = (
        not is_null(before) and head is not None and bool(git("rev-list", "-1", f"{after}..{before}", "--"))
    )
    default = git("symbolic-ref", "--short", "HEAD")
    pusher = (
        {"name": git("log", "-1", "--format=%cn", head), "email": "push@git.test"}
        if head
        else {"name": "git"}
    )
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "repository": {
            "id": 1,
            "name": name,
            "full_name": f"tailrace/{name}",
            "private": False,
            "html_url": page,
            "clone_url": str(place),
            "default_branch": default,
            "master_branch": default,
        },
        "pusher": pusher,
        "sender": {"login": pusher["name"], "type": "User"},
        "created": is_null(before),
        "deleted": is_null(after),
        "forced": forced,
        "base_ref": None,
        "compare": f"{page}/compare/{before[:12]}...{after[:12]}",
        "commits": commits_between(before, after, page),
        "head_commit": commit(head, page) if head else None,
    }


def post(url: str, secret: str, body: bytes) -> str:
    """Deliver a push; the status and what was answered."""
    request = urllib.request.Request(
        url,
        data=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/tailrace",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        },
    )
    try:
        # No proxy: the hook is for a server on this machine.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return f"{answer.status} {answer.read().decode(errors='replace')}"
    except urllib.error.HTTPError as refused:
        return f"{refused.code} {refused.read().decode(errors='replace')}"


def main() -> int:
    """Deliver every ref on standard input; 1 when something was not accepted."""
    url, secret = git("config", "tailrace.hook-url"), git("config", "tailrace.hook-secret")
    status = 0
    for line in sys.stdin:
        before, after, ref = line.rstrip("\n").split(" ", 2)
        try:
            answer = post(url, secret, json.dumps(payload(before, after, ref)).encode())
        except OSError as failed:
            answer = f"not delivered: {failed}"
        print(f"{ref}: {answer}", file=sys.stderr, flush=True)
        if not answer.startswith("2"):
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
