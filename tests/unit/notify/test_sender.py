"""What the outbox holds is sent once, tried again where that helps, and what became of it can be seen."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import threading
from typing import Any

import pytest
from sqlalchemy import update

from tailrace.domain.channels import SlackSettings, WebhookSettings
from tailrace.domain.errors import NoRoom
from tailrace.domain.notifications import When
from tailrace.domain.states import AttemptState
from tailrace.live.scopes import RUNS
from tailrace.notify.base import Undelivered
from tailrace.store.outbox_claims import end_sent
from tailrace.store.tables import channel
from tests.support.fake_service import FakeService, Says
from tests.unit.notify.world import URL, World, until

SECRET = base64.b64encode(bytes(range(32))).decode()
KEY = f"whsec_{SECRET}"


async def hook(world: World, service: FakeService, *on: When, **settings: Any) -> int:
    return await world.channel(
        WebhookSettings(url=f"{service.url}/hook", **settings), {"key": KEY}, *(on or (When.EVERY,))
    )


async def chat(world: World, service: FakeService, name: str = "chat") -> int:
    return await world.channel(
        SlackSettings(), {"url": f"{service.url}/services/T0/s3cret"}, When.EVERY, name=name
    )


async def test_a_failure_is_told_with_its_step_and_the_end_of_that_steps_log(world: World) -> None:
    """Signed the Standard Webhooks way: HMAC-SHA-256 over id, time and body, keyed with what follows whsec_."""
    with FakeService() as fake_receiver:
        await hook(world, fake_receiver)
        output = [(0, b"Cloning\n"), (1, b"one\r\x1b[31mtwo\x1b[0m\nboom\n"), (2, b"tidied up\n")]
        run = await world.run(AttemptState.FAILED, output)
        sent = await world.send()
    assert (sent.state, sent.attempts, sent.last_error) == ("sent", 1, None)
    (asked,) = fake_receiver.asked
    id, timestamp = asked.headers["webhook-id"], asked.headers["webhook-timestamp"]
    signed = f"{id}.{timestamp}.".encode() + asked.body
    mac = base64.b64encode(hmac.digest(base64.b64decode(SECRET), signed, hashlib.sha256)).decode()
    assert asked.headers["webhook-signature"] == f"v1,{mac}"
    data = asked.json["data"]
    assert (asked.json["type"], data["run"]["id"]) == ("run.failed", run)
    assert (data["job"], data["step"], data["run"]["reason"]) == ("test", "make", "exit_code")
    assert data["lines"] == "Cloning\ntwo\nboom"
    for words in ("shop #1 failed (main)", "step make", "make ended with 2", f"{URL}/runs/{run}", "Fix it"):
        assert words in data["text"]


async def test_what_is_refused_for_now_is_tried_again_and_known_again(world: World) -> None:
    """HTTP 503, then taken: two tries, one id."""
    with FakeService(Says(503, "down for tea"), Says()) as fake_receiver:
        await hook(world, fake_receiver)
        await world.run()
        first = await world.send()
        assert (first.state, first.last_error) == ("pending", "HTTP 503: down for tea")
        assert first.next_at is not None
        assert first.next_at > first.created_at
        second = await world.send()
        assert (second.state, second.attempts, second.last_error) == ("sent", 2, None)
        await world.send()
    one, other = fake_receiver.asked
    assert one.headers["webhook-id"] == other.headers["webhook-id"]


async def test_what_is_refused_for_good_is_not_tried_again(world: World) -> None:
    """A chat's webhook that does not exist any more."""
    with FakeService(Says(404, "no_service")) as fake_slack:
        await chat(world, fake_slack)
        await world.run()
        shown = await world.send()
        await world.send()
    assert (shown.state, shown.last_error) == ("failed", "HTTP 404: no_service")
    assert len(fake_slack.asked) == 1


