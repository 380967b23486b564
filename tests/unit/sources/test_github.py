"""GitHub's webhooks: who may speak, and what they say."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event, EventKind
from tailrace.sources.base import Ignored, Source
from tailrace.sources.github import GitHub

PAYLOADS = Path(__file__).parents[2] / "payloads" / "github"
GITHUB: Source = GitHub()
SECRET = b"a secret that is long enough"
H0 = "1a2b3c4d5e6f708192a3b4c5d6e7f80910213243"
H1, H2 = "3f1c9a0d5b7e42f68a9b0c1d2e3f405162738495", "9c2b7e61f0d34a5586d7e8f90a1b2c3d4e5f6071"
PAGE = "https://github.com/millwright/waterwheel"


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def headers(event: str, content_type: str = "application/json") -> dict[str, str]:
    return {"x-github-event": event, "content-type": content_type, "x-github-delivery": "72d3162e-cc78-11e3"}


def signed(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()}


def read(name: str) -> Event | Ignored:
    words = ("pull_request", "push", "ping", "issues", "workflow_run", "workflow_job")
    event = next(e for e in words if name.startswith(e))
    return GITHUB.read(headers(event), payload(name))


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

    def test_an_empty_secret_is_no_secret(self) -> None:
        with pytest.raises(Unauthorised, match="no webhook secret"):
            GITHUB.verify(b"", signed(b"body", b""), b"body")

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
    def test_a_branch(self) -> None:
        assert read("push_branch") == Event(
            kind=EventKind.PUSH,
            ref="refs/heads/main",
            branch="main",
            revision=H1,
            title="Fit the new paddles",
            author="Mia Miller",
            url=f"{PAGE}/commit/{H1}",
            before=H0,
            message="Fit the new paddles\n\nThey are of oak and last longer.\n",
            changed=("README.md", "paddles.py"),
            default_branch="main",
        )

    def test_a_new_branch_with_slashes_and_letters_of_all_alphabets(self) -> None:
        assert read("push_new_branch") == Event(
            kind=EventKind.PUSH,
            ref="refs/heads/feature/größer-水",
            branch="feature/größer-水",
            revision=H2,
            title="Öle die Achse 🛢",
            author="Mia Miller",
            action="created",
            url=f"{PAGE}/commit/{H2}",
            message=json.loads(payload("push_new_branch"))["head_commit"]["message"],
            default_branch="main",
        )

    def test_a_forced_push_says_so(self) -> None:
        event = read("push_forced")
        assert isinstance(event, Event)
        assert (event.action, event.revision) == ("forced", H2)
        assert event.changed is None, "the files of commits that were taken away are not named"

    def test_a_list_of_commits_that_was_cut_names_no_paths(self) -> None:
        body = json.loads(payload("push_branch"))
        (commit,) = body["commits"]
        for count, paths in ((2047, ("README.md", "paddles.py")), (2048, None)):
            event = GITHUB.read(headers("push"), json.dumps(body | {"commits": [commit] * count}).encode())
            assert isinstance(event, Event)
            assert event.changed == paths

    def test_a_commit_that_does_not_say_its_files_names_no_paths(self) -> None:
        body = json.loads(payload("push_branch"))
        body["commits"].append({"id": H2})
        event = GITHUB.read(headers("push"), json.dumps(body).encode())
        assert isinstance(event, Event)
        assert event.changed is None

    @pytest.mark.parametrize(("name", "tag"), [("push_tag", "v1.4.0"), ("push_annotated_tag", "v2.0.0")])
    def test_a_tag_means_the_commit_that_it_points_at(self, name: str, tag: str) -> None:
        event = read(name)
        assert isinstance(event, Event)
        assert (event.kind, event.ref, event.branch) == (EventKind.TAG, f"refs/tags/{tag}", tag)
        assert (event.revision, event.title, event.deleted) == (H1, "Fit the new paddles", False)
        assert event.before is None, "it would be a tag object where the tag is annotated"

    @pytest.mark.parametrize(
        ("name", "kind", "branch"),
        [
            ("push_delete_branch", EventKind.PUSH, "feature/turn-faster"),
            ("push_delete_tag", EventKind.TAG, "v1.4.0"),
        ],
    )
    def test_a_deletion_has_nothing_to_run(self, name: str, kind: EventKind, branch: str) -> None:
        event = read(name)
        assert isinstance(event, Event)
        assert (event.kind, event.branch, event.deleted, event.revision) == (kind, branch, True, None)
        assert (event.author, event.action) == ("millwright", "deleted")

    def test_what_is_neither_branch_nor_tag_is_ignored(self) -> None:
        body = json.dumps(json.loads(payload("push_branch")) | {"ref": "refs/notes/commits"}).encode()
        assert GITHUB.read(headers("push"), body) == Ignored(
            "refs/notes/commits is neither a branch nor a tag"
        )

    def test_the_least_that_is_needed_is_a_ref_and_a_hash(self) -> None:
        event = GITHUB.read(headers("push"), json.dumps({"ref": "refs/heads/main", "after": H1}).encode())
        assert event == Event(kind=EventKind.PUSH, ref="refs/heads/main", branch="main", revision=H1)


class TestPullRequest:
    def test_opened(self) -> None:
        assert read("pull_request_opened") == Event(
            kind=EventKind.PULL_REQUEST,
            ref="refs/pull/12/head",
            branch="feature/turn-faster",
            revision=H2,
            title="Turn faster",
            author="millwright",
            action="opened",
            pull_request=12,
            base="main",
            url=f"{PAGE}/pull/12",
            default_branch="main",
        )

    @pytest.mark.parametrize(("name", "action"), [("synchronize", "synchronize"), ("closed", "merged")])
    def test_the_action_is_githubs_word(self, name: str, action: str) -> None:
        event = read(f"pull_request_{name}")
        assert isinstance(event, Event)
        assert (event.action, event.revision, event.from_fork) == (action, H2, False)
        assert event.before == json.loads(payload(f"pull_request_{name}")).get("before")

    def test_closed_without_merging_is_closed(self) -> None:
        body = json.loads(payload("pull_request_closed"))
        body["pull_request"]["merged"] = False
        event = GITHUB.read(headers("pull_request"), json.dumps(body).encode())
        assert isinstance(event, Event)
        assert event.action == "closed"

    @pytest.mark.parametrize("name", ["from_fork", "fork_gone"])
    def test_code_from_a_fork_is_told_apart_even_when_the_fork_is_gone(self, name: str) -> None:
        event = read(f"pull_request_{name}")
        assert isinstance(event, Event)
        assert (event.from_fork, event.author, event.ref) == (True, "passer-by", "refs/pull/13/head")

    def test_a_head_that_does_not_say_whose_it_is_is_invalid(self) -> None:
        """Otherwise a payload without it would count as our own branch."""
        found = json.loads(payload("pull_request_from_fork"))
        del found["pull_request"]["head"]["repo"]
        with pytest.raises(
            Invalid, match=r"pull_request\.head\.repo: expected a repository, or null, found nothing"
        ):
            GITHUB.read(headers("pull_request"), json.dumps(found).encode())


class TestWorkflow:
    def test_a_workflow_that_ended(self) -> None:
        assert read("workflow_run_completed") == Event(
            kind=EventKind.WORKFLOW,
            branch="main",
            revision=H1,
            title="test",
            author="millwright",
            action="completed",
            url=f"{PAGE}/actions/runs/289782451",
            message="Fit the new paddles\n\nThey are of oak and last longer.\n",
            default_branch="main",
            values={
                "WORKFLOW": "test",
                "WORKFLOW_EVENT": "push",
                "WORKFLOW_RUN": "289782451",
                "WORKFLOW_CONCLUSION": "success",
            },
        )

    @pytest.mark.parametrize(
        ("name", "action", "conclusion"),
        [("requested", "requested", ""), ("failed", "completed", "failure")],
    )
    def test_how_it_went_is_a_value(self, name: str, action: str, conclusion: str) -> None:
        event = read(f"workflow_run_{name}")
        assert isinstance(event, Event)
        assert (event.action, event.values["WORKFLOW_CONCLUSION"]) == (action, conclusion)

    @pytest.mark.parametrize("name", ["from_fork", "fork_gone"])
    def test_a_forks_commit_is_told_apart_even_when_the_fork_is_gone(self, name: str) -> None:
        event = read(f"workflow_run_{name}")
        assert isinstance(event, Event)
        assert (event.from_fork, event.author, event.branch, event.ref) == (True, "passer-by", "main", None)

    def test_a_run_that_does_not_say_whose_its_commit_is_is_invalid(self) -> None:
        body = json.loads(payload("workflow_run_from_fork"))
        del body["workflow_run"]["head_repository"]
        with pytest.raises(Invalid, match=r"workflow_run\.head_repository: expected a repository, or null"):
            GITHUB.read(headers("workflow_run"), json.dumps(body).encode())

    def test_a_job_of_a_workflow(self) -> None:
        """GitHub does not say in it whose the commit is: it counts as a stranger's."""
        assert read("workflow_job_completed") == Event(
            kind=EventKind.WORKFLOW,
            branch="main",
            revision=H1,
            title="test / pytest (3.11)",
            author="millwright",
            action="completed",
            from_fork=True,
            url=f"{PAGE}/actions/runs/289782451/job/2832853555",
            default_branch="main",
            values={
                "WORKFLOW": "test",
                "WORKFLOW_JOB": "pytest (3.11)",
                "WORKFLOW_RUN": "289782451",
                "WORKFLOW_CONCLUSION": "success",
            },
        )
        event = read("workflow_job_queued")
        assert isinstance(event, Event)
        assert event.action == "queued"


