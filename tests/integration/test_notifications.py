"""Notifications of a real Tailrace, to fakes of other people's services that are real servers."""

from __future__ import annotations

import base64
import json
import threading
import xml.etree.ElementTree as ET
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.test_commands import tailrace
from tests.support.fake_service import FakeService, Says
from tests.support.fake_smtp import FakeSmtp
from tests.support.house import House
from tests.support.waiting import wait_for

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A Tailrace that may call loopback, where the fakes are."""
    with House(tmp_path_factory.mktemp("home"), TAILRACE_ALLOW_PRIVATE_TARGETS="127.0.0.1") as home:
        home.up()
        yield home


def channel(house: House, name: str, project: int | None, settings: Any, secrets: Any) -> int:
    body = {"name": name, "project": project, "settings": settings, "secrets": secrets}
    return house.post("/api/channels", body)["id"]


def wait_sent(house: House, run: int, count: int = 1) -> list[dict[str, Any]]:
    """The notifications of a run, once so many of them have ended."""

    def ended() -> list[dict[str, Any]] | None:
        found = house.get("/api/notifications", run=run)["items"]
        return found if len([one for one in found if one["state"] != "pending"]) >= count else None

    return wait_for(ended, f"{count} notifications of run {run}")


def test_a_failure_reaches_webhook_and_mailbox_with_the_last_lines(home: House) -> None:
    """A job prints and fails; both messages have its reason, its step and what it printed last, secrets masked."""
    project = home.project()
    home.post("/api/secrets", {"name": "TOKEN", "value": "s3cret-value", "project": project})
    plan = home.script_plan(
        'echo "calling with $TOKEN"; echo boom; exit 3', project=project, secrets=["TOKEN"]
    )
    with FakeService() as fake_receiver, FakeSmtp() as smtp:
        hook = channel(
            home,
            "hook",
            project,
            {"kind": "webhook", "url": f"{fake_receiver.url}/in"},
            {"key": KEY},
        )
        mail = channel(
            home,
            "mail",
            project,
            {
                "kind": "email",
                "host": "127.0.0.1",
                "port": smtp.port,
                "security": "none",
                "sender": "ci@example.org",
                "to": ["ada@example.org"],
            },
            {},
        )
        for one in (hook, mail):
            home.post(
                "/api/notification-rules", {"channel": one, "project": project, "on": ["first_failure"]}
            )
        run = home.run(plan)
        shown = wait_sent(home, run, 2)
        again = home.run(plan)
        home.wait_state(again, "failed")
        assert home.get("/api/notifications", run=again)["items"] == []
    assert {one["state"] for one in shown} == {"sent"}
    (asked,), (taken,) = fake_receiver.asked, smtp.taken
    assert asked.json["type"] == "run.failed"
    assert asked.json["data"]["run"]["id"] == run
    words = taken.mail.get_content()
    for text in (words, asked.json["data"]["text"] + asked.json["data"]["lines"]):
        assert "exit_code" in text
        assert "calling with ***" in text
        assert "boom" in text
        assert "s3cret-value" not in text
    assert f"{home.url}/runs/{run}" in words


def test_secrets_of_channels_are_not_shown(home: House) -> None:
    """Neither in answers nor in the database."""
    made = channel(home, "hidden", None, {"kind": "slack"}, {"url": "https://hooks.example/T0/hush-hush"})
    shown = home.get(f"/api/channels/{made}")
    assert shown["secrets"] == ["url"]
    assert "hush-hush" not in str(shown)
    assert not any(b"hush-hush" in path.read_bytes() for path in home.data.glob("tailrace.db*"))
    answer = home.client.post(
        "/api/channels",
        json={"name": "x", "settings": {"kind": "slack"}, "secrets": {"url": "hush-hush", "more": "hush"}},
    )
    assert answer.status_code == 400
    assert "hush" not in answer.text


def test_a_channels_secrets_go_nowhere_else(home: House) -> None:
    """Whoever changes where they are sent must know them."""
    made = channel(
        home,
        "gitea",
        home.project(),
        {"kind": "gitea", "api": "https://a.example", "repository": "o/r"},
        {"token": "t"},
    )
    wish = {"settings": {"kind": "gitea", "api": "https://b.example", "repository": "o/r"}}
    answer = home.client.patch(f"/api/channels/{made}", json=wish)
    assert (answer.status_code, "give them again" in answer.json()["detail"]) == (409, True)
    answer = home.client.patch(f"/api/channels/{made}", json={**wish, "secrets": {"token": "u"}})
    assert answer.json()["settings"]["api"] == "https://b.example"


def test_commit_statuses_follow_a_run(home: House, tmp_path: Path) -> None:
    """Pending first, success last, with a link to the job."""
    project = home.project()
    go = tmp_path / "go"
    plan = home.script_plan(f"until [ -e '{go}' ]; do sleep 0.1; done", project=project)
    with FakeService(Says(201, {})) as fake_github:
        channel(
            home,
            "statuses",
            project,
            {"kind": "github", "api": fake_github.url, "repository": "ada/shop"},
            {"token": "t"},
        )
        run = home.run(plan, revision="c" * 40)
        wait_for(lambda: fake_github.asked, "the first status")
        go.touch()
        wait_for(
            lambda: any(one.json["state"] == "success" for one in list(fake_github.asked)), "the last status"
        )
    first, last = fake_github.asked[0].json, fake_github.asked[-1].json
    assert (first["state"], last["state"]) == ("pending", "success")
    assert last["target_url"] == f"{home.url}/runs/{run}/jobs/{home.show(run)['jobs'][0]['id']}"


def test_a_server_that_is_killed_while_it_sends_sends_again_what_is_known_again(house: House) -> None:
    """kill -9 while the receiver has not answered: the next server sends it with the same id, when the claim has run out."""
    house.environment["TAILRACE_ALLOW_PRIVATE_TARGETS"] = "127.0.0.0/8"
    release = threading.Event()
    server = house.server()
    with FakeService(Says(before=release.wait), Says()) as fake_receiver:
        hook = channel(house, "hook", None, {"kind": "webhook", "url": fake_receiver.url}, {"key": KEY})
        house.post("/api/notification-rules", {"channel": hook, "on": ["every"]})
        run = house.run(house.script_plan("true"))
        house.post(f"/api/runs/{run}/abort")
        wait_for(lambda: fake_receiver.asked, "the receiver to be asked")
        server.kill()
        release.set()
        assert house.change("UPDATE outbox SET claimed_until = 1") == 1
        house.server()
        (shown,) = wait_sent(house, run)
    assert shown["state"] == "sent"
    assert len({one.headers["webhook-id"] for one in fake_receiver.asked}) == 1
    assert len(fake_receiver.asked) == 2


def test_the_commands_do_what_the_routes_do(home: House) -> None:
    """Channel, test, rule, list, retry, removal; secrets from standard input."""
    project = home.get(f"/api/projects/{home.project()}")["name"]
    plan = home.script_plan("false", project=home.get("/api/projects", limit=500)["items"][-1]["id"])
    with FakeService(Says(404, "no_service"), Says()) as fake_slack:
        added = tailrace(
            home,
            "notify",
            "add-channel",
            "slack",
            "team",
            "--project",
            project,
            given=f"url={fake_slack.url}/x\n",
        )
        assert added.returncode == 0, added.stderr
        tried = tailrace(home, "notify", "test", "team")
        assert (tried.returncode, "no_service" in tried.stderr) == (1, True)
        fake_slack.answers = [Says(404, "no_service"), Says()]
        ruled = tailrace(
            home, "notify", "add-rule", "team", "--on", "failed,recovered", "--plan", f"{project}/plan"
        )
        assert ruled.returncode == 0, ruled.stderr
        listed = tailrace(home, "notify", "rules", "--project", project, "--json").stdout
        assert [rule["on"] for rule in json.loads(listed)] == [["failed", "recovered"]]
        run = home.run(plan)
        (failed,) = wait_sent(home, run)
        assert failed["state"] == "failed"
        assert "no_service" in tailrace(home, "notify", "list", "--run", str(run)).stdout
        listed = tailrace(home, "notify", "list", "--project", project, "--json").stdout
        assert [one["id"] for one in json.loads(listed)] == [failed["id"]]
        assert home.get("/api/notifications", project=failed["project"] + 10**6)["items"] == []
        assert tailrace(home, "notify", "retry", str(failed["id"])).returncode == 0
        wait_for(lambda: home.get(f"/api/notifications/{failed['id']}")["state"] == "sent", "the second try")
    assert tailrace(home, "notify", "disable", "team").returncode == 0
    assert tailrace(home, "notify", "remove-channel", "team").returncode == 0
    gone = tailrace(home, "notify", "test", "team")
    assert (gone.returncode, "no channel 'team'" in gone.stderr) == (2, True)


def test_retention_forgets_what_was_sent_long_ago(house: House) -> None:
    """First said, then done; by the setting alone."""
    house.environment["TAILRACE_NOTIFICATION_DAYS"] = "3"
    house.environment["TAILRACE_ALLOW_PRIVATE_TARGETS"] = "127.0.0.1"
    house.up()
    project = house.project()
    with FakeService(Says()) as chat:
        channel = house.post(
            "/api/channels",
            {"name": "team", "settings": {"kind": "slack"}, "secrets": {"url": f"{chat.url}/x"}},
        )
        house.post("/api/notification-rules", {"channel": channel["id"], "on": ["every"]})
        run = house.run(house.script_plan("true", project=project))
        (sent,) = wait_sent(house, run)
    assert house.post("/api/retention", {"dry_run": True})["notifications"] == []
    house.change("UPDATE outbox SET ended_at = ended_at - 4 * 24 * 3600 * 1000")
    why = "it was kept for 3 days"
    said = house.post("/api/retention", {"dry_run": True})["notifications"]
    name, number = house.get(f"/api/projects/{project}")["name"], house.show(run)["number"]
    named = {"project_name": name, "run_number": number}
    assert said == [{"notification": sent["id"], "run": run, **named, "why": why}]
    assert house.get(f"/api/notifications/{sent['id']}")["state"] == "sent"
    done = tailrace(house, "retention").stdout
    assert why in done
    assert f"{name}#{number}  " in done
    assert "1 notification removed" in done
    assert house.client.get(f"/api/notifications/{sent['id']}").status_code == 404
    assert "0 notifications removed" in tailrace(house, "retention").stdout


def test_a_badge_shows_the_newest_run_to_whoever_has_its_address(home: House) -> None:
    """Per branch; a key that is not the project's shows nothing; no badge is markup of somebody's making."""
    project = home.project()
    name = home.get(f"/api/projects/{project}")["name"]
    plan = home.script_plan("true", project=project)
    with httpx2.Client() as stranger:

        def words(url: str) -> list[str]:
            answer = stranger.get(url)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
            assert "no-cache" in answer.headers["cache-control"]
            return [one.text or "" for one in ET.fromstring(answer.text).iter() if one.tag.endswith("text")]

        badge = home.get("/api/badges", project=project)
        assert words(badge["url"]) == [name, "no runs"]
        home.wait_state(home.run(plan), "passed")
        assert words(badge["url"]) == [name, "passing"]
        home.wait_state(home.run(home.script_plan("false", project=project, name="other")), "failed")
        assert words(badge["url"]) == [name, "failing"]
        of_plan = home.get("/api/badges", project=project, plan="plan")
        assert words(of_plan["url"]) == ["plan", "passing"]
        assert words(f"{of_plan['url']}&branch=%3Cscript%3E") == ["plan", "no runs"]
        other = home.get("/api/badges", project=home.project())["url"].partition("key=")[2]
        wrong = stranger.get(badge["url"].partition("?")[0], params={"key": other})
        assert wrong.status_code == 401
        assert stranger.get(badge["url"].partition("?")[0]).status_code == 401
        refused = [stranger.get(f"{home.url}/api/badges/{of}.svg?key=x") for of in (name, "nope")]
        assert [answer.status_code for answer in refused] == [401] * 2
        assert len({answer.text for answer in refused}) == 1, "strangers learn no names"
        no_plan = stranger.get(of_plan["url"].replace("/plan.svg", "/none.svg"))
        assert no_plan.status_code == 404
    assert home.client.get(f"/api/badges/{name}.svg").status_code == 200
    assert home.client.get("/api/badges/nope.svg").status_code == 404
    assert badge["url"] in tailrace(home, "notify", "badge", name).stdout