async def test_after_the_last_try_it_has_failed(world: World) -> None:
    """Two waits are three tries."""
    world.sender = world.make_sender(waits_s=(1, 1))
    with FakeService(Says(500, "oh")) as fake_receiver:
        await hook(world, fake_receiver)
        await world.run()
        states = [(await world.send()).state.value for _ in range(3)]
    assert states == ["pending", "pending", "failed"]
    assert len(fake_receiver.asked) == 3


async def test_a_receivers_wish_to_wait_is_heeded(world: World) -> None:
    """Retry-After of a minute, where the first wait would have been five seconds."""
    with FakeService(Says(429, "", {"Retry-After": "60"})) as fake_slack:
        await chat(world, fake_slack)
        await world.run()
        shown = await world.send()
    assert shown.next_at is not None
    assert shown.next_at - shown.created_at >= 60_000


async def test_a_lost_answer_is_a_doubt_for_a_chat_and_none_for_a_webhook(world: World) -> None:
    """Nothing is sent twice: only receivers that know a message again get it again."""
    with FakeService(Says(hang_up=True)) as fake_service:
        await chat(world, fake_service)
        await hook(world, fake_service)
        await world.run()
        await world.send()
    states = {one.kind.value: (one.state.value, one.attempts) for one in await world.notifications()}
    assert states == {"slack": ("unsure", 1), "webhook": ("pending", 1)}


async def test_a_receiver_that_cannot_be_reached_is_tried_again_without_its_secret_in_the_error(
    world: World,
) -> None:
    """The address of a chat's webhook is its token."""
    with FakeService() as fake_slack:
        await chat(world, fake_slack)
    await world.run()
    shown = await world.send()
    assert shown.state == "pending"
    assert "cannot be reached" in (shown.last_error or "")
    assert "s3cret" not in (shown.last_error or "")


async def test_an_endless_receiver_is_left(world: World) -> None:
    """A receiver that takes the request and never answers."""
    world.sender = world.make_sender(timeout_s=0.2)
    release = threading.Event()
    with FakeService(Says(before=release.wait)) as fake_receiver:
        await hook(world, fake_receiver)
        await world.run()
        shown = await world.send()
        release.set()
    assert (shown.state, "did not answer" in (shown.last_error or "")) == ("pending", True)


async def test_a_redirect_is_not_followed(world: World) -> None:
    """Whoever was allowed as a receiver does not choose another one."""
    with FakeService() as other, FakeService(Says(302, "", {"Location": other.url})) as fake_receiver:
        await hook(world, fake_receiver)
        await world.run()
        shown = await world.send()
    assert (shown.state, other.asked) == ("failed", [])


async def test_a_private_address_is_refused_unless_it_is_allowed(world: World) -> None:
    """The request is not made."""
    world.sender = world.make_sender(allow_private=False)
    with FakeService() as fake_receiver:
        await hook(world, fake_receiver)
        await world.run()
        shown = await world.send()
    assert (shown.state, "allow_private_targets" in (shown.last_error or "")) == ("failed", True)
    assert fake_receiver.asked == []


async def test_a_slow_channel_holds_up_no_other_and_no_run(world: World) -> None:
    """While one receiver keeps us waiting, runs end and another channel's messages leave."""
    release = threading.Event()
    with (
        FakeService(Says(before=release.wait)) as fake_slow,
        FakeService() as fake_quick,
    ):
        slow, quick = await chat(world, fake_slow, "slow"), await chat(world, fake_quick, "quick")
        runs = [await world.run()]
        await world.sender.look()
        await until(lambda: bool(fake_slow.asked), "the slow one to be asked")
        runs += [await world.run() for _ in range(2)]
        for _ in range(3):
            await until(lambda: len(world.sender.busy) < 2, "the quick one to be done")
            await world.sender.look()
        await until(lambda: len(fake_quick.asked) == 3, "all to be told")
        assert len(fake_slow.asked) == 1
        release.set()
        await world.idle()
    sent = [(one.channel, one.run) for one in await world.notifications() if one.state == "sent"]
    assert sorted(sent) == sorted([(slow, runs[0]), *((quick, run) for run in runs)])


