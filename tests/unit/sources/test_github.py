"""GitHub's webhooks: who may speak, and what they say beside what all forges do (test_forges.py)."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind

from . import forges
from .forges import COMMITTED_AT, FORM, H1, H2, MESSAGE, SECRET, bare

GITHUB = forges.GITHUB.source
PAGE = forges.GITHUB.page
payload, headers = forges.GITHUB.payload, forges.GITHUB.headers
read, body_of = forges.GITHUB.read, forges.GITHUB.body


def signed(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()}


class TestSignature:
    def test_the_secret_opens(self) -> None:
        GITHUB.verify(SECRET, signed(b"body"), b"body")

    def test_githubs_own_example_verifies(self) -> None:
        """From GitHub's page "Validating webhook deliveries"."""
        known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        GITHUB.verify(b"It's a Secret to Everybody", {"X-Hub-Signature-256": known}, b"Hello, World!")

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({}, "is missing"),
            ({"x-hub-signature": "sha1=" + "0" * 40}, "is missing"),
            ({"x-hub-signature-256": ""}, "is malformed"),
            ({"x-hub-signature-256": "sha1=" + "0" * 64}, "is malformed"),
            ({"x-hub-signature-256": "sha256=" + "0" * 63}, "is malformed"),
            ({"x-hub-signature-256": "sha256=" + "0" * 63 + "é"}, "is malformed"),
            ({"x-hub-signature-256": "sha256=" + "٠" * 64}, "is malformed"),
            ({"x-hub-signature-256": "sha256=" + "0" * 64}, "does not match"),
            (signed(b"other body"), "does not match"),
            (signed(b"body", b"other secret"), "does not match"),
        ],
    )
    def test_anything_else_is_refused_and_says_why(self, given: dict[str, str], why: str) -> None:
        with pytest.raises(Unauthorised, match=why):
            GITHUB.verify(SECRET, given, b"body")

    def test_refusals_do_not_reveal_the_right_signature(self) -> None:
        right = signed(b"body")["x-hub-signature-256"].removeprefix("sha256=")
        with pytest.raises(Unauthorised) as refused:
            GITHUB.verify(SECRET, {"x-hub-signature-256": "sha256=" + "0" * 64}, b"body")
        assert right not in str(refused.value)


class TestHeaders:
    def test_the_case_of_a_header_does_not_matter(self) -> None:
        assert GITHUB.delivery_key({"X-GitHub-Delivery": "a"}) == "a"
        assert GITHUB.delivery_key({"X-GITHUB-DELIVERY": " a "}) == "a"
        assert GITHUB.event_name({"X-Github-Event": "push"}) == "push"

    @pytest.mark.parametrize("value", ["", "a b", "a\x00", "ключ", "x" * 129])
    def test_a_delivery_key_that_cannot_be_one_is_none(self, value: str) -> None:
        assert GITHUB.delivery_key({"x-github-delivery": value}) is None
        assert GITHUB.delivery_key({}) is None


class TestPush:
    def test_a_new_branch_with_slashes_and_letters_of_all_alphabets(self) -> None:
        assert bare(read("push_new_branch")) == Event(
            kind=EventKind.PUSH,
            ref="refs/heads/feature/größer-水",
            branch="feature/größer-水",
            revision=H2,
            title="Öle die Achse 🛢",
            author="Mia Miller",
            action="created",
            url=f"{PAGE}/commit/{H2}",
            message=body_of("push_new_branch")["head_commit"]["message"],
            committed_at=COMMITTED_AT,
            default_branch="main",
        )

    def test_a_forced_push_says_so(self) -> None:
        event = read("push_forced")
        assert (event.action, event.revision) == ("forced", H2)
        assert event.changed is None, "the files of commits that were taken away are not named"

    def test_a_list_of_commits_that_was_cut_names_no_paths(self) -> None:
        body = body_of("push_branch")
        (commit,) = body["commits"]
        for count, paths in ((2047, ("README.md", "paddles.py")), (2048, None)):
            assert read("push", body | {"commits": [commit] * count}).changed == paths

    def test_a_commit_that_does_not_say_its_files_names_no_paths(self) -> None:
        body = body_of("push_branch")
        body["commits"].append({"id": H2})
        assert read("push", body).changed is None

    def test_the_least_that_is_needed_is_a_ref_and_a_hash(self) -> None:
        assert read("push", {"ref": "refs/heads/main", "after": H1}) == Event(
            kind=EventKind.PUSH, ref="refs/heads/main", branch="main", revision=H1
        )