class TestOtherEvents:
    def test_a_ping(self) -> None:
        assert read("ping") == Event(kind=EventKind.PING, title="Keep it logically awesome.")

    def test_an_event_that_we_know_of_is_ignored(self) -> None:
        ignored = read("issues_opened")
        assert isinstance(ignored, Ignored)
        assert "issues starts nothing" in ignored.why

    @pytest.mark.parametrize("event", ["frobnicate", "", "PUSH"])
    def test_an_event_that_nobody_knows_is_invalid(self, event: str) -> None:
        with pytest.raises(Invalid, match=f'X-GitHub-Event: expected push.*found "{event}"'):
            GITHUB.read(headers(event), b"{}")

    def test_no_event_is_invalid(self) -> None:
        with pytest.raises(Invalid, match=r"X-GitHub-Event: expected push.*found nothing"):
            GITHUB.read({}, b"{}")


class TestContentTypes:
    def test_a_form_says_the_same_as_json(self) -> None:
        body = urlencode({"payload": payload("push_new_branch")}).encode()
        form = headers("push", "application/x-www-form-urlencoded")
        assert GITHUB.read(form, body) == read("push_new_branch")

    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
    def test_json_by_any_spelling(self, kind: str) -> None:
        assert GITHUB.read(headers("push", kind), payload("push_branch")) == read("push_branch")

    def test_no_content_type_means_json(self) -> None:
        assert GITHUB.read({"x-github-event": "push"}, payload("push_branch")) == read("push_branch")

    @pytest.mark.parametrize(
        ("kind", "body", "why"),
        [
            ("text/plain", b"{}", 'Content-Type: expected application/json .*found "text/plain"'),
            ("application/x-www-form-urlencoded", payload("push_branch"), "the form"),
            ("application/x-www-form-urlencoded", b"", "no field `payload`"),
            (
                "application/x-www-form-urlencoded",
                b"payload=",
                "the payload is not JSON: .* at line 1, column",
            ),
            ("application/x-www-form-urlencoded", b"payload=%ff", "the form cannot be read"),
            ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 200), "the form cannot be read"),
        ],
    )
    def test_anything_else_says_what_is_expected(self, kind: str, body: bytes, why: str) -> None:
        with pytest.raises(Invalid, match=why):
            GITHUB.read(headers("push", kind), body)