async def test_two_servers_send_each_once(world: World) -> None:
    """Twenty runs, two senders that run at once."""
    with FakeService() as fake_slack:
        await chat(world, fake_slack)
        for _ in range(20):
            await world.run(AttemptState.PASSED)
        first = world.sender
        second = world.make_sender()
        loops = [asyncio.create_task(sender.run()) for sender in (first, second)]
        async with asyncio.timeout(60):
            while any(one.state == "pending" for one in await world.notifications()):
                world.bus.publish(RUNS)
                await asyncio.sleep(0.05)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    assert len(fake_slack.asked) == 20
    assert {one.state.value for one in await world.notifications()} == {"sent"}


async def test_a_server_that_is_stopped_while_it_sends_leaves_no_claim(world: World) -> None:
    """A chat's message may have arrived; a webhook's is free for another server."""
    release = threading.Event()
    with FakeService(Says(before=release.wait)) as fake_service:
        await chat(world, fake_service)
        await hook(world, fake_service)
        await world.run()
        loop = asyncio.create_task(world.sender.run())
        await until(lambda: len(fake_service.asked) == 2, "both to be asked")
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        release.set()
    states = {one.kind.value: one.state.value for one in await world.notifications()}
    assert states == {"slack": "unsure", "webhook": "pending"}


async def test_what_arrived_while_the_servers_disk_was_full_is_not_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of it is written down when there is room again."""
    write = world.store.write
    full = True
    refused = asyncio.Event()

    async def write_if_room(function: Any, *args: Any, **kwargs: Any) -> Any:
        if full and function is end_sent:
            refused.set()
            raise NoRoom
        return await write(function, *args, **kwargs)

    with FakeService() as fake_slack:
        await chat(world, fake_slack)
        await world.run()
        monkeypatch.setattr(world.store, "write", write_if_room)
        await world.sender.look()
        await asyncio.wait_for(refused.wait(), 60)
        full = False
        await world.idle()
        shown = await world.send()
    assert (shown.state, len(fake_slack.asked)) == ("sent", 1)


async def test_a_channel_whose_secrets_do_not_open_says_so(world: World) -> None:
    """Sealed with another key: nothing is sent, and the error says what to do."""
    with FakeService() as fake_receiver:
        await hook(world, fake_receiver)
        await world.store.write(
            lambda connection: connection.execute(update(channel).values(secrets=b"x" * 60)).rowcount
        )
        await world.run()
        shown = await world.send()
    assert (shown.state, "another secret_key" in (shown.last_error or "")) == ("failed", True)
    assert fake_receiver.asked == []


async def test_a_message_waits_for_the_end_of_the_log_that_it_quotes(world: World) -> None:
    """While the log still arrives nothing is sent, and no try is counted."""
    with FakeService() as fake_receiver:
        await hook(world, fake_receiver)
        await world.run(close=False)
        shown = await world.send()
        assert (shown.state, shown.attempts, fake_receiver.asked) == ("pending", 0, [])


async def test_a_channel_has_words_of_its_own(world: World) -> None:
    """A template with names; a run's title cannot put others into it."""
    with FakeService() as fake_receiver:
        await hook(world, fake_receiver, template="${project}/${plan} ${what}: ${title} $$5 ${lines}")
        await world.run(AttemptState.PASSED, title="${url}")
        await world.send()
    assert fake_receiver.asked[0].json["data"]["text"] == "shop/default passed: ${url} $5 "


async def test_a_channel_can_be_tried(world: World) -> None:
    """A test message says who sent it; what is wrong is raised."""
    with FakeService(Says(), Says(401, "who are you")) as fake_receiver:
        channel = await hook(world, fake_receiver)
        await world.sender.try_channel(channel, "Ada")
        assert fake_receiver.asked[0].json["type"] == "test"
        assert "Ada" in fake_receiver.asked[0].json["data"]["text"]
        with pytest.raises(Undelivered, match="401: who are you"):
            await world.sender.try_channel(channel, "Ada")