class TestWorkflow:
    def test_a_workflow_that_ended(self) -> None:
        assert bare(read("workflow_run_completed")) == Event(
            kind=EventKind.WORKFLOW,
            branch="main",
            revision=H1,
            title="test",
            author="millwright",
            action="completed",
            url=f"{PAGE}/actions/runs/289782451",
            message=MESSAGE,
            default_branch="main",
            once="workflow run 289782451 attempt 1 completed",
            values={
                "WORKFLOW": "test",
                "WORKFLOW_EVENT": "push",
                "WORKFLOW_RUN": "289782451",
                "WORKFLOW_ATTEMPT": "1",
                "WORKFLOW_CONCLUSION": "success",
            },
        )

    def test_one_that_is_run_again_is_another_one(self) -> None:
        body = body_of("workflow_run_completed")
        body["workflow_run"]["run_attempt"] = 2
        event = read("workflow_run_completed", body)
        assert (event.once, event.values["WORKFLOW_ATTEMPT"]) == (
            "workflow run 289782451 attempt 2 completed",
            "2",
        )

    @pytest.mark.parametrize(
        ("name", "action", "conclusion"),
        [("requested", "requested", ""), ("failed", "completed", "failure")],
    )
    def test_how_it_went_is_a_value(self, name: str, action: str, conclusion: str) -> None:
        event = read(f"workflow_run_{name}")
        assert (event.action, event.values["WORKFLOW_CONCLUSION"]) == (action, conclusion)

    @pytest.mark.parametrize("name", ["from_fork", "fork_gone"])
    def test_a_forks_commit_is_told_apart_even_when_the_fork_is_gone(self, name: str) -> None:
        event = read(f"workflow_run_{name}")
        assert (event.from_fork, event.author, event.branch, event.ref) == (True, "passer-by", "main", None)

    def test_a_run_that_does_not_say_whose_its_commit_is_is_invalid(self) -> None:
        body = body_of("workflow_run_from_fork")
        del body["workflow_run"]["head_repository"]
        with pytest.raises(Invalid, match=r"workflow_run\.head_repository: expected a repository, or null"):
            read("workflow_run_from_fork", body)

    def test_a_job_of_a_workflow(self) -> None:
        """GitHub does not say in it whose the commit is: it counts as a stranger's."""
        assert bare(read("workflow_job_completed")) == Event(
            kind=EventKind.WORKFLOW,
            branch="main",
            revision=H1,
            title="test / pytest (3.11)",
            author="millwright",
            action="completed",
            from_fork=True,
            url=f"{PAGE}/actions/runs/289782451/job/2832853555",
            default_branch="main",
            once="workflow job 2832853555 completed",
            values={
                "WORKFLOW": "test",
                "WORKFLOW_JOB": "pytest (3.11)",
                "WORKFLOW_RUN": "289782451",
                "WORKFLOW_ATTEMPT": "1",
                "WORKFLOW_CONCLUSION": "success",
            },
        )
        event = read("workflow_job_queued")
        assert event.action == "queued"


class TestOtherEvents:
    def test_a_ping(self) -> None:
        assert read("ping") == Event(kind=EventKind.PING, title="Keep it logically awesome.")


class TestContentTypes:
    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
    def test_json_by_any_spelling(self, kind: str) -> None:
        assert GITHUB.read(headers("push", kind), payload("push_branch")) == read("push_branch")

    def test_no_content_type_means_json(self) -> None:
        assert GITHUB.read({"x-github-event": "push"}, payload("push_branch")) == read("push_branch")

    @pytest.mark.parametrize(
        ("kind", "body", "why"),
        [
            ("text/plain", b"{}", 'Content-Type: expected application/json .*found "text/plain"'),
            (FORM, payload("push_branch"), "the form"),
            (FORM, b"", "no field `payload`"),
            (
                FORM,
                b"payload=",
                "the payload is not JSON: .* at line 1, column",
            ),
            (FORM, b"payload=%ff", "the form cannot be read"),
            (FORM, b"&".join([b"a=1"] * 200), "the form cannot be read"),
        ],
    )
    def test_anything_else_says_what_is_expected(self, kind: str, body: bytes, why: str) -> None:
        with pytest.raises(Invalid, match=why):
            GITHUB.read(headers("push", kind), body)
